"""Several directions in one run: a tag before the source names the language to translate into.

The tag is one token of the vocabulary in the form of the field, >>de<<, which OPUS-MT's models read too; that the
target language needs no more than a token before the source is of Johnson et al. 2017.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .blank_text import is_blank
from .pairs import Corpus, Pair, Rows, fingerprint, read_rows

_DIRECTION = re.compile(r"([^\s=-]+)-([^\s=-]+)(?:=(.+))?")
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


def texts_of(given: Sequence[str]) -> list[TextOfDirection]:
    """Return the texts of --directions: each en-de, or en-de=FOLDER.

    Raises:
        ValueError: one has another form, or two are the same.

    """
    found = []
    for each in given:
        match = _DIRECTION.fullmatch(each)
        if match is None or match[1] == match[2]:
            raise ValueError(
                f"--directions has {each!r}; give two languages joined by a hyphen, such as en-de, and a folder if the "
                "text is not that of --data_dir: en-fr=FOLDER"
            )
        text = TextOfDirection(f"{match[1]}-{match[2]}", match[3])
        if text in found:
            raise ValueError(f"--directions has {each!r} twice; to read a text more often give --weights")
        found.append(text)
    return found


def tag_of(language: str) -> str:
    """Return the token that asks for a target language."""
    return f">>{language}<<"


def tags_of(directions: Iterable[str]) -> dict[str, str]:
    """Return what each source begins with, by its target language; nothing where all directions have one target."""
    targets = dict.fromkeys(each.split("-")[1] for each in directions)
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
