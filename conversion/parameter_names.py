"""The names that fairseq and, after it, Marian in transformers give the parts of a layer; and those of activations."""

import re

from torch import Tensor

from .to_vaswani import CannotConvertError

_PARTS = {
    r"self_attn_layer_norm": "self_attention_residual.norm",
    r"encoder_attn_layer_norm": "cross_attention_residual.norm",
    r"final_layer_norm": "feed_forward_residual.norm",
    r"self_attn\.": "self_attention.",
    r"encoder_attn\.": "cross_attention.",
    r"([qkv])_proj": r"w_\1",
    r"out_proj": "w_o",
    r"fc([12])": r"feed_forward.w_\1",
    r"^(encoder|decoder)\.layer_norm": r"\1.final_norm",
}
_ACTIVATIONS = {"relu": "relu", "silu": "silu", "swish": "silu", "gelu": "gelu"}


def under_our_names(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of two stacks by our names."""
    weights = {}
    for name, tensor in theirs.items():
        for part, ours in _PARTS.items():
            name = re.sub(part, ours, name)
        weights[f"model.{name}"] = tensor
    return weights


def activation(theirs: str) -> str:
    """Return our name of what a feed-forward network computes between its matrices.

    Raises:
        CannotConvertError: ours has no such function; approximations of GELU are other functions.

    """
    if theirs not in _ACTIVATIONS:
        raise CannotConvertError(
            f"its feed-forward networks compute {theirs}, and ours {', '.join(_ACTIVATIONS)} alone"
        )
    return _ACTIVATIONS[theirs]
