"""Language tags as files have them: which of a file's counts as the one that is asked for.

Tags are those of BCP 47 (`pt-BR`, `zh-Hans`), their spelling with an underscore (`pt_BR`, `sr_Latn`), and gettext's
names of locales (`sr@latin`, `de_DE.UTF-8`). Case does not count (RFC 5646, section 2.1.1).
"""

import re
from collections.abc import Sequence

_SCRIPTS = {"latin": "latn", "cyrillic": "cyrl", "arabic": "arab", "devanagari": "deva"}
"""Scripts as modifiers of gettext's locales name them."""


def subtags(tag: str) -> tuple[str, ...]:
    """Return the parts of a tag in lower case: ("pt", "br") of "pt_BR", ("sr", "latn") of "sr@latin"."""
    name, _, modifier = tag.strip().lower().partition("@")
    name = name.partition(".")[0]  # the encoding of a locale says nothing about its language
    parts = [name, _SCRIPTS.get(modifier, modifier)] if modifier else [name]
    return tuple(part for part in re.split("[-_]", "-".join(parts)) if part)


def distance(asked: str, found: str) -> int | None:
    """Return how far a file's tag is from the one asked for, or None if it is of another language.

    0: they are the same. 1: the file's is narrower (`en-US` where `en` is asked for; RFC 4647, section 3.3.1). 2: it is
    wider (`en` where `en-US` is asked for; section 3.4). Two of one language that differ otherwise (`en-GB`, `en-US`)
    are different.
    """
    wanted, has = subtags(asked), subtags(found)
    if not wanted or not has:
        return None
    if wanted == has:
        return 0
    if has[: len(wanted)] == wanted:
        return 1
    return 2 if wanted[: len(has)] == has else None


def nearest(asked: str, found: Sequence[str]) -> list[int]:
    """Return the places of those of a file's tags that are nearest to the one asked for; none if none is of it."""
    distances = [distance(asked, tag) for tag in found]
    least = min((each for each in distances if each is not None), default=None)
    return [] if least is None else [place for place, each in enumerate(distances) if each == least]


def is_swapped(asked: tuple[str, str], found: tuple[str | None, str | None]) -> bool | None:
    """Return whether a file with a source and a target language holds a direction the other way round.

    A language that the file does not name may be any. None: it does not hold the direction.
    """

    def misfit(pair: tuple[str | None, str | None]) -> int | None:
        distances = [0 if its is None else distance(one, its) for one, its in zip(asked, pair, strict=True)]
        return None if None in distances else sum(each or 0 for each in distances)

    as_it_is, other_way = misfit(found), misfit((found[1], found[0]))
    if as_it_is is None and other_way is None:
        return None
    return as_it_is is None or (other_way is not None and other_way < as_it_is)
