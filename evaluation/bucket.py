"""One point of a picture of scores by length."""

from typing import NamedTuple


class Bucket(NamedTuple):
    """Sentences of similar length."""

    shortest: int
    """Words of the source, or characters."""
    longest: int
    sentences: int
    bleu: float
    interval: float
    """Half the width of the interval that holds 95% of the resamples."""
