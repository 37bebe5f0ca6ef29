"""What a document is read into: its units, in its order, and the counts of what was left aside in them."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from vaswani.data.pairs import NoPair, Pair, Row


class Asked(NamedTuple):
    """The languages that are asked for, by their tags."""

    source: str
    target: str


class Unit(NamedTuple):
    """A unit of a document: a row, with its place as the format names it."""

    source: str
    target: str
    place: str
    """In the document: "line 204, tu 17"."""
    reason: str | None = None
    """A key of `cleaning.REASONS` if the unit gives no pair."""

    def row(self, document: str) -> Row:
        """Return the pair of a unit, or what takes its place."""
        if self.reason is None:
            return Pair(self.source, self.target)
        return NoPair(self.reason, f"{document}, {self.place}")


class Tally(Counter[str]):
    """How often something was left aside in units that are kept, by what it was."""

    def remarks(self) -> list[str]:
        """Return a line for each."""
        return [f"{number:,} {what}" for what, number in self.most_common() if number]


Read = Callable[[Path, Asked, Tally], Iterator[Unit]]
"""Reads the units of one document; raises CorpusError, with place and remedy, if it is damaged."""
