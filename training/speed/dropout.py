"""Dropout that draws 16 random bits per element: on a CPU, drawing takes longer than all the rest of dropout.

torch draws a floating-point number for each element there, five times as slowly. The dropped share is a multiple of
2^-16, and kept elements are divided by exactly the kept share.

A compiled network uses torch's dropout: the compiler cannot trace the drawing of bits, and would end a graph at each
dropout.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .replace_layers import replace_layers


def drop_by_bits(model: nn.Module) -> None:
    """Replace each `nn.Dropout` of `model` by `BitDropout`."""
    replace_layers(model, nn.Dropout, lambda layer: BitDropout(layer.p))


class BitDropout(nn.Dropout):
    """Dropout by bits on a CPU; torch's elsewhere and in evaluation mode."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (nn.Dropout's name)
        """Return `input`, of any shape, with each element dropped or scaled."""
        dropped = round(self.p * 2**16)
        is_elsewhere = input.device.type != "cpu" or torch.compiler.is_compiling()
        if not self.training or is_elsewhere or not 0 < dropped < 2**16:
            return F.dropout(input, self.p, self.training)
        kept = torch.ge(random_bits(input), dropped - 2**15, out=torch.empty_like(input))
        return (input * kept).mul_(2**16 / (2**16 - dropped))


def random_bits(like: Tensor) -> Tensor:
    """Return 16 random bits for each element, as integers from -2^15 on, four of them from one draw."""
    draws = torch.empty((like.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    return draws.view(torch.int16)[: like.numel()].view(like.shape)
