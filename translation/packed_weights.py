"""Matrices in the layout of oneDNN's kernels, for translating on a CPU.

A step of the search multiplies a few rows, K for each sentence, by every matrix of the decoder. From a plain matrix
oneDNN and MKL copy parts into the layout that their kernels read, in each product anew; with few rows that copying
takes longer than the product. Here each matrix is laid out once, when the model is loaded. In 16 bits the products are
the same to the bit; in float32 their sums are made in another order.

Shapes: N any leading sizes, I = in_features, O = out_features.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from vaswani.modeling.modeling_vaswani import Projection
from vaswani.training.speed.replace_layers import replace_layers

_IN_16_BITS: dict[torch.dtype, str] = {
    torch.bfloat16: "_is_mkldnn_bf16_supported",
    torch.float16: "_is_mkldnn_fp16_supported",
}
"""What tells whether oneDNN has kernels for a type on this CPU."""


def pack_weights(model: nn.Module) -> None:
    """Lay out the matrices of a model on the CPU, where oneDNN has kernels for their type; else it stays as it is.

    Afterwards the model translates, and cannot be trained, saved, cast or moved: its matrices are no longer plain.
    """
    tables = {id(table.weight) for table in model.modules() if isinstance(table, nn.Embedding)}
    replace_layers(model, nn.Linear, lambda layer: _packed(layer, id(layer.weight) in tables))
    for layer in model.modules():
        if isinstance(layer, Projection) and _has_kernels(layer.weight):
            projection: Any = layer
            projection.logits = PackedLinear(layer, True).forward


class PackedLinear(nn.Module):
    """A linear layer whose matrix is laid out for oneDNN.

    Args:
        layer: has the matrix and the bias.
        keep: whether the plain matrix is kept beside it, since it is a table of embeddings too.

    """

    def __init__(self, layer: nn.Linear, keep: bool) -> None:
        super().__init__()
        self.in_features, self.out_features, self.bias = layer.in_features, layer.out_features, layer.bias
        self._matrix = _operator("_reorder_linear_weight")(layer.weight.detach(), None)
        self.weight = layer.weight if keep else nn.Parameter(self._matrix, requires_grad=False)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (nn.Linear's name)
        """Return `[N, O]` of `[N, I]`."""
        product: Tensor = _operator("_linear_pointwise")(input, self._matrix, self.bias, "none", [], "")
        return product


def _packed(layer: nn.Linear, keep: bool) -> nn.Module:
    """Return a layer with its matrix laid out, or the layer itself where there are no such kernels."""
    return PackedLinear(layer, keep) if _has_kernels(layer.weight) else layer


def _has_kernels(weight: Tensor) -> bool:
    """Return whether oneDNN multiplies by a matrix of this type on this CPU."""
    if weight.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    if weight.dtype == torch.float32:
        return True
    return weight.dtype in _IN_16_BITS and bool(_operator(_IN_16_BITS[weight.dtype])())


def _operator(name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(torch.ops.mkldnn, name)
    return found
