"""Several directions in one run: a tag before the source names the language to translate into.

The tag is one token of the vocabulary in the form of the field, >>de<<, which OPUS-MT's models read too; that the
target language needs no more than a token before the source is of Johnson et al. 2017.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .blank_text import is_blank
from .language_tags import distance
from .pairs import Corpus, Pair, Rows, fingerprint, read_rows

_LANGUAGE = re.compile(r"[^\s=:]+")
_TAG = re.compile(r">>[^\s<>]+<<")
WITHIN = 0.1
"""How far whole weights may be from those of a temperature, as a share."""
MOST_READINGS = 8
"""The most readings of the largest text in an epoch that this may take."""


class TextOfDirection(NamedTuple):
    """A text to train on in one direction."""

    direction: str
    folder: str | None
    """None: where the run's text is."""


def languages_of(direction: str) -> tuple[str, str]:
    """Return the source and the target language of a direction: en-de, or en:pt-BR.

    Raises:
        ValueError: it has another form, or a hyphen may be read in two ways; the message says how to write it.

    """
    parts = direction.split(":" if ":" in direction else "-")
    if len(parts) != 2 or not all(map(_LANGUAGE.fullmatch, parts)) or parts[0] == parts[1]:
        if ":" not in direction and len(parts) > 2 and all(map(_LANGUAGE.fullmatch, parts)):
            ways = ["-".join(parts[:cut]) + ":" + "-".join(parts[cut:]) for cut in range(1, len(parts))]
            raise ValueError(
                f"direction {direction!r} can be read in {len(ways)} ways: write {' or '.join(ways)}, with a colon "
                "where one language ends"
            )
        raise ValueError(
            f"direction is {direction!r}; two languages joined by a hyphen are needed, such as en-de, or by a colon "
            "where one has a hyphen itself, such as en:pt-BR"
        )
    return parts[0], parts[1]


def direction_of(source: str, target: str) -> str:
    """Return how a direction is written: en-de, or en:pt-BR where a language has a hyphen itself."""
    return f"{source}{':' if '-' in source + target else '-'}{target}"


def near_direction(source: str, target: str, found: Iterable[str]) -> str:
    """Return a sentence with the direction to give where languages are called otherwise in a file, or nothing.

    Args:
        source: the language that is asked for.
        target: likewise.
        found: what the file has in their places, such as the names of its columns.

    """
    known = list(dict.fromkeys(found))
    sides = [[each for each in known if distance(wanted, each) is not None] for wanted in (source, target)]
    if all(sides):
        nearest = [
            min(side, key=lambda each: distance(wanted, each) or 0)
            for wanted, side in zip((source, target), sides, strict=True)
        ]
        return f" Languages are named as files name them: give --direction {direction_of(nearest[0], nearest[1])}."
    other = [each for each in known if each not in (source, target)]
    if len(known) == 2 and len(other) == 1 and len(other[0]) in (2, 3):  # one of a pair is right
        sides_of_it = [each if each in known else other[0] for each in (source, target)]
        return f" Is it --direction {direction_of(sides_of_it[0], sides_of_it[1])}?"
    return ""


def in_file_names(direction: str) -> str:
    """Return a direction as names of files and folders have it: en-pt-BR, since a colon is not allowed everywhere."""
    return direction.replace(":", "-")


def texts_of(given: Sequence[str]) -> list[TextOfDirection]:
    """Return the texts of --directions: each en-de, or en-de=FOLDER.

    Raises:
        ValueError: one has another form, or two are the same.

    """
    found = []
    for each in given:
        direction, equals, folder = each.partition("=")
        try:
            languages = languages_of(direction)
        except ValueError as error:
            raise ValueError(
                f"--directions has {each!r}: {error}. A folder stands behind it if the text is not that of --data_dir: "
                "en-fr=FOLDER"
            ) from error
        if equals and not folder:
            raise ValueError(f"--directions has {each!r} without a folder behind =; give en-fr=FOLDER, or {direction}")
        text = TextOfDirection(direction_of(*languages), folder or None)
        if text in found:
            raise ValueError(f"--directions has {each!r} twice; to read a text more often give --weights")
        found.append(text)
    return found


def tag_of(language: str) -> str:
    """Return the token that asks for a target language."""
    return f">>{language}<<"


def tags_of(directions: Iterable[str]) -> dict[str, str]:
    """Return what each source begins with, by its target language; nothing where all directions have one target."""
    targets = dict.fromkeys(languages_of(each)[1] for each in directions)
    return {each: tag_of(each) for each in targets} if len(targets) > 1 else {}


def is_tag(token: str) -> bool:
    """Return whether a token has the form of such a tag."""
    return _TAG.fullmatch(token) is not None


def tagged(text: str, tag: str) -> str:
    """Return a source that asks for a language; blank text stays blank, and without a tag any text is as it was."""
    return text if not tag or is_blank(text) else f"{tag} {text}"


class Tagged:
    """A corpus whose sources begin with a tag."""

    def __init__(self, corpus: Corpus, tag: str) -> None:
        self._corpus = corpus
        self._tag = tag
        self.name = f"{corpus.name} {tag}"
        self.fingerprint = fingerprint("tagged", tag, corpus.fingerprint)
        self.groups = corpus.groups
        self.rows = corpus.rows
        self.splits_are_apart: bool = getattr(corpus, "splits_are_apart", False)

    def read(self, group: int) -> Rows:
        """Return the rows of one group."""
        rows = read_rows(self._corpus, group)
        found = [Pair(tagged(row.source, self._tag), row.target) if isinstance(row, Pair) else row for row in rows]
        return Rows(found, rows.where, rows.texts)


def weights_by_temperature(directions: Sequence[str], rows: Sequence[int], temperature: float) -> list[int]:
    """Return how often an epoch reads each text, so that a direction of n rows is drawn in proportion to n^(1/T).

    Weights are whole numbers, so that nothing is left out: the smallest ones that are within a tenth of what the
    temperature asks for, or the nearest where the largest direction would be read more than 8 times an epoch.

    Args:
        directions: of the texts; texts of one direction have one weight.
        rows: of the texts, each at least 1.
        temperature: T, at least 1. With 1 every row is read as often; the larger, the more alike are the directions.

    """
    sizes = dict.fromkeys(directions, 0)
    for direction, number in zip(directions, rows, strict=True):
        sizes[direction] += number
    largest = max(sizes.values())
    wanted = {each: (largest / size) ** (1 - 1 / temperature) for each, size in sizes.items()}

    def error(readings: int) -> float:
        return max(abs(round(readings * each) / (readings * each) - 1) for each in wanted.values())

    tried = range(1, MOST_READINGS + 1)
    readings = next((each for each in tried if error(each) <= WITHIN), min(tried, key=error))
    return [round(readings * wanted[each]) for each in directions]
