"""transformers' BART of the same sizes, with the smoothed loss that the stock Trainer gives it.

Beside the paper's network it has learned positions, biases in attention, and a norm after the embeddings.
"""

from collections.abc import Callable
from typing import Any

from transformers import BartConfig, BartForConditionalGeneration

from .of_transformers import sizes, smoothed_loss
from .stepping import Setting, Step, serve, step


def way(*, autocast: bool) -> Callable[[Setting], Step]:
    """Return how to make the step."""

    def make(setting: Setting) -> Step:
        config = BartConfig(**sizes(setting), max_position_embeddings=setting.length)
        model: Any = BartForConditionalGeneration._from_config(config, attn_implementation="sdpa")
        return step(model, smoothed_loss(model, setting), autocast)

    return make


WAYS = {"BART, bf16": way(autocast=True), "BART, float32": way(autocast=False)}

if __name__ == "__main__":
    serve(WAYS)
