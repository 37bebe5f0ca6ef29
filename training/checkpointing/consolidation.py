"""The complete weights of a checkpoint, however the processes saved them, and a model folder made from them."""

import contextlib
import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load
from transformers import AutoConfig, AutoModelForSeq2SeqLM, AutoTokenizer, GenerationConfig, PreTrainedModel
from transformers.utils import GENERATION_CONFIG_NAME, SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME

from vaswani.storage import atomic_folder, check_object, naming_damage, write_text

from .checkpoints import FSDP_WEIGHTS, MANIFEST, Layout, check_parts, checkpoint_fault, layout
from .weight_checks import check_weights

NO_NOTES: Mapping[str, str] = MappingProxyType({})


def read_weights(checkpoint: Path) -> dict[str, Tensor]:
    """Return all weights of a checkpoint by name, on the CPU, in the optimizer's dtype.

    Tied weights appear under one name or under each of theirs.

    Raises:
        ValueError: a file of weights or their index is damaged, they are no finite floating-point numbers, or DeepSpeed
            is needed to read them and not installed.

    """
    weights = _read(checkpoint)
    check_weights(weights.items(), checkpoint)
    return weights


def _read(checkpoint: Path) -> dict[str, Tensor]:
    match layout(checkpoint):
        case Layout.WHOLE:
            try:
                return {name: tensor for file in _whole_files(checkpoint) for name, tensor in load_file(file).items()}
            except SafetensorError as error:
                raise ValueError(f"the weights in {checkpoint} are damaged ({error}); copy them again") from error
        case Layout.FSDP:
            return _read_fsdp(checkpoint / FSDP_WEIGHTS)
        case Layout.DEEPSPEED:
            return _read_deepspeed(checkpoint)


def _whole_files(folder: Path) -> list[Path]:
    """Return the one file of the weights, or those that its index names: transformers splits large files."""
    one, index = folder / SAFE_WEIGHTS_NAME, folder / SAFE_WEIGHTS_INDEX_NAME
    if one.exists() or not index.exists():
        return [one]
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{index} is damaged ({error}); copy it again") from error
    return [folder / name for name in sorted(names)]


def _read_fsdp(folder: Path) -> dict[str, Tensor]:
    """Read what torch.distributed.checkpoint wrote, in this single process."""
    reader = FileSystemReader(folder)
    weights = {
        name: torch.empty(entry.size, dtype=entry.properties.dtype)
        for name, entry in reader.read_metadata().state_dict_metadata.items()
        if isinstance(entry, TensorStorageMetadata)
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled")  # as it should be: each process reads alone
        load(weights, storage_reader=reader, no_dist=True)
    return {name.removeprefix("model."): tensor for name, tensor in weights.items()}


def _read_deepspeed(checkpoint: Path) -> dict[str, Tensor]:
    """Put together the float32 weights that ZeRO's optimizer worked on."""
    try:
        from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint
    except ImportError as error:
        raise ValueError(f"{checkpoint} was saved by DeepSpeed; pip install '.[deepspeed]' to read it") from error
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        weights: dict[str, Tensor] = get_fp32_state_dict_from_zero_checkpoint(str(checkpoint))
    names: dict[int, str] = {}  # a tied weight is one tensor under several names: the first is its original
    return {name: tensor for name, tensor in weights.items() if names.setdefault(id(tensor), name) == name}


def load_weights(model: PreTrainedModel, weights: dict[str, Tensor]) -> None:
    """Load whole weights into a whole model; the tied copies follow the one tensor that is stored.

    Raises:
        ValueError: the weights are not those of this network.

    """
    missing, unexpected = model.load_state_dict(weights, strict=False)
    if others := [*unexpected, *(set(missing) - set(model.all_tied_weights_keys))]:
        raise ValueError(f"the weights do not fit the model: {', '.join(others[:3])}")
    model.tie_weights()


def consolidate(checkpoint: Path, output: Path, notes: Mapping[str, str] = NO_NOTES) -> bool:
    """Make a model folder from a checkpoint that was saved in parts; the Auto classes must know its class.

    Args:
        checkpoint: its folder.
        output: appears whole or not at all.
        notes: text files to lay beside the model, by name.

    Returns:
        Whether there was anything to do; a folder with complete weights is left as it is.

    Raises:
        ValueError: the folder is not a checkpoint, or is damaged; or `output` exists.

    """
    if not checkpoint.is_dir():
        raise ValueError(f"{checkpoint} is not a folder; give a checkpoint, such as runs/mine/checkpoint-1000")
    is_model = (checkpoint / "model.safetensors").is_file() and not (checkpoint / MANIFEST).exists()
    if not is_model and (reason := checkpoint_fault(checkpoint)):
        raise ValueError(f"{checkpoint} cannot be trusted: {reason}; take another checkpoint of the run")
    if layout(checkpoint) is Layout.WHOLE:
        return False
    check_parts(checkpoint)
    if output.exists():
        raise ValueError(f"{output} exists already; name a folder that does not")
    write_model(checkpoint, read_weights(checkpoint), output, notes)
    return True


def write_model(like: Path, weights: dict[str, Tensor], output: Path, notes: Mapping[str, str] = NO_NOTES) -> None:
    """Make a model folder from weights and the other files of `like`; the Auto classes must know its class.

    Args:
        like: has the configurations and the tokenizer.
        weights: by name.
        output: appears whole or not at all.
        notes: text files to lay beside the model, by name.

    Raises:
        ValueError: the weights do not fit, or `output` exists.

    """
    if output.exists():
        raise ValueError(f"{output} exists already; name a folder that does not")
    dtype = next(iter(weights.values())).dtype
    check_object(like / GENERATION_CONFIG_NAME)
    with naming_damage(f"the configuration in {like}", "config.json or generation_config.json"):
        model = AutoModelForSeq2SeqLM.from_config(AutoConfig.from_pretrained(like), dtype=dtype)
        model.generation_config = GenerationConfig.from_pretrained(like)
    load_weights(model, weights)
    with atomic_folder(output) as draft:
        model.save_pretrained(draft)
        AutoTokenizer.from_pretrained(like).save_pretrained(draft)
        for name, text in notes.items():
            write_text(draft / name, text)
