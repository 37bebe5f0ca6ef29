"""Sums over resampled lines, with sacrebleu's random draws: the same figures in less memory.

n draws, L lines, k counts. A draw is a row of weights `[L]`, so the sums are one product of matrices,
`[n, L] @ [L, k]`, done in blocks: memory grows with L, and not with n times L.
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from .metrics.sacrebleu.line_statistics import Counts

DRAWS = 64
"""Draws in a block. A multiple of 32: numpy takes 32 Booleans from each random number and drops the rest at the end of
a call, so only such blocks draw the same as one call for everything."""
LINES = 4096
"""Lines whose weights are converted to floats at a time, 1 MiB with `DRAWS`: they stay in the CPU's cache."""
EXACT_IN_SINGLE = 2**24
"""Whole numbers up to this are exact in float32, whose products are twice as fast."""

Bar = Callable[[int], object]
"""Called with the number of further draws that are done."""


def seed_asked_for() -> int | None:
    """Return sacrebleu's seed: `SACREBLEU_SEED`, or 12345 if it is not set; None (new draws each time) if it is "none".

    Raises:
        ValueError: it is neither "none" nor a number from 0.

    """
    asked = os.environ.get("SACREBLEU_SEED", "12345")
    if asked.lower() == "none":
        return None
    if not asked.isdecimal():
        raise ValueError(f"SACREBLEU_SEED is {asked!r}; give a number from 0, or none for new draws each time")
    return int(asked)


def bootstrap(statistics: Counts, samples: int, seed: int | None, tell: Bar = lambda _: None) -> Counts:
    """Draw as many lines as there are, with replacement, `samples` times (Koehn 2004).

    Args:
        statistics: `[L, k]`.
        samples: n, at least 1.
        seed: the draws are those of sacrebleu's bootstrap with the same seed.
        tell: called after each block.

    Returns:
        Sums `[n, k]`, exact where statistics are whole numbers.

    """
    generator = np.random.default_rng(seed)
    lines = len(statistics)

    def draw(count: int) -> NDArray[np.int32]:
        drawn = np.empty((count, lines), np.int32)
        for row in drawn:
            row[:] = np.bincount(generator.integers(0, lines, size=lines), minlength=lines)
        return drawn

    return _sums(draw, statistics, samples, tell)


def halves(statistics: Counts, trials: int, seed: int | None, tell: Bar = lambda _: None) -> Counts:
    """Take or leave each line, by the toss of a coin, `trials` times; otherwise like `bootstrap`.

    The draws are those of sacrebleu's approximate randomisation with the same seed.
    """
    generator = np.random.default_rng(seed)

    def draw(count: int) -> NDArray[np.bool_]:
        return generator.integers(2, size=(count, len(statistics)), dtype=np.bool_)

    return _sums(draw, statistics, trials, tell)


def _sums(draw: Callable[[int], NDArray[Any]], statistics: Counts, draws: int, tell: Bar) -> Counts:
    sums = np.zeros((draws, statistics.shape[1]))
    parts = [slice(first, first + LINES) for first in range(0, len(statistics), LINES)]
    single = statistics.astype(np.float32)
    totals = [np.abs(statistics[part]).sum(axis=0).max() for part in parts]
    whole = bool((statistics == np.rint(statistics)).all())
    for start in range(0, draws, DRAWS):
        weights = draw(min(DRAWS, draws - start))
        most = int(weights.max())
        for part, total in zip(parts, totals, strict=True):
            counts: NDArray[Any] = single if whole and most * total < EXACT_IN_SINGLE else statistics
            sums[start : start + DRAWS] += weights[:, part].astype(counts.dtype) @ counts[part]
        tell(len(weights))
    return sums


def bar(draws: int, progress: bool) -> "tqdm[None]":
    """Return a progress bar on stderr for `draws`; pass its `update` as `tell`."""
    return tqdm(desc="Resampling", total=draws, leave=False, unit=" draws", disable=not progress)
