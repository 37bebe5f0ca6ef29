"""torch.nn.Transformer between one table of embeddings and torch's smoothed cross entropy.

Its one number for dropout also drops attention's weights and the inner features of the feed-forward layers.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vaswani.modeling.modeling_vaswani import shift_right, sinusoidal_positions

from .stepping import DEVICE, Setting, Step, batch, serve, step


class SharedTableTransformer(nn.Module):
    """What section 3.4 puts around the stacks: one scaled table for three uses, positions, dropout on their sum."""

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        self.tokens = nn.Embedding(setting.vocab_size, setting.d_model)
        nn.init.normal_(self.tokens.weight, std=setting.d_model**-0.5)
        self.dropout = nn.Dropout(setting.dropout)
        self.transformer = nn.Transformer(
            setting.d_model,
            setting.num_heads,
            setting.layers,
            setting.layers,
            setting.d_ff,
            setting.dropout,
            batch_first=True,
        )
        self.transformer.encoder.norm = self.transformer.decoder.norm = None  # a second norm behind each last layer's
        self.positions: Tensor
        self.register_buffer("positions", sinusoidal_positions(torch.arange(setting.length), setting.d_model))
        self.future: Tensor
        self.register_buffer("future", torch.ones(setting.length, setting.length, dtype=torch.bool).triu(1))

    def embed(self, ids: Tensor) -> Tensor:
        """Return `[B, T, D]`."""
        embedded = self.tokens(ids) * math.sqrt(self.tokens.embedding_dim) + self.positions
        found: Tensor = self.dropout(embedded)
        return found

    def forward(self, source: Tensor, padding: Tensor, target: Tensor) -> Tensor:
        """Return logits `[B, T, V]`."""
        hidden = self.transformer(
            self.embed(source),
            self.embed(target),
            tgt_mask=self.future,
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
        )
        return F.linear(hidden, self.tokens.weight)


def way(*, autocast: bool) -> Callable[[Setting], Step]:
    """Return how to make the step."""

    def make(setting: Setting) -> Step:
        model = SharedTableTransformer(setting).to(DEVICE)
        sample = batch(setting.vocab_size, setting.sentences, setting.length)
        padding = sample.attention_mask == 0
        shifted = shift_right(sample.labels, start=0, padding=0)

        def loss() -> Tensor:
            logits = model(sample.input_ids, padding, shifted)
            return F.cross_entropy(
                logits.flatten(0, 1), sample.labels.flatten(), label_smoothing=setting.label_smoothing
            )

        return step(model, loss, autocast)

    return make


WAYS = {"torch.nn.Transformer, bf16": way(autocast=True), "torch.nn.Transformer, float32": way(autocast=False)}

if __name__ == "__main__":
    serve(WAYS)
