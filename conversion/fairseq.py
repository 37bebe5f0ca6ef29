"""A checkpoint of fairseq's `transformer`: its weights by their names, and the settings that its equations follow.

Needed: one .pt with "model" and its settings ("args", or "cfg" alone). Biases of attention, which fairseq always has,
and `--activation-fn gelu` or `swish` are kept as they are; its tables have to be one (`--share-all-embeddings`).
The dictionary is not in the file: its tokenizer has to be put beside the imported weights.
"""

import math
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vaswani.data.containers import refuse_packed

from .fairseq_file import read_file
from .parameter_names import activation, under_our_names
from .to_vaswani import CannotConvertError, ForeignModel, check_alike, tensor2tensor_sinusoids

PAD, EOS, BOS = 1, 2, 0
"""As every dictionary of fairseq begins; its decoder starts with the end token."""
_DEFAULTS = {"ffn_embed_dim": 2048, "attention_heads": 8, "layers": 6, "normalize_before": False, "learned_pos": False}
"""Of either stack, where the settings of a checkpoint leave them out (fairseq's TransformerConfig)."""
_TABLES = re.compile(r"(en|de)coder\.(embed_tokens\.weight|output_projection\.weight|embed_out)")
_NOT_WEIGHTS = re.compile(r"(en|de)coder\.(version|embed_positions\..*)")
_CHANGES = (
    "layernorm_embedding",
    "no_token_positional_embeddings",
    "adaptive_softmax_cutoff",
    "adaptive_input",
    "cross_self_attention",
    "no_cross_attention",
    "no_decoder_final_norm",
    "base_layers",
    "char_inputs",
    "quant_noise_pq",
    "quant_noise_scalar",
    "encoder_layers_to_keep",
    "decoder_layers_to_keep",
    "encoder_xformers_att_config",
    "decoder_xformers_att_config",
    "xformers_att_config",
    "scale_attn",
    "scale_heads",
    "scale_fc",
    "scale_resids",
)
"""Settings under which fairseq computes something else than the paper; all are off where they are left out."""


def read_fairseq(path: Path) -> ForeignModel:
    """Return the network of a checkpoint; nothing in the file is run.

    Raises:
        CannotConvertError: settings that ours cannot express, another network, or a file that cannot be read.

    """
    if path.is_file():
        refuse_packed(path)
    weights, settings, has_moving_average = read_file(path)
    try:
        foreign = from_state(weights, settings)
    except KeyError as error:
        raise CannotConvertError(f"{path} lacks {error}, which a checkpoint of fairseq's transformer has") from error
    if has_moving_average:
        note = (
            "the weights are those of the last step; their moving average in the file (--store-ema) is left aside, as "
            "by fairseq-generate, and fairseq's save_ema_as_checkpoint makes a checkpoint of it"
        )
        foreign = foreign._replace(notes=(note,))
    return foreign


def from_state(state: dict[str, Tensor], settings: dict[str, Any]) -> ForeignModel:
    """Return the network, given its weights and settings by fairseq's names."""
    settings = {f"{stack}_{name}": value for stack in ("encoder", "decoder") for name, value in _DEFAULTS.items()} | {
        name: value for name, value in settings.items() if value is not None
    }
    state = renamed(state)
    check_network(state, settings)
    check_settings(settings)
    tables = {name: tensor for name, tensor in state.items() if _TABLES.fullmatch(name)}
    check_alike(tables)
    tokens = next(iter(tables.values()))
    weights = under_our_names(
        {name: tensor for name, tensor in state.items() if name not in tables and not _NOT_WEIGHTS.fullmatch(name)}
    )
    weights["model.tokens.weight"] = tokens
    vocab_size, d_model = tokens.shape
    check_widths(settings, d_model)
    learned: dict[str, Any] = {
        field: settings[field] for field in ("dropout", "attention_dropout", "label_smoothing") if field in settings
    }
    return ForeignModel(
        weights,
        (positions(state, settings, "encoder", d_model), positions(state, settings, "decoder", d_model)),
        1.0 if settings.get("no_scale_embedding") else math.sqrt(d_model),
        epsilon=1e-5,
        fields={
            "vocab_size": vocab_size,
            "d_model": d_model,
            "d_ff": settings["encoder_ffn_embed_dim"],
            "num_heads": settings["encoder_attention_heads"],
            "encoder_layers": settings["encoder_layers"],
            "decoder_layers": settings["decoder_layers"],
            "norm": "pre" if settings["encoder_normalize_before"] else "post",
            "activation": activation(settings.get("activation_fn", "relu")),
            "activation_dropout": settings.get("activation_dropout") or settings.get("relu_dropout") or 0.0,
            "pad_token_id": PAD,
            "bos_token_id": BOS,
            "eos_token_id": EOS,
            "decoder_start_token_id": EOS,
            **learned,
        },
    )


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return weights by the names of today; fairseq renames those of its early versions likewise when it loads them."""
    norms = {
        "encoder": ("self_attn_layer_norm", "final_layer_norm"),
        "decoder": ("self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"),
    }
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if match := re.fullmatch(r"(.*)\.in_proj_(weight|bias)", name):  # until version 0.9
            found |= {
                f"{match[1]}.{part}_proj.{match[2]}": each for part, each in zip("qkv", tensor.chunk(3), strict=True)
            }
        elif match := re.fullmatch(r"((en|de)coder)(.*)\.layer_norms\.(\d)\.(.*)", name):
            found[f"{match[1]}{match[3]}.{norms[match[1]][int(match[4])]}.{match[5]}"] = tensor
        else:
            found[name] = tensor
    return found


def check_network(state: dict[str, Tensor], settings: dict[str, Any]) -> None:
    """Raise if these are the weights of another network than fairseq's transformer."""
    needed = ("encoder.layers.0.self_attn.q_proj.weight", "decoder.layers.0.encoder_attn.q_proj.weight")
    if lacking := [name for name in needed if name not in state]:
        network = settings.get("arch", settings.get("_name"))
        raise CannotConvertError(
            f"its network is {network or 'not named'}, and only fairseq's transformer is read: it lacks "
            f"{', '.join(lacking)}"
        )


def check_settings(settings: dict[str, Any]) -> None:
    """Raise where the two stacks differ or something is switched on that ours has not."""
    for what in ("attention_heads", "ffn_embed_dim", "normalize_before"):
        one, other = (settings[f"{stack}_{what}"] for stack in ("encoder", "decoder"))
        if one != other:
            raise CannotConvertError(f"encoder_{what} is {one} and decoder_{what} is {other}; here they are one")
    if (parts := settings.get("model_parallel_size", 1)) > 1:
        raise CannotConvertError(f"it is one of {parts} parts (--model-parallel-size), and only whole ones are read")
    for name in _CHANGES:
        if value := settings.get(name):
            flag = f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}")
            raise CannotConvertError(f"it was trained with {flag}, which has no place here")


def check_widths(settings: dict[str, Any], d_model: int) -> None:
    """Raise unless embeddings, stacks and what the decoder takes and gives are of one width."""
    for name in ("encoder_embed_dim", "decoder_embed_dim", "decoder_input_dim", "decoder_output_dim"):
        if (width := settings.get(name, d_model)) != d_model:
            raise CannotConvertError(f"{name} is {width} and its embeddings have {d_model}; here they are one number")


def positions(state: dict[str, Tensor], settings: dict[str, Any], stack: str, d_model: int) -> Tensor:
    """Return the table of a stack from the first position on, which fairseq counts as PAD + 1."""
    first = PAD + 1
    if settings[f"{stack}_learned_pos"]:
        return state[f"{stack}.embed_positions.weight"][first:]
    # Computed ones have no end of their own, so that of the longer side serves both.
    longest = max(settings.get(f"max_{side}_positions") or 1024 for side in ("source", "target"))
    return tensor2tensor_sinusoids(torch.arange(first, first + longest), d_model)
