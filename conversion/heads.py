"""Heads of attention made wider: zeros at the end of each, which change no product."""

from torch import Tensor
from torch.nn import functional as F


def widened(rows: Tensor, heads: int, width: int) -> Tensor:
    """Pad the rows of each head with zeros: `[H * d, D]` to `[H * width, D]`, or a bias `[H * d]` to `[H * width]`."""
    by_head = rows.unflatten(0, (heads, -1))
    around = (0, 0) * (by_head.dim() - 2)  # the dimensions after the rows stay
    return F.pad(by_head, (*around, 0, width - by_head.shape[1])).flatten(0, 1)
