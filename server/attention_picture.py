"""The picture of the page: where each token of a translation looked in its source.

Shapes: N layers, H heads, S source and T target tokens.
"""

from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vaswani.plots import draw_attention_maps
from vaswani.translation.attention import attentions
from vaswani.translation.search import evaluating, positions
from vaswani.translation.token_text import tokens_as_text

MEAN = "mean"


def choose(weights: Tensor, layer: str, head: str) -> Tensor:
    """Return `[T, S]` of `[N, H, T, S]`: a layer and a head counted from 1, or their mean."""
    of_layer = weights.mean(0) if layer == MEAN else weights[int(layer) - 1]
    return of_layer.mean(0) if head == MEAN else of_layer[int(head) - 1]


class AttentionPicture:
    """Draws the attention of a network.

    Args:
        model: on any device.
        tokenizer: its own.

    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer

    def draw(self, source: list[int], target: list[int], layer: str, head: str) -> Figure:
        """Return the picture of a layer and a head, counted from 1 or the mean of all, given tokens of both texts."""
        chosen = " and ".join(
            f"{MEAN} of all {part}s" if which == MEAN else f"{part} {which}"
            for part, which in (("layer", layer), ("head", head))
        )
        return draw_attention_maps(
            choose(self.weights(source, target), layer, head)[None].float().numpy(),
            tokens_as_text(self.tokenizer, target),
            tokens_as_text(self.tokenizer, source),
            [""],
            f"attention, {chosen}",
        )

    def tokens_of(self, translation: str) -> list[int]:
        """Return the tokens of a translation, as many as the network has positions for."""
        found: list[int] = self.tokenizer(text_target=translation).input_ids
        return found[: positions(self.model)]

    def choices(self) -> tuple[list[str], list[str]]:
        """Return the names of the layers and of the heads, the mean of all first."""
        layers, heads = self.weights([0], [0]).shape[:2]
        return [MEAN, *map(str, range(1, layers + 1))], [MEAN, *map(str, range(1, heads + 1))]

    def weights(self, source: list[int], target: list[int]) -> Tensor:
        """Return the attention of the decoder to the encoder, `[N, H, T, S]`."""
        with evaluating(self.model), torch.inference_mode():
            return torch.cat(attentions(self.model, self.tokenizer, [source], [target]).cross).cpu()
