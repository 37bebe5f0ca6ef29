"""Models as commands take them, folders or repositories on the Hub: checked for missing parts, then loaded."""

import os
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .foreign import recognise

if TYPE_CHECKING:
    import torch

    from .repository import Repository

MODEL_FILES = {
    "the configuration": ("config.json",),
    "the weights": ("model.safetensors", "model.safetensors.index.json"),
    "the tokenizer": ("tokenizer.json", "tokenizer_config.json"),
}
HISTORY = "history.json"
BESIDE_EXPORTED = {
    "the configuration": MODEL_FILES["the configuration"],
    "the tokenizer": MODEL_FILES["the tokenizer"],
    "the settings of generate": ("generation_config.json",),
}
EXPORTED_FILES = {
    "ctranslate2": {**BESIDE_EXPORTED, "the weights": ("model.bin",)},
    "onnx": {**BESIDE_EXPORTED, "the encoder": ("encoder.onnx",), "the decoder": ("decoder.onnx",)},
}
SHORTLIST = "vmap.txt"
"""A file that a model exported to CTranslate2 may have: the target tokens that each source token may need."""
PAGE = "browser.json"
"""A file of a model that was exported as a page for the browser."""

MODEL = "folder of a trained model, such as runs/quickstart, or OWNER/NAME (or OWNER/NAME@REVISION) on the Hub"
"""The help text of such an argument."""


class Model(NamedTuple):
    """A folder of this machine, and where it came from."""

    given: str
    """As the user named it."""
    folder: Path
    commit: str | None = None
    """Of the repository that it was fetched from."""

    @property
    def name(self) -> str:
        """Its name in public: the last part of a folder's path, or OWNER/NAME."""
        from vaswani.data.file_names import printable

        return printable(self.folder.resolve().name) if self.commit is None else self.given


def load_model(folder: Path, device: "torch.device", dtype: str | None = None) -> tuple[Any, Any]:
    """Return a model to translate with, in numbers of the named dtype or as saved, and its tokenizer.

    On a CPU its matrices are packed (`packed_weights.py`); raises as `load_whole` does.
    """
    import torch
    from transformers.utils import logging

    from vaswani.training.speed.fastest_attention import fastest_attention
    from vaswani.training.speed.process_memory import limit_kernel_cache

    from .loading import load_tokenizer, load_whole
    from .packed_weights import pack_weights

    logging.disable_progress_bar()
    as_asked = {} if dtype is None else {"dtype": getattr(torch, dtype)}
    model: Any = load_whole(folder, **as_asked)
    model = model.to(device).eval()
    in_16_bits = model.dtype.itemsize == 2
    if in_16_bits and device.type == "cpu":
        limit_kernel_cache()  # batches of sentences, and each step of a search, have shapes of their own
    if fastest_attention(device, in_16_bits) == "eager":
        model.set_attn_implementation("eager")  # the other implementation is the default of models that have it
    pack_weights(model)
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
    """Raise ValueError if a name is not UTF-8, which some libraries need; `what` names it in the message."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        from vaswani.data import file_names

        file_names.check_name(path, what)


def find_model(given: str, engine: str = "torch") -> Model:
    """Return the model that a folder, or OWNER/NAME on the Hub, holds for torch or as exported to another engine.

    The files of a repository are listed first, so that nothing unusable is fetched. Its code is never fetched.

    Raises:
        ValueError: there is neither, or it lacks what a model needs.

    """
    folder = Path(given)
    repository = repository_of(given)
    if repository is None:
        check_name(folder)
        check_parts(given, folder, engine)
        return Model(given, folder)

    from .repository import SETTINGS, WEIGHTS, fetch, look

    listing = look(repository)
    if "config.json" in listing.names:
        folder = fetch(repository, listing, SETTINGS)
    check_parts(given, folder, engine, listing.names)
    if engine == "torch":
        from .loading import check_network

        check_network(folder)  # before large files are fetched
    exported = [*chain(*EXPORTED_FILES.get(engine, {}).values()), *({SHORTLIST} & listing.names)]
    folder = fetch(repository, listing, WEIGHTS if engine == "torch" else exported)
    return Model(given, folder, listing.commit)


def find_history(given: str) -> Path:
    """Return the log of a run, from its folder or its repository on the Hub.

    Raises:
        ValueError: there is none.

    """
    repository = repository_of(given)
    if repository is None:
        if not (path := Path(given, HISTORY)).is_file():
            raise ValueError(f"{given} has no {HISTORY}; give the folder of a finished run")
        return path

    from .repository import fetch, look

    listing = look(repository)
    if HISTORY not in listing.names:
        raise ValueError(
            f"{given} has no {HISTORY}: it was pushed by an earlier version or while its run went on, or does not come "
            "from a run; give the folder of the run, or push the run again"
        )
    return fetch(repository, listing, [HISTORY]) / HISTORY


def repository_of(given: str) -> "Repository | None":
    """Return the repository that a name stands for, if it can be one and no path here has that name."""
    if os.path.lexists(given) or recognise(Path(given)):  # the latter may be a prefix of file names
        return None

    from .repository import named

    return named(given)


def names_in(folder: Path) -> frozenset[str]:
    """Return the names of the files in a folder; none if there is no such folder."""
    return frozenset(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else frozenset()


def check_parts(given: str, folder: Path, engine: str, names: frozenset[str] | None = None) -> None:
    """Raise ValueError unless a folder has what a model needs, for torch or as exported to another engine.

    Args:
        given: what the user calls it.
        folder: holds the model, or the small files of a repository.
        engine: torch, or one of EXPORTED_FILES.
        names: of all files of the repository.

    """
    there = names_in(folder) if names is None else names
    missing = missing_files(there, EXPORTED_FILES.get(engine, MODEL_FILES))
    for other, files in EXPORTED_FILES.items():
        if missing and not missing_files(there, files):
            raise ValueError(
                f"{given} holds a model exported to {other}: vaswani translate {given} --engine {other}, or give the "
                "folder that it was exported from"
            )
    if missing and PAGE in there:
        raise ValueError(f"{given} holds a page for the browser; see it by: python -m http.server --directory {given}")
    if missing and (kind := recognise(folder, names)):
        raise ValueError(f"{given} is {kind.what}; {kind.way}")
    is_folder = names is not None or folder.is_dir()
    if missing and engine != "torch" and is_folder:
        raise ValueError(
            f"{given} lacks {', '.join(missing)}. Export a model first: vaswani export MODEL OUT --to {engine}"
        )
    if missing:
        raise ValueError(
            f"{given} {'lacks' if is_folder else 'is not a folder; a model is a folder with'} "
            f"{', '.join(missing)}. Give the folder that training wrote, or OWNER/NAME of a repository on the Hub"
            f"{'; text comes from stdin or from --input' if ' ' in given else ''}"
        )


def missing_files(names: frozenset[str], parts: dict[str, tuple[str, ...]]) -> list[str]:
    """Return each part that has no file, with the possible files."""
    return [f"{part} ({' or '.join(each)})" for part, each in parts.items() if not names & set(each)]
