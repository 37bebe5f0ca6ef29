"""Removes mixed precision, which Accelerate wraps around a model's forward, for evaluation.

A model is evaluated in the precision of its weights, as it will be when it is loaded. With the wrapper `generate` would
run the encoder, which it calls directly, in that precision, and the decoder in 16 bits.

The wrapper is an attribute of the object and hides the method of its class, which is visible again without it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from transformers import PreTrainedModel


@contextmanager
def without_autocast(model: PreTrainedModel) -> Iterator[None]:
    """Remove the wrapper for a while."""
    wrapped = vars(model).pop("forward", None)
    try:
        yield
    finally:
        if wrapped is not None:
            model.forward = wrapped


def remove_autocast(model: PreTrainedModel) -> None:
    """Remove the wrapper for good."""
    vars(model).pop("forward", None)
