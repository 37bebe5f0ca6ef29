"""Training in bfloat16 throughout: weights, moments and gradients in float32, everything between them in bfloat16.

Autocast casts around each matrix product and goes back to float32 after many of the others, so that a step reads and
writes most of its activations in float32, and casts them again and again. Here what goes from layer to layer is
bfloat16, and only the weights are cast, where they are used. Their gradients come back as float32 and are summed in
it, so the optimizer, checkpoints and averages know nothing of bfloat16. Softmax, norms and the loss reckon in float32
inside.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F


def compute_in_bfloat16(model: nn.Module) -> None:
    """Let `model` compute in bfloat16 while it is in training mode; elsewhere it is as it was.

    The model has to be made of `nn.Linear`, `nn.LayerNorm` and `nn.Embedding` where it has weights. A projection that
    is more than `nn.Linear`, since it gives the loss too, has to cast its weight itself, as `fused_loss` does.
    """
    for module in model.modules():
        if type(module) is nn.Linear:
            module.forward = _Linear(module)  # type: ignore[assignment]
        elif isinstance(module, nn.LayerNorm):
            module.forward = _LayerNorm(module)  # type: ignore[assignment]
        elif isinstance(module, nn.Embedding):
            module.register_forward_hook(_round)


class _Linear:
    """`nn.Linear.forward` with weights of the dtype of the input."""

    def __init__(self, module: nn.Linear) -> None:
        self.module = module

    def __call__(self, hidden: Tensor) -> Tensor:
        weight, bias = self.module.weight, self.module.bias
        return F.linear(hidden, weight.to(hidden.dtype), None if bias is None else bias.to(hidden.dtype))


class _LayerNorm:
    """`nn.LayerNorm.forward` with weights of the dtype of the input; torch takes means and variances in float32."""

    def __init__(self, module: nn.LayerNorm) -> None:
        self.module = module

    def __call__(self, hidden: Tensor) -> Tensor:
        module = self.module
        weight, bias = module.weight.to(hidden.dtype), module.bias.to(hidden.dtype)
        return F.layer_norm(hidden, module.normalized_shape, weight, bias, module.eps)


def _round(module: nn.Module, _: Any, rows: Tensor) -> Tensor:
    """Round the rows that were looked up; the gradients of a row that comes often are summed in float32."""
    return rows.bfloat16() if module.training else rows
