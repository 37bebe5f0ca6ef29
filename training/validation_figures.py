"""The validation figures that measure a model, and which of two models is better.

Metrics of outputs are in `vaswani.evaluation.metric_table`, the only part of the evaluation that training knows.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from vaswani.evaluation.metric_table import METRICS, OF_THE_NETWORK, Cost

OF_SET = "/"
"""Between the name of a further validation set and that of its figure, as in news/bleu."""
DIGITS = 3
"""Digits with which loss and perplexity are shown; the choice uses all digits."""


def lower_is_better(metric: str) -> bool:
    """Return whether lower is better for a figure, one of `metric_table.choices`."""
    return metric in OF_THE_NETWORK or METRICS[metric].lower_is_better


def called(metric: str) -> str:
    """Return the name of a metric for a sentence."""
    return METRICS[metric].name if metric in METRICS else metric


def shown(metric: str, value: float) -> str:
    """Return a figure with its name."""
    return f"{called(metric)} {value:.{METRICS[metric].digits if metric in METRICS else DIGITS}f}"


def judged_by(figures: Mapping[str, Any]) -> list[str]:
    """Return the metrics of outputs that every validation measures; the first one is the measure of quality."""
    return [each.key for each in METRICS.values() if each.cost is Cost.EVERY_VALIDATION and each.key in figures]


def figures_as_text(figures: Mapping[str, Any], metric: str, separator: str = ", ") -> str:
    """Return the validation figures for people: what was measured, and the metric that decides.

    Those of further validation sets follow, each after the name of its set.
    """
    texts = []
    for name, each in {"": figures, **of_further_sets(figures)}.items():
        wanted = dict.fromkeys([*OF_THE_NETWORK, *judged_by(each), metric])
        text = separator.join(shown(figure, each[figure]) for figure in wanted if figure in each)
        texts.append(f"{name}: {text}" if name else text)
    return "; ".join(texts)


def in_set(name: str, figures: Mapping[str, float]) -> dict[str, float]:
    """Return the figures of a further validation set, under the keys that they have beside those of the first one."""
    return {f"{name}{OF_SET}{figure}": value for figure, value in figures.items()}


def of_further_sets(figures: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the figures of further validation sets, by the name of the set."""
    found: dict[str, dict[str, Any]] = {}
    for key, value in figures.items():
        name, is_further, figure = key.partition(OF_SET)
        if is_further:
            found.setdefault(name, {})[figure] = value
    return found


class Rank(NamedTuple):
    """The rank of a model among others by its validation figures: the greatest is the best."""

    by_metric: float
    by_loss: float
    """Decides if the metric is equal, such as BLEU of 0.00 for all: the loss still shows which learned more."""


def rank(figures: Mapping[str, Any], metric: str, prefix: str = "") -> Rank:
    """Return the rank of a model.

    Args:
        figures: its validation figures, "loss" among them.
        metric: one of `metric_table.choices`.
        prefix: of their keys, as in the Trainer's log.

    """
    value, loss = float(figures[prefix + metric]), float(figures[prefix + "loss"])
    if metric in METRICS:
        value = round(value, METRICS[metric].digits)
    by_metric, by_loss = -value if lower_is_better(metric) else value, -loss
    # NaN counts as worse than any number: compared directly, it would be neither less nor more.
    return Rank(*(-math.inf if math.isnan(each) else each for each in (by_metric, by_loss)))
