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
_NAMES = {
    "self_attention_residual.norm": "self_attn_layer_norm",
    "cross_attention_residual.norm": "encoder_attn_layer_norm",
    "feed_forward_residual.norm": "final_layer_norm",
    "self_attention.": "self_attn.",
    "cross_attention.": "encoder_attn.",
    "w_q": "q_proj",
    "w_k": "k_proj",
    "w_v": "v_proj",
    "w_o": "out_proj",
    "feed_forward.w_": "fc",
    "coder.final_norm": "coder.layer_norm",
}
"""The way back."""
_ACTIVATIONS = {"relu": "relu", "silu": "silu", "swish": "silu", "gelu": "gelu"}


def under_our_names(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of two stacks by our names."""
    weights = {}
    for name, tensor in theirs.items():
        for part, ours in _PARTS.items():
            name = re.sub(part, ours, name)
        weights[f"model.{name}"] = tensor
    return weights


def foreign_name(ours: str) -> str:
    """Return the name that fairseq, and transformers after it, give a part of ours, as encoder.layers.0.fc1.weight."""
    for part, theirs in _NAMES.items():
        ours = ours.replace(part, theirs)
    return ours


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
