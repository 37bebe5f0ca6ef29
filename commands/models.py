"""Folders of models as commands take them: told what they lack, then loaded, ready to search."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .foreign import told

if TYPE_CHECKING:
    import torch

MODEL_FILES = {
    "the configuration": ("config.json",),
    "the weights": ("model.safetensors", "model.safetensors.index.json"),
    "the tokenizer": ("tokenizer.json", "tokenizer_config.json"),
}
BESIDE_EXPORTED = {
    "the configuration": MODEL_FILES["the configuration"],
    "the tokenizer": MODEL_FILES["the tokenizer"],
    "the settings of generate": ("generation_config.json",),
}
EXPORTED_FILES = {
    "ctranslate2": {**BESIDE_EXPORTED, "the weights": ("model.bin",)},
    "onnx": {**BESIDE_EXPORTED, "the encoder": ("encoder.onnx",), "the decoder": ("decoder.onnx",)},
}


def load_model(folder: Path, device: "torch.device", dtype: str | None = None) -> tuple[Any, Any]:
    """Return the model, in numbers of the named dtype or as saved, and its tokenizer; raises as `load_whole` does."""
    import torch
    from transformers.utils import logging

    from vaswani.serving.loading import load_tokenizer, load_whole
    from vaswani.training.attention import fastest_attention
    from vaswani.training.memory import keep_few_kernels

    logging.disable_progress_bar()
    as_asked = {} if dtype is None else {"dtype": getattr(torch, dtype)}
    model: Any = load_whole(folder, **as_asked)
    model = model.to(device).eval()
    in_16_bits = model.dtype.itemsize == 2
    if in_16_bits and device.type == "cpu":
        keep_few_kernels()  # batches of sentences, and each step of a search, have shapes of their own
    if fastest_attention(device, in_16_bits) == "eager":
        model.set_attn_implementation("eager")  # the other is the default of models that have it
    return model, load_tokenizer(folder)


def find_device(name: str | None) -> "torch.device":
    """Return the named device, or this process's accelerator, or the CPU; ValueError if it is not here."""
    import torch
    from accelerate import PartialState

    if name is None:
        return PartialState().device
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # torch built without CUDA asserts
        raise ValueError(f"--device {name} is not on this machine ({str(error).splitlines()[0]}); try cpu") from error


def check_name(path: Path, what: str = "the folder") -> None:
    """Raise ValueError if a name is not UTF-8, which some libraries do not take; `what` names it in the message."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        from vaswani.data import file_names

        file_names.check_name(path, what)


def check_model_folder(folder: Path, engine: str = "torch") -> None:
    """Raise ValueError unless the folder has what a model needs, for torch or as exported to another engine."""
    check_name(folder)
    missing = missing_files(folder, EXPORTED_FILES.get(engine, MODEL_FILES))
    for other, files in EXPORTED_FILES.items():
        if missing and not missing_files(folder, files):
            raise ValueError(f"{folder} holds a model exported to {other}: vaswani translate {folder} --engine {other}")
    if missing and (line := told(folder)):
        raise ValueError(line)
    if missing and engine != "torch" and folder.is_dir():
        raise ValueError(
            f"{folder} lacks {', '.join(missing)}. Export a model first: vaswani export MODEL OUT --to {engine}"
        )
    if missing:
        raise ValueError(
            f"{folder} {'lacks' if folder.is_dir() else 'is not a folder; a model is a folder with'} "
            f"{', '.join(missing)}. Give the folder that training wrote, or fetch one: "
            "hf download OWNER/NAME --local-dir FOLDER"
        )


def missing_files(folder: Path, parts: dict[str, tuple[str, ...]]) -> list[str]:
    """Return each part of which no file is in the folder, with the files that it may be."""
    return [
        f"{part} ({' or '.join(names)})"
        for part, names in parts.items()
        if not any((folder / name).is_file() for name in names)
    ]
