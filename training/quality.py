"""The validation figures that tell how good a model is, and which of two models is the better one."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

QUALITIES = {"bleu": "BLEU", "f1": "F1"}
"""How good outputs are, by what every validation measures: BLEU of translations, F1 of parses."""

NAMES = {**QUALITIES, "chrf": "chrF", "ter": "TER", "wmt14_bleu": "wmt14_bleu"}
"""All figures of outputs, from 0 to 100 or, of TER, above."""

LOWER_IS_BETTER = {**dict.fromkeys(NAMES, False), "ter": True, "loss": True, "perplexity": True}
"""What weights may be chosen by."""

DIGITS = 2
"""Digits to which figures from 0 to 100 are shown: what is equal to a reader is equal in the choice."""


def called(metric: str) -> str:
    """Return what a metric is called in a sentence."""
    return NAMES.get(metric, metric)


def shown(metric: str, value: float) -> str:
    """Return a figure with its name."""
    return f"{called(metric)} {value:.{DIGITS if metric in NAMES else DIGITS + 1}f}"


class Quality(NamedTuple):
    """A figure from 0 to 100, higher is better."""

    name: str
    value: float


def quality_of(figures: Mapping[str, Any], prefix: str = "") -> Quality:
    """Return the one of these figures that tells the quality; their keys may have a prefix, as in the Trainer's log."""
    [key] = [key for key in QUALITIES if prefix + key in figures]
    return Quality(NAMES[key], figures[prefix + key])


def told_of(figures: Mapping[str, Any], metric: str, separator: str = ", ") -> str:
    """Return what a person wants to see of validation figures: what was measured, and what it is judged by."""
    names = ["loss", "perplexity", *(name for name in QUALITIES if name in figures)]
    return separator.join(shown(name, figures[name]) for name in dict.fromkeys([*names, metric]))


class Rank(NamedTuple):
    """Where a model stands among others by its validation figures: the greatest is the best."""

    by_metric: float
    by_loss: float
    """Decides where the metric is the same, as BLEU that is 0.00 for all: the loss still tells who learned more."""


def rank(figures: Mapping[str, Any], metric: str, prefix: str = "") -> Rank:
    """Return the rank of a model.

    Args:
        figures: its validation figures, "loss" among them.
        metric: one of LOWER_IS_BETTER.
        prefix: of their keys, as in the Trainer's log.

    """
    value, loss = float(figures[prefix + metric]), float(figures[prefix + "loss"])
    if metric in NAMES:
        value = round(value, DIGITS)
    by_metric, by_loss = -value if LOWER_IS_BETTER[metric] else value, -loss
    # No number is worse than any: it would be neither less nor more than others.
    return Rank(*(-math.inf if math.isnan(each) else each for each in (by_metric, by_loss)))
