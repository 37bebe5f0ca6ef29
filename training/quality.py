"""The validation figure that tells how good a model's outputs are: BLEU of translations, F1 of parses."""

from collections.abc import Mapping
from typing import Any, NamedTuple

NAMES = {"bleu": "BLEU", "f1": "F1"}

LOWER_IS_BETTER = {**dict.fromkeys(NAMES, False), "loss": True, "perplexity": True}
"""What a checkpoint was validated by while training."""


class Quality(NamedTuple):
    """A figure from 0 to 100, higher is better."""

    name: str
    value: float


def quality_of(figures: Mapping[str, Any], prefix: str = "") -> Quality:
    """Return the one of these figures that tells the quality; their keys may have a prefix, as in the Trainer's log."""
    [key] = [key for key in NAMES if prefix + key in figures]
    return Quality(NAMES[key], figures[prefix + key])
