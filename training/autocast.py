"""Mixed precision, which Accelerate wraps around a model's forward, taken off where a model is judged.

A model is to compute then in the numbers of its weights, as it will when it is loaded. Within the wrapper `generate`
would run the encoder, which it calls by itself, in them, and the decoder in 16 bits.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from transformers import PreTrainedModel

ORIGINAL = "_original_forward"
"""Where Accelerate keeps what it wrapped."""


@contextmanager
def without_autocast(model: PreTrainedModel) -> Iterator[None]:
    """Take the wrapper off for a while."""
    wrapped = model.forward
    if ORIGINAL in model.__dict__:
        model.forward = model.__dict__[ORIGINAL]
    try:
        yield
    finally:
        model.forward = wrapped


def take_off_autocast(model: PreTrainedModel) -> None:
    """Take the wrapper off for good."""
    model.forward = model.__dict__.pop(ORIGINAL, model.forward)
