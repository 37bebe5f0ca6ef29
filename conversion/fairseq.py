"""A checkpoint of fairseq's `transformer`: a file of torch.save with "model", the weights, and "args", its settings."""

import argparse
import math
import pickle
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vaswani.data.containers import refuse_packed

from .express import CannotExpressError, Foreign, check_alike, tensor2tensor_sinusoids
from .names import split

PAD, EOS, BOS = 1, 2, 0
"""As every dictionary of fairseq begins; its decoder starts with the end symbol."""


def read_fairseq(path: Path) -> Foreign:
    """Return the network of a checkpoint; nothing in the file is run.

    Raises:
        CannotExpressError: settings that ours cannot express, or a file that is damaged or without "model" and "args".

    """
    if not path.is_file():
        raise CannotExpressError(f"{path} is no file")
    refuse_packed(path)
    with torch.serialization.safe_globals([argparse.Namespace]):
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise CannotExpressError(
                f"{path} holds more than weights and an argparse.Namespace, and loading that could run code "
                f'({str(error).splitlines()[0]}); where you trust it, save {{"model": ..., "args": Namespace(...)}}'
            ) from None
        except (RuntimeError, OSError, EOFError) as error:
            raise CannotExpressError(f"{path} is damaged ({str(error).splitlines()[0]}); was it cut off?") from None
    for name, kind in {"args": argparse.Namespace, "model": dict}.items():
        if not isinstance(content, dict) or not isinstance(content.get(name), kind):
            raise CannotExpressError(f'{path} has no "{name}"; a checkpoint of fairseq has "model" and "args"')
    try:
        return from_state(content["model"], dict(vars(content["args"])))
    except KeyError as error:
        raise CannotExpressError(f"{path} lacks {error}, which a checkpoint of fairseq's transformer has") from error


def from_state(state: dict[str, Tensor], args: dict[str, Any]) -> Foreign:
    """Return the network, given its weights and settings by fairseq's names."""
    check_settings(args)
    tables = {name: state[name] for name in state if re.search(r"embed_tokens\.weight|output_projection\.weight", name)}
    check_alike(tables)
    tokens = next(iter(tables.values()))
    not_weights = (*tables, "encoder.version", "decoder.version")
    rest = {name: tensor for name, tensor in state.items() if name not in not_weights and "embed_positions" not in name}
    weights, biases = split(rest)
    weights["model.tokens.weight"] = tokens
    d_model = tokens.shape[1]
    return Foreign(
        weights,
        biases,
        (positions(state, args, "encoder", d_model), positions(state, args, "decoder", d_model)),
        1.0 if args.get("no_scale_embedding") else math.sqrt(d_model),
        epsilon=1e-5,
        fields={
            "vocab_size": len(tokens),
            "d_model": d_model,
            "d_ff": args["encoder_ffn_embed_dim"],
            "num_heads": args["encoder_attention_heads"],
            "encoder_layers": args["encoder_layers"],
            "decoder_layers": args["decoder_layers"],
            "dropout": args.get("dropout", 0.1),
            "norm": "pre" if args.get("encoder_normalize_before") else "post",
            "pad_token_id": PAD,
            "bos_token_id": BOS,
            "eos_token_id": EOS,
            "decoder_start_token_id": EOS,
        },
    )


def check_settings(args: dict[str, Any]) -> None:
    """Raise where the two stacks differ or something is switched on that ours has not."""
    for what in ("attention_heads", "ffn_embed_dim", "normalize_before"):
        one, other = (args.get(f"{stack}_{what}") for stack in ("encoder", "decoder"))
        if bool(one) != bool(other) or (one or 0) != (other or 0):
            raise CannotExpressError(f"encoder_{what} is {one} and decoder_{what} is {other}; here they are one")
    if (activation := args.get("activation_fn") or "relu") != "relu":
        raise CannotExpressError(f"its feed-forward networks compute {activation}, and ours ReLU (eq. 2)")
    switches = (
        "layernorm_embedding", "no_token_positional_embeddings", "adaptive_softmax_cutoff", "cross_self_attention",
        "no_cross_attention",
    )  # fmt: skip
    for switch in switches:
        if args.get(switch):
            raise CannotExpressError(f"it was trained with --{switch.replace('_', '-')}, which has no place here")


def positions(state: dict[str, Tensor], args: dict[str, Any], stack: str, d_model: int) -> Tensor:
    """Return the table of a stack from the first position on, which fairseq counts as PAD + 1."""
    first = PAD + 1
    if args.get(f"{stack}_learned_pos"):
        return state[f"{stack}.embed_positions.weight"][first:]
    # Computed ones have no end of their own, so that of the longer side serves both.
    longest = max(args.get(f"max_{side}_positions") or 1024 for side in ("source", "target"))
    return tensor2tensor_sinusoids(torch.arange(first, first + longest), d_model)
