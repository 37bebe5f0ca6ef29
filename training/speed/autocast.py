"""Mixed precision, which Accelerate wraps around a model's forward, taken off where a model is judged.

A model is to compute then in the numbers of its weights, as it will when it is loaded. Within the wrapper `generate`
would run the encoder, which it calls by itself, in them, and the decoder in 16 bits.

The wrapper lies on the object and hides the method of its class, which shows again where it is taken away.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from transformers import PreTrainedModel


@contextmanager
def without_autocast(model: PreTrainedModel) -> Iterator[None]:
    """Take the wrapper off for a while."""
    wrapped = vars(model).pop("forward", None)
    try:
        yield
    finally:
        if wrapped is not None:
            model.forward = wrapped


def remove_autocast(model: PreTrainedModel) -> None:
    """Take the wrapper off for good."""
    vars(model).pop("forward", None)
