"""What a corpus is: sentence pairs in numbered row groups.

The order of training is drawn from row groups, so that is all a source of text has to offer: how many there are, and
any one of them on its own. What is wrong with a source as a whole (a missing column, files of unequal length) is an
error when it is opened. What is wrong with one row comes out as `NoPair` in that row's place: the row keeps its
number, cleaning counts it with its reason, and no long run dies of one bad line.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

ROWS_PER_GROUP = 1_000
"""Rows in a row group, where the format of the source has no groups of its own."""


class Pair(NamedTuple):
    """A sentence and its translation; both encode to UTF-8."""

    source: str
    target: str


class NoPair(NamedTuple):
    """What stands in the place of a row that gives no pair; `reason` is a key of `cleaning.REASONS`."""

    reason: str
    where: str  # "data/train.de, line 17, byte 5"


Row = Pair | NoPair


class CorpusError(ValueError):
    """The text does not serve, or no longer does: the message names the file or corpus that is to be mended."""


class Corpus(Protocol):
    """Sentence pairs in numbered row groups; each group can be read alone, in any process, and is always the same.

    A corpus pickles small enough to be handed to loader workers. A row's id is (group, position in the group).
    """

    @property
    def name(self) -> str:
        """What messages and reports call it: "grammar:train", "data/train.{en,de}"."""

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digits that change whenever the pairs change."""

    @property
    def groups(self) -> int:
        """Number of row groups."""

    @property
    def rows(self) -> int:
        """Number of rows; where a format does not tell, a guess from its first group."""

    def read(self, group: int) -> Sequence[Row]:
        """Return the rows of one group, 0 <= group < groups."""


@runtime_checkable
class Wrapper(Protocol):
    """A corpus whose groups are those of other corpora, row for row."""

    def inner(self, group: int) -> tuple[Corpus, int]:
        """Return the corpus and the group in it that a group of this one stands for."""


@runtime_checkable
class Placed(Protocol):
    """A corpus of a file that people open: its rows have a place there."""

    def place(self, group: int, position: int) -> str:
        """Return where a row stands, its position in the group counted from 0: "train.jsonl, line 71002"."""


class PairsCorpus:
    """Pairs held in memory: tests, and sets small enough to have been read already."""

    def __init__(self, name: str, pairs: Iterable[Pair]) -> None:
        self.name = name
        self._pairs = list(pairs)
        self.rows = len(self._pairs)
        self.groups = -(-self.rows // ROWS_PER_GROUP)
        self.fingerprint = fingerprint(*(side for pair in self._pairs for side in pair))

    def read(self, group: int) -> list[Pair]:
        """Return the pairs of one group."""
        return self._pairs[group * ROWS_PER_GROUP : (group + 1) * ROWS_PER_GROUP]


class Swapped:
    """A corpus read in the other direction: source and target change places."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self.name = f"{corpus.name} (swapped)"
        self.fingerprint = fingerprint("swapped", corpus.fingerprint)
        self.groups = corpus.groups
        self.rows = corpus.rows
        self.splits_are_apart: bool = getattr(corpus, "splits_are_apart", False)

    def read(self, group: int) -> list[Row]:
        """Return the rows of one group with the sides swapped."""
        return [Pair(row.target, row.source) if isinstance(row, Pair) else row for row in self._corpus.read(group)]


def join_sides(sources: Iterable[str | NoPair], targets: Iterable[str | NoPair]) -> list[Row]:
    """Return the rows of two columns; a row is `NoPair` where either side is."""
    rows: list[Row] = []
    for source, target in zip(sources, targets, strict=True):
        if isinstance(source, NoPair):
            rows.append(source)
        elif isinstance(target, NoPair):
            rows.append(target)
        else:
            rows.append(Pair(source, target))
    return rows


def fingerprint(*parts: str) -> str:
    """Return 32 hexadecimal digits of a list of texts; ("ab", "c") and ("a", "bc") differ."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()[:32]
