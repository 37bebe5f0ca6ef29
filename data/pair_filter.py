"""Which pairs of a parallel text are kept, by their characters, lengths, repeats and scores; every drop is counted.

The text is read by windows and not held. What is held is a byte a pair, and 8 more for its hash where duplicates are
dropped, and 8 for its score where a share of the scores is.
"""

import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .cleaning import CleaningLimits, Drops, length_fault, readable
from .duplicates import pair_hash, repeated_places
from .pairs import Pair, Row, Rows

Lengths = Callable[[Sequence[str]], Sequence[int]]
"""Returns the length of each of some texts."""
Places = NDArray[np.int64]


class ScoreLimits(NamedTuple):
    """Which pairs are kept by their scores."""

    least: float = -math.inf
    most: float = math.inf
    share: Fraction = Fraction(0)
    """Of the pairs that nothing else drops, those with the worst scores are dropped, rounded down to whole pairs."""
    is_high_worse: bool = False
    """Whether the worst scores are the highest."""


class Criteria(NamedTuple):
    """What decides which pairs are kept."""

    limits: CleaningLimits
    lengths: Lengths
    drop_identical: bool = False
    """Whether pairs with one text on both sides are dropped."""
    drop_duplicates: bool = False
    """Whether a pair is dropped that repeats an earlier one, of those that are kept so far."""
    scores: ScoreLimits = ScoreLimits()


class ScoredRows(NamedTuple):
    """A window of a parallel text."""

    rows: Sequence[Row]
    scores: Sequence[float | None] | None = None
    """Of each row, None if it has none; None if there are no scores at all."""


def kept_pairs(
    windows: Iterable[ScoredRows], criteria: Criteria, where: Callable[[int], str], drops: Drops
) -> NDArray[np.bool_]:
    """Return for each row whether it is kept, and count kept and dropped rows.

    A pair is counted by the first reason that is found: its text, its lengths, equal sides, its score, an earlier pair,
    and last the worst share of the scores. Of equal scores the earlier pairs are kept.

    Args:
        windows: of the text, in order.
        criteria: what decides.
        where: returns the place of a row, from 0, for people.
        drops: takes the counts.

    """
    kept, hashes, scores = bytearray(), array("Q"), array("d")
    for window in windows:
        first = len(kept)
        rows = Rows(window.rows, lambda position, first=first: where(first + position))  # type: ignore[misc]
        survivors = bytearray(len(rows))
        for position, pair, score in judged(rows, window.scores, criteria, drops):
            survivors[position] = True
            if criteria.drop_duplicates:
                hashes.append(pair_hash(pair))
            if criteria.scores.share:
                scores.append(score)
        kept += survivors
    found = np.frombuffer(kept, np.bool_).copy()

    def drop(places: Places, reason: str) -> None:
        for place in places.tolist():
            drops.add(reason, where(place))
        found[places] = False

    left = np.flatnonzero(found)
    if criteria.drop_duplicates:
        drop(left[repeated_places(np.frombuffer(hashes, np.uint64))], "duplicate")
    if criteria.scores.share:
        still = found[left]
        drop(left[still][worst(np.frombuffer(scores)[still], criteria.scores)], "worst share")
    drops.kept += int(found.sum())
    return found


def judged(
    rows: Rows, scores: Sequence[float | None] | None, criteria: Criteria, drops: Drops
) -> Iterator[tuple[int, Pair, float]]:
    """Yield position, pair and score of the rows that nothing drops which looks at one pair alone; count the others."""
    good = list(readable(rows, criteria.limits, drops))
    sides = [criteria.lengths([pair[side] for _, pair in good]) for side in (0, 1)]
    for (position, pair), source, target in zip(good, *sides, strict=True):
        score = 0.0 if scores is None else scores[position]
        fault = length_fault(source, target, criteria.limits)
        if fault is None and criteria.drop_identical and pair.source == pair.target:
            fault = "identical sides"
        if fault is None and score is not None:
            if criteria.scores.least <= score <= criteria.scores.most:
                yield position, pair, score
                continue
            fault = "score"
        drops.add(fault or "no score", rows.where(position))


def worst(scores: NDArray[np.float64], limits: ScoreLimits) -> Places:
    """Return the places of the worst share of the scores; of equal ones the later are worse."""
    from_the_last = np.argsort(-scores[::-1] if limits.is_high_worse else scores[::-1], kind="stable")
    return np.sort(len(scores) - 1 - from_the_last[: math.floor(limits.share * len(scores))])
