"""Training in bfloat16 throughout: weights, moments and gradients in float32, everything between them in bfloat16.

Autocast casts around each matrix product and returns to float32 after many other operations, so that a step reads and
writes most of its activations in float32, and casts them again and again. Here activations between layers are bfloat16,
and only the weights are cast, where they are used. Their gradients are float32 and summed in float32, so the optimizer,
checkpoints and averages are unaffected. Softmax, norms and the loss are computed in float32.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from .replace_layers import replace_layers


def compute_in_bfloat16(model: nn.Module) -> None:
    """Let `model` compute in bfloat16 while it is in training mode; otherwise it is unchanged.

    All weights of the model must be in `nn.Linear`, `nn.LayerNorm` and `nn.Embedding`. A projection that also gives the
    loss, and so is more than `nn.Linear`, must cast its weight itself, as `fused_loss` does.
    """
    replace_layers(model, nn.Linear, CastingLinear)
    replace_layers(model, nn.LayerNorm, CastingLayerNorm)
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            module.register_forward_hook(_round)


class CastingLinear(nn.Linear):
    """`nn.Linear` whose weights are cast to the dtype of the input where they are used; it shares those of `layer`."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (nn.Linear's name)
        """Return `[..., out_features]` of `[..., in_features]`, in the dtype of the input."""
        bias = None if self.bias is None else self.bias.to(input.dtype)
        return F.linear(input, self.weight.to(input.dtype), bias)


class CastingLayerNorm(nn.LayerNorm):
    """`nn.LayerNorm` with its weights cast in the same way; torch computes means and variances in float32."""

    def __init__(self, layer: nn.LayerNorm) -> None:
        super().__init__(layer.normalized_shape, layer.eps, device="meta")
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (nn.LayerNorm's name)
        """Return the input normalised, in its shape and dtype."""
        weight, bias = self.weight.to(input.dtype), self.bias.to(input.dtype)
        return F.layer_norm(input, self.normalized_shape, weight, bias, self.eps)


def _round(module: nn.Module, _: Any, rows: Tensor) -> Tensor:
    """Round the rows that were looked up; the gradients of a frequent row are summed in float32."""
    return rows.bfloat16() if module.training else rows
