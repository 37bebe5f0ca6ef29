"""Sentences of the scored sets that occur in the training text: they are counted, and left out if wanted.

Two texts count as the same if they differ only in case, white space, user tokens and Unicode's ways of writing one
character (NFKC: full-width letters, ligatures, composed accents). The scored sets are held in memory, and one row group
of the training text at a time.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .cleaning import CleaningLimits, text_fault
from .pairs import Corpus, NoPair, Pair, Rows, fingerprint, read_from, read_rows
from .user_tokens import without_tokens

REASON = "test text"
EDITION = "case, white space, NFKC"
"""The ignored differences; part of the key of everything that is cached."""


class Found(NamedTuple):
    """For one set, how many of its pairs are in the training text."""

    pairs: int
    """Both sides in one row."""
    sources: int
    targets: int
    """Of this side, whatever the other side is."""
    of: int
    """Pairs of the set."""


class WithoutTestText:
    """A corpus in which each pair with a side that occurs in a scored set is `NoPair("test text", where)`.

    A pure function of the corpus and the sets: every process leaves out the same pairs, and no pass is needed
    beforehand.

    Args:
        corpus: the corpus to read.
        scored: the pairs of all scored sets.
        user_symbols: user tokens, which are ignored, as in `CleaningLimits`.
        either_side: a source counts as a target too, and the other way: for directions whose sides change places.

    """

    def __init__(
        self, corpus: Corpus, scored: Iterable[Pair], user_symbols: str = "", either_side: bool = False
    ) -> None:
        self._corpus = corpus
        self._user_symbols = user_symbols
        sides = [Pair(*(bare(side, user_symbols) for side in pair)) for pair in scored]
        self._sources = frozenset(pair.source for pair in sides) - {""}
        self._targets = frozenset(pair.target for pair in sides) - {""}
        if either_side:
            self._sources = self._targets = self._sources | self._targets
        self.name = f"{corpus.name} (without test text)"
        self.fingerprint = fingerprint(
            "without test text",
            EDITION,
            corpus.fingerprint,
            *sorted(self._sources),
            "",
            *sorted(self._targets),
            *([user_symbols] if user_symbols else []),
        )
        self.groups = corpus.groups
        self.rows = corpus.rows

    def inner(self, group: int) -> tuple[Corpus, int]:
        """Return the corpus that is read, and the same group."""
        return self._corpus, group

    def read(self, group: int) -> Rows:
        """Return the rows of one group."""
        rows = read_rows(self._corpus, group)
        scored = {position: row for position, row in enumerate(rows) if isinstance(row, Pair) and self._is_scored(row)}
        without = Rows(rows, rows.where, {**rows.texts, **scored})
        for position in scored:
            without[position] = NoPair(REASON, rows.where(position))
        return without

    def _is_scored(self, pair: Pair) -> bool:
        tokens = self._user_symbols
        return bare(pair.source, tokens) in self._sources or bare(pair.target, tokens) in self._targets


def bare(text: str, user_symbols: str = "") -> str:
    """Return a text without the ignored differences."""
    text = without_tokens(text, user_symbols)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split())


def innermost(corpus: Corpus) -> list[tuple[Corpus, int]]:
    """Return the row groups from which a corpus is read, each once, before anything is left out."""
    found: dict[tuple[str, int], tuple[Corpus, int]] = {}
    for number in range(corpus.groups):
        inside, group = read_from(corpus, number)
        found.setdefault((inside.fingerprint, group), (inside, group))
    return list(found.values())


def find(
    groups: Iterable[tuple[Corpus, int]], scored: Mapping[str, Sequence[Pair]], limits: CleaningLimits
) -> dict[str, Found]:
    """Read row groups once and count, for each set, how much of it occurs in the pairs that `limits` keep."""

    def bared(pair: Pair) -> Pair:
        return Pair(*(bare(side, limits.user_symbols) for side in pair))

    wanted = {name: list(map(bared, pairs)) for name, pairs in scored.items()}
    all_pairs = [pair for pairs in wanted.values() for pair in pairs]
    sources, targets = ({pair[side] for pair in all_pairs} - {""} for side in (0, 1))
    seen_sources: set[str] = set()
    seen_targets: set[str] = set()
    seen_pairs: set[Pair] = set()
    for corpus, group in groups:
        for row in corpus.read(group):
            if isinstance(row, NoPair):
                continue
            pair = bared(row)
            is_source, is_target = pair.source in sources, pair.target in targets
            if not (is_source or is_target) or text_fault(row, limits):
                continue
            if is_source:
                seen_sources.add(pair.source)
            if is_target:
                seen_targets.add(pair.target)
            if is_source and is_target:
                seen_pairs.add(pair)
    return {
        name: Found(
            sum(pair in seen_pairs for pair in pairs),
            sum(pair.source in seen_sources for pair in pairs),
            sum(pair.target in seen_targets for pair in pairs),
            len(pairs),
        )
        for name, pairs in wanted.items()
    }
