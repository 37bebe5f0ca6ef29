"""What a checkpoint of fairseq's holds, read without running anything in it: its weights, and its settings in one dict.

A file of torch.save with "model", the weights, and the settings in the form of its time: "args", an argparse.Namespace
(until 2020); "cfg", a DictConfig of omegaconf (until March 2021); "cfg", a plain dict (today). A part of "cfg" such as
"model" may be a Namespace within it. omegaconf need not be installed.
"""

import argparse
import re
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from vaswani.training.checkpointing.weight_checks import check_weights

from .to_vaswani import CannotConvertError
from .torch_file import Inert, read_torch_file


class FairseqFile(NamedTuple):
    """A checkpoint as it lies on the disk."""

    weights: dict[str, Tensor]
    """By fairseq's names."""
    settings: dict[str, Any]
    """Of the model, flat, as its flags are called: encoder_layers, ..."""
    has_moving_average: bool
    """Whether beside the weights lies their moving average (`--store-ema`)."""


_INERT = re.compile(r"(omegaconf|fairseq|numpy)\..+|typing\.\w+|builtins\.(list|dict|tuple|int|float|bool|str)")
"""Whose objects lie in checkpoints, and are not run: settings as omegaconf keeps them, meters, the best score."""
_WAY_OUT = 'where you trust it, save {"model": ..., "args": Namespace(...)}'


def read_file(path: Path) -> FairseqFile:
    """Return what a checkpoint holds.

    Raises:
        CannotConvertError: the file is damaged, is no checkpoint of fairseq or a part of one, or holds objects that
            could run code.
        ValueError: its weights are no finite floating-point numbers.

    """
    content = read_torch_file(path, _INERT, _WAY_OUT)
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise CannotConvertError(f'{path} has no "model"; a checkpoint of fairseq has its weights there')
    if any("flat_param" in str(name) for name in content["model"]):
        raise CannotConvertError(
            f"{path} is one of several parts (--use-sharded-state); load all of them by fairseq's "
            "load_model_ensemble_and_task(..., num_shards=N, strict=False), and save the model whole"
        )
    settings = _settings(content)
    if settings is None:
        raise CannotConvertError(
            f'{path} has no "args"; a checkpoint of fairseq has its settings there or, since 2020, as "model" in "cfg"'
        )
    strange = [name for name, weight in content["model"].items() if not isinstance(weight, Tensor)]
    if strange:
        raise CannotConvertError(
            f"{path} holds {', '.join(map(str, strange[:3]))}, which are no weights; leave them out"
        )
    check_weights(content["model"].items(), path)
    extra = content.get("extra_state")
    return FairseqFile(content["model"], settings, isinstance(extra, dict) and "ema" in extra)


def _settings(content: dict[str, Any]) -> dict[str, Any] | None:
    """Return the settings of the model; as fairseq does, from "args" if both are there."""
    if isinstance(content.get("args"), argparse.Namespace):
        return _flat(_plain(content["args"]))
    whole = _plain(content.get("cfg"))
    if not isinstance(whole, dict) or not isinstance(whole.get("model"), dict):
        return None
    return {name: _resolved(value, whole) for name, value in _flat(whole["model"]).items()}


def _plain(value: Any) -> Any:
    """Return dicts, lists and values for what omegaconf and argparse wrap them in."""
    if isinstance(value, argparse.Namespace):
        return _plain(vars(value))
    if isinstance(value, Inert):
        kept = vars(value)
        return _plain(kept["_content"] if "_content" in kept else kept.get("_val"))
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    """Return encoder_layers for what a dataclass has as `layers` in `encoder`."""
    flat = {name: value for name, value in settings.items() if not isinstance(value, dict)}
    for part, inside in settings.items():
        if isinstance(inside, dict):
            flat |= {f"{part}_{name}": value for name, value in inside.items() if not name.startswith("_")}
    return flat


def _resolved(value: Any, whole: dict[str, Any]) -> Any:
    """Return what a value such as ${model.decoder.embed_dim} stands for in the whole configuration."""
    match = re.fullmatch(r"\$\{([\w.]+)\}", value) if isinstance(value, str) else None
    if match is None:
        return value
    found: Any = whole
    for name in match[1].split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found
