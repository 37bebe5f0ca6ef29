"""The names that fairseq and, after it, Marian in transformers give the parts of a layer."""

import re

from torch import Tensor

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
_BIAS = re.compile(r"(.*attention\.w_[qkvo])\.bias")


def split(theirs: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the weights of two stacks under our names, and the biases of their attention, which ours has not."""
    weights, biases = {}, {}
    for name, tensor in theirs.items():
        for part, ours in _PARTS.items():
            name = re.sub(part, ours, name)
        if match := _BIAS.fullmatch(name):
            biases[match[1]] = tensor
        else:
            weights[f"model.{name}"] = tensor
    return weights, biases
