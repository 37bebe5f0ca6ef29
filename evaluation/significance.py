"""Whether one output is better than another or only by chance: paired approximate randomisation (Noreen 1989).

If two outputs are equally good, it is chance which of them a line came from. So each line is swapped or not by the toss
of a coin, many times, and p is the share of trials in which the two sides differ at least as much as the outputs do. It
is two-sided, the same whichever output comes first, and under that hypothesis P(p <= a) <= a for every a and number of
lines. Riezler and Maxwell (2005) recommend it for scores of translations over the bootstrap test (Koehn 2004), which
treats a sample as the population and so finds differences that do not exist. The spread of one output's score is not a
test, and is still estimated by the bootstrap.

sacrebleu's own bootstrap test is not used: it centres absolute differences, not differences, on their mean, and its p
is less than half of a two-sided one. Scores, draws and intervals are sacrebleu's.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from sacrebleu.significance import estimate_ci

from .metric_table import Metric
from .metrics.sacrebleu.line_statistics import Counts
from .resampling import bar, bootstrap, halves, seed_asked_for
from .scorer import Inputs, Statistics, reason_against, scorer_of
from .scores import LeftOut, as_listed, by_cost, check_lines, inputs_of

ScoreOf = Callable[[Counts], Counts]

SAMPLES = 1000
"""Samples of the test set, with replacement, for means and intervals; sacrebleu's own default."""
TRIALS = 10_000
"""Trials with swapped sides, for p, which is therefore never below 1 / 10,001; sacrebleu's own default."""
EQUAL = 1e-9
"""Points of a score that count as rounding: sides whose difference is smaller by so little count as equal."""


class Resampled(NamedTuple):
    """One output under one score."""

    value: float
    """On the test set as it is."""
    mean: float
    """Over the resamples."""
    interval: float
    """Half the width of the interval that holds 95% of the resamples."""
    p_value: float | None
    """How often chance alone makes it differ at least as much from the first output; None for the first."""


class Comparison(NamedTuple):
    """All outputs under one score."""

    name: str
    signature: str
    outputs: list[Resampled]


Comparisons = Any
"""The result of `compare`, a named tuple like `Scores`, with `LeftOut` for metrics that are left out."""


class Draws(NamedTuple):
    """The numbers of random draws."""

    samples: int
    """With replacement, for means and intervals."""
    trials: int
    """With swapped sides, for p."""
    seed: int | None
    """For both; None for new draws each time."""


def compare(
    outputs: Sequence[Sequence[str]],
    references: Sequence[str],
    samples: int = SAMPLES,
    trials: int = TRIALS,
    *,
    language: str | None = None,
    sources: Sequence[str] | None = None,
    source_language: str | None = None,
    metrics: Collection[str] | None = None,
    progress: bool = False,
    more_references: Sequence[Sequence[str | None]] = (),
) -> Comparisons:
    """Compare translations with the first of them, all against the same references, all plain text.

    Only sacrebleu's seed (`SACREBLEU_SEED`, 12345) and the number of lines decide the draws, so a comparison can be
    repeated and does not depend on the other outputs. The language has the same effect as in `score`.

    Args:
        outputs: one line for each reference.
        references: one per line.
        samples: for means and intervals.
        trials: for p.
        language: of outputs and references, as `score` takes it, like the next three.
        sources: of the references.
        source_language: theirs.
        metrics: keys of metrics; None for all metrics of translations.
        progress: show progress bars on stderr.
        more_references: further references, as `score` takes them.

    Raises:
        ValueError: an output and the references differ in length, there is nothing to score, no such metric, or
            `SACREBLEU_SEED` is no seed.

    """
    more: Any = {"sources": sources, "source_language": source_language, "metrics": metrics, "progress": progress}
    more["more_references"] = more_references
    return as_listed(
        "Comparisons", dict(each_comparison(outputs, references, samples, trials, language=language, **more))
    )


def each_comparison(
    outputs: Sequence[Sequence[str]],
    references: Sequence[str],
    samples: int = SAMPLES,
    trials: int = TRIALS,
    *,
    language: str | None = None,
    sources: Sequence[str] | None = None,
    source_language: str | None = None,
    metrics: Collection[str] | None = None,
    progress: bool = False,
    more_references: Sequence[Sequence[str | None]] = (),
) -> Iterator[tuple[str, Comparison | LeftOut]]:
    """Yield what `compare` returns, by name, each as soon as it is computed: the slowest comes last.

    Raises:
        ValueError: as `compare` does.

    """
    asked = by_cost(metrics)
    for each in outputs:
        check_lines(each, references)
    draws = draws_of(samples, trials)
    inputs = inputs_of(references, language, sources, source_language, more_references)
    for metric in asked:
        yield metric.score_key, under(metric, outputs, inputs, draws, progress)


def draws_of(samples: int = SAMPLES, trials: int = TRIALS) -> Draws:
    """Return how often is drawn, from sacrebleu's seed. Raises ValueError if `SACREBLEU_SEED` is none."""
    return Draws(samples, trials, seed_asked_for())


def under(
    metric: Metric, outputs: Sequence[Sequence[str]], inputs: Inputs, draws: Draws, progress: bool = False
) -> Comparison | LeftOut:
    """Compare outputs with the first by one metric; the signature names the draws like those of sacrebleu's tests."""
    reason = reason_against(metric, outputs, inputs)
    statistics_of = scorer_of(metric).statistics
    if reason is None and statistics_of is None:
        reason = "its lines cannot be resampled, because it is defined only for all lines together"
    if reason is not None:
        return LeftOut(metric.score_name, reason)
    assert statistics_of is not None
    return compared(
        metric.score_name, statistics_of(outputs, inputs, metric.score_name if progress else None), draws, progress
    )


def compared(name: str, statistics: Statistics, draws: Draws, progress: bool = False) -> Comparison:
    """Compare outputs with the first by the score of this name; the signature names the draws."""
    found = resample(statistics.score_of, statistics.of_lines, draws, progress)
    drawn = {"bs": str(draws.samples), "ar": str(draws.trials), "seed": str(draws.seed).lower()}
    return Comparison(name, statistics.signature(drawn), found)


def resample(score_of: ScoreOf, statistics: Counts, draws: Draws, progress: bool = False) -> list[Resampled]:
    """Compare outputs with the first by one score, from the counts of each line.

    Args:
        score_of: returns the scores of sums over lines, `[n, k]` to `[n]`.
        statistics: `[outputs, lines, k]`, of each line.
        draws: how many, and from which seed.
        progress: draw a bar on stderr.

    """
    outputs, _, width = statistics.shape
    beside = np.concatenate(list(statistics), axis=1)
    with bar(draws.samples + draws.trials, progress) as shown:
        resampled = bootstrap(beside, draws.samples, draws.seed, shown.update).reshape(-1, outputs, width)
        taken = halves(beside, draws.trials, draws.seed, shown.update).reshape(-1, outputs, width)
    whole = statistics.sum(axis=1)
    found = []
    for number, value in enumerate(score_of(whole)):
        mean, interval = estimate_ci(score_of(resampled[:, number]))
        pair = [0, number]
        p_value = chance(score_of, whole[pair], taken[:, pair]) if number else None
        found.append(Resampled(float(value), float(mean), float(interval), p_value))
    return found


def chance(score_of: ScoreOf, whole: Counts, taken: Counts) -> float:
    """Return p of two outputs: the share of trials whose sides differ at least as much as the outputs do.

    The outputs as they are count as one more trial: they are one possible result of the tosses.

    Args:
        score_of: returns the scores of sums over lines, `[n, k]` to `[n]`.
        whole: `[2, k]`, sums over all lines of both.
        taken: `[trials, 2, k]`, sums over the lines that stay on their side, the same of both.

    """
    sides = taken + (whole - taken)[:, ::-1]
    one, other = score_of(sides.reshape(-1, whole.shape[1])).reshape(-1, 2).T
    first, second = score_of(whole)
    as_far = np.abs(one - other) >= abs(first - second) - EQUAL
    return float(as_far.sum() + 1) / (len(taken) + 1)
