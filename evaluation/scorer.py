"""How one metric is computed: what its file gives, and the `metric_table` names.

A metric that is the mean of a figure of each line needs `mean_of_lines` and nothing more.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pkgutil import resolve_name
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .metric_table import Metric

Lines = Sequence[str]
Sums = NDArray[np.float64]


class Inputs(NamedTuple):
    """What outputs are judged by, plain text, a line a sentence."""

    references: Lines
    language: str | None = None
    """Of references and outputs, as `languages.choose` returns it."""
    sources: Lines | None = None
    """Given wherever the metric `needs_sources`."""
    source_language: str | None = None


class Value(NamedTuple):
    """A figure and what it depends on."""

    value: float
    signature: str


class Statistics(NamedTuple):
    """What comparisons draw again and again: the score of any set of lines is that of a sum."""

    of_lines: Sums
    """`[outputs, lines, k]`."""
    score_of: Callable[[Sums], Sums]
    """From sums over lines to scores, `[n, k]` to `[n]`."""
    signature: Callable[[Mapping[str, str]], str]
    """Returns what the scores depend on, with how lines were drawn: bs, ar and seed."""


class Scorer(NamedTuple):
    """The functions of one metric; all take lines of outputs and their `Inputs`."""

    score: Callable[[Lines, Inputs], Value]
    statistics: Callable[[Sequence[Lines], Inputs, str | None], Statistics] | None = None
    """Takes several outputs and what a bar on stderr is called, None for no bar. Without it nothing is compared."""
    reason_against: Callable[[Sequence[Lines], Inputs], str | None] | None = None
    """Returns why these outputs have no such score, as a sentence goes on, or None; left out where all have one."""
    value: Callable[[Lines, Inputs], float] | None = None
    """Returns the figure of `score` alone, where there is a shorter way to it."""


def scorer_of(metric: Metric) -> Scorer:
    """Load what computes a metric."""
    found = resolve_name(metric.scorer)
    assert isinstance(found, Scorer), f"{metric.scorer} of {metric.key} is no Scorer"
    return found


def reason_against(metric: Metric, outputs: Sequence[Lines], inputs: Inputs) -> str | None:
    """Return why outputs cannot be scored by a metric, as a sentence goes on after "it is left out:", or None."""
    if metric.needs_sources and inputs.sources is None:
        return "it reads the sources too, and there are none; give them (--sources)"
    against = scorer_of(metric).reason_against
    return None if against is None else against(outputs, inputs)


def value_of(metric: Metric, hypotheses: Lines, inputs: Inputs) -> float:
    """Return the bare figure of outputs, or not a number where they cannot be scored."""
    if reason_against(metric, [hypotheses], inputs) is not None:
        return math.nan
    scorer = scorer_of(metric)
    return scorer.score(hypotheses, inputs).value if scorer.value is None else scorer.value(hypotheses, inputs)


def mean_of_lines(
    line_scores: Callable[[Lines, Inputs], Sequence[float]],
    signature: Callable[[], Sequence[str]],
    reason_against: Callable[[Sequence[Lines], Inputs], str | None] | None = None,
) -> Scorer:
    """Return what computes a metric that is the mean over lines of a figure of each.

    Args:
        line_scores: returns a figure for each line.
        signature: returns what they depend on, such as "model:NAME" and "version:1".
        reason_against: as in `Scorer`.

    """

    def signed(drawn: Mapping[str, str]) -> str:
        return "|".join(("nrefs:1", *(f"{key}:{value}" for key, value in drawn.items()), *signature()))

    def score(hypotheses: Lines, inputs: Inputs) -> Value:
        return Value(float(np.mean(line_scores(hypotheses, inputs))), signed({}))

    def statistics(outputs: Sequence[Lines], inputs: Inputs, bar: str | None) -> Statistics:  # noqa: ARG001
        found = np.array([line_scores(lines, inputs) for lines in outputs], np.float64)
        return Statistics(np.stack([found, np.ones_like(found)], axis=2), lambda sums: sums[:, 0] / sums[:, 1], signed)

    return Scorer(score, statistics, reason_against)
