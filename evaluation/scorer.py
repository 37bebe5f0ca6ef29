"""How one metric is computed: the object that its file defines and the `metric_table` names.

A metric that is a mean over lines needs only `mean_of_lines`.
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
    """What outputs are scored against: plain text, one sentence per line."""

    references: Lines
    language: str | None = None
    """The language of references and outputs, as `languages.choose` returns it."""
    sources: Lines | None = None
    """Given whenever the metric `needs_sources`."""
    source_language: str | None = None
    more_references: Sequence[Sequence[str | None]] = ()
    """Further references, each of all lines; None where one has no such line."""

    @property
    def number_of_references(self) -> str:
        """How many a line has, as a signature says it: "1", or "var" where they differ."""
        return "var" if any(None in each for each in self.more_references) else str(1 + len(self.more_references))


class Value(NamedTuple):
    """A figure and the settings that it depends on."""

    value: float
    signature: str


class Statistics(NamedTuple):
    """What comparisons resample: the score of any set of lines follows from a sum."""

    of_lines: Sums
    """`[outputs, lines, k]`."""
    score_of: Callable[[Sums], Sums]
    """From sums over lines to scores, `[n, k]` to `[n]`."""
    signature: Callable[[Mapping[str, str]], str]
    """Returns the settings that the scores depend on, including how lines were drawn: bs, ar and seed."""


class Scorer(NamedTuple):
    """The functions of one metric; all take lines of outputs and their `Inputs`."""

    score: Callable[[Lines, Inputs], Value]
    statistics: Callable[[Sequence[Lines], Inputs, str | None], Statistics] | None = None
    """Takes several outputs and the label of a progress bar, None for no bar. Without it outputs cannot be compared."""
    reason_against: Callable[[Sequence[Lines], Inputs], str | None] | None = None
    """Returns why these outputs have no such score, as the end of a sentence, or None. None if all outputs have one."""


def scorer_of(metric: Metric) -> Scorer:
    """Load the scorer of a metric."""
    found = resolve_name(metric.scorer)
    assert isinstance(found, Scorer), f"{metric.scorer} of {metric.key} is not a Scorer"
    return found


def reason_against(metric: Metric, outputs: Sequence[Lines], inputs: Inputs) -> str | None:
    """Return why a metric cannot score some outputs, to follow "it is left out:" in a sentence, or None."""
    if metric.needs_sources and inputs.sources is None:
        return "it also reads the sources, and there are none; give them (--sources)"
    against = scorer_of(metric).reason_against
    return None if against is None else against(outputs, inputs)


def value_of(metric: Metric, hypotheses: Lines, inputs: Inputs) -> float:
    """Return only the figure of outputs, or NaN if they cannot be scored."""
    if reason_against(metric, [hypotheses], inputs) is not None:
        return math.nan
    return scorer_of(metric).score(hypotheses, inputs).value


def mean_of_lines(
    line_scores: Callable[[Lines, Inputs], Sequence[float]],
    signature: Callable[[], Sequence[str]],
    reason_against: Callable[[Sequence[Lines], Inputs], str | None] | None = None,
) -> Scorer:
    """Return the scorer of a metric that is the mean over lines of a figure.

    Args:
        line_scores: returns a figure for each line.
        signature: returns the settings that they depend on, such as "model:NAME" and "version:1".
        reason_against: as in `Scorer`.

    """

    def signed(drawn: Mapping[str, str]) -> str:
        return "|".join(("nrefs:1", *(f"{key}:{value}" for key, value in drawn.items()), *signature()))

    def score(hypotheses: Lines, inputs: Inputs) -> Value:
        return Value(float(np.mean(line_scores(hypotheses, inputs))), signed({}))

    def statistics(outputs: Sequence[Lines], inputs: Inputs, bar: str | None) -> Statistics:  # noqa: ARG001
        return statistics_of_means(np.array([line_scores(lines, inputs) for lines in outputs], np.float64), signed)

    return Scorer(score, statistics, reason_against)


def statistics_of_means(of_lines: Sums, signature: Callable[[Mapping[str, str]], str]) -> Statistics:
    """Return what comparisons resample of figures of lines, `[outputs, lines]`, whose mean is the score."""
    return Statistics(
        np.stack([of_lines, np.ones_like(of_lines)], axis=2), lambda sums: sums[:, 0] / sums[:, 1], signature
    )
