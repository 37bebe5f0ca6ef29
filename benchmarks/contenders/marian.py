"""transformers' Marian, with the smoothed loss that the stock Trainer gives it, or with its own.

As it comes, and as it would be if its freed memory stayed with the process as that of our Trainer does.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from transformers import MarianConfig, MarianMTModel

from vaswani.training.speed.process_memory import reuse_freed_memory

from .of_transformers import sizes, smoothed_loss
from .stepping import Setting, Step, batch, serve, step


def way(
    attention: str, *, autocast: bool, smoothed: bool = True, keeps_memory: bool = False
) -> Callable[[Setting], Step]:
    """Return how to make the step."""

    def make(setting: Setting) -> Step:
        model: Any = MarianMTModel._from_config(MarianConfig(**sizes(setting)), attn_implementation=attention)
        if keeps_memory:
            reuse_freed_memory()
        return step(model, smoothed_loss(model, setting) if smoothed else own_loss(model, setting), autocast)

    return make


def own_loss(model: Any, setting: Setting) -> Callable[[], Tensor]:
    """Return how to take the loss that Marian gives itself, without smoothing."""
    sample = batch(setting.vocab_size, setting.sentences, setting.length)._asdict()

    def loss() -> Tensor:
        found: Tensor = model(**sample).loss
        return found

    return loss


WAYS = {
    "Marian, bf16": way("sdpa", autocast=True),
    "Marian, eager attention, bf16": way("eager", autocast=True),
    "Marian, memory kept, bf16": way("sdpa", autocast=True, keeps_memory=True),
    "Marian, eager attention, memory kept, bf16": way("eager", autocast=True, keeps_memory=True),
    "Marian, not smoothed, bf16": way("sdpa", autocast=True, smoothed=False),
    "Marian, float32": way("sdpa", autocast=False),
    "Marian, memory kept, float32": way("sdpa", autocast=False, keeps_memory=True),
    "Marian, eager attention, float32": way("eager", autocast=False),
}

if __name__ == "__main__":
    serve(WAYS)
