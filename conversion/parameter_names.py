"""The names that fairseq and, after it, Marian in transformers give the parts of a layer; and those of activations."""

from torch import Tensor

from .to_vaswani import CannotConvertError

_PARTS = {
    "self_attn_layer_norm": "self_attention_residual.norm",
    "encoder_attn_layer_norm": "cross_attention_residual.norm",
    "final_layer_norm": "feed_forward_residual.norm",
    "self_attn.": "self_attention.",
    "encoder_attn.": "cross_attention.",
    "q_proj": "w_q",
    "k_proj": "w_k",
    "v_proj": "w_v",
    "out_proj": "w_o",
    "fc": "feed_forward.w_",
    "coder.layer_norm": "coder.final_norm",
}
"""Ours by theirs; read in this order both ways, so that no part is replaced inside of a longer one."""
_ACTIVATIONS = {"relu": "relu", "silu": "silu", "swish": "silu", "gelu": "gelu"}


def under_our_names(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of two stacks by our names."""
    weights = {}
    for name, tensor in theirs.items():
        for part, ours in _PARTS.items():
            name = name.replace(part, ours)
        weights[f"model.{name}"] = tensor
    return weights


def foreign_name(ours: str) -> str:
    """Return the name that fairseq, and transformers after it, give a part of ours, as encoder.layers.0.fc1.weight."""
    for theirs, part in _PARTS.items():
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
