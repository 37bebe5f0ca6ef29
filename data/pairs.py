"""What a corpus is: sentence pairs in numbered row groups.

The order of training is drawn from row groups, so a source of text only has to give their number, and any one of them
by itself. A fault of a source as a whole (a missing column, files of different lengths) is an error when it is opened.
A faulty row becomes a `NoPair` in its place: the row keeps its number, cleaning counts it with its reason, and one bad
line does not end a long run.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol, runtime_checkable

ROWS_PER_GROUP = 1_000
"""Rows in a row group, if the format of the source has no groups of its own."""


class Pair(NamedTuple):
    """A sentence and its translation; both encode to UTF-8."""

    source: str
    target: str


class NoPair(NamedTuple):
    """Takes the place of a row that gives no pair; `reason` is a key of `cleaning.REASONS`."""

    reason: str
    where: str  # "data/train.de, line 17, byte 5"


Row = Pair | NoPair


class Rows(list[Row]):
    """The rows of a row group, which know their places.

    Attributes:
        where: returns the place of the row at a position, for people: "data/train.tsv, line 17".
        texts: the readable text of rows that give no pair, by position.

    """

    def __init__(
        self,
        rows: Iterable[Row],
        where: Callable[[int], str],
        texts: Mapping[int, tuple[str, ...]] = MappingProxyType({}),
    ) -> None:
        super().__init__(rows)
        self.where = where
        self.texts = texts

    def __reduce__(self) -> tuple[type[list[Row]], tuple[list[Row]]]:
        """Pickle as a plain list: places are needed only in the process that reads the rows."""
        return list, (list(self),)


class CorpusError(ValueError):
    """The text cannot be used, or no longer: the message names the file or corpus to fix."""


class Corpus(Protocol):
    """Sentence pairs in numbered row groups; each group can be read alone, in any process, and is always the same.

    A pickled corpus is small enough to be sent to loader workers. A row's id is (group, position in the group).
    """

    @property
    def name(self) -> str:
        """Its name in messages and reports: "grammar:train", "data/train.{en,de}"."""

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digits that change whenever the pairs change."""

    @property
    def groups(self) -> int:
        """Number of row groups."""

    @property
    def rows(self) -> int:
        """Number of rows; if a format does not record it, a guess from its first group."""

    def read(self, group: int) -> Sequence[Row]:
        """Return the rows of one group, 0 <= group < groups."""


@runtime_checkable
class Wrapper(Protocol):
    """A corpus whose groups come from other corpora, row for row."""

    def inner(self, group: int) -> tuple[Corpus, int]:
        """Return the corpus, and the group in it, behind a group of this one."""


def read_from(corpus: Corpus, group: int) -> tuple[Corpus, int]:
    """Return the innermost corpus, and the group in it, from which a group of a corpus is read."""
    while isinstance(corpus, Wrapper):
        corpus, group = corpus.inner(group)
    return corpus, group


def read_rows(corpus: Corpus, group: int) -> Rows:
    """Return the rows of one group with their places; by default these are their numbers."""
    rows = corpus.read(group)
    if isinstance(rows, Rows):
        return rows
    return Rows(rows, lambda position: f"{corpus.name}, group {group}, row {position + 1}")


def places(rows: Iterable[Row]) -> list[int]:
    """Return the positions of the rows that give no pair."""
    return [position for position, row in enumerate(rows) if isinstance(row, NoPair)]


def legible(content: bytes) -> str:
    r"""Return readable text from bytes that need not be UTF-8: a byte that is not becomes \xe9."""
    return content.decode("utf-8", "backslashreplace")


class PairsCorpus:
    """Pairs held in memory: for tests, and for small sets that have been read already."""

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

    def read(self, group: int) -> Rows:
        """Return the rows of one group with the sides swapped."""
        rows = read_rows(self._corpus, group)
        swapped = [Pair(row.target, row.source) if isinstance(row, Pair) else row for row in rows]
        return Rows(swapped, rows.where, {position: texts[::-1] for position, texts in rows.texts.items()})


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
