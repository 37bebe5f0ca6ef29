"""Recognise a folder by its files; the first one that is recognised decides."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import kinds
from .files import file_kind
from .kinds import Kind
from .marian import is_marian_binary

_NAMES = (
    (r"adapter_config\.json", kinds.ADAPTER),
    (r"params\.(best|\d{5})", kinds.SOCKEYE),
    (r"saved_model\.pb|(.*\.)?ckpt-?\d*\.index", kinds.TENSORFLOW),
    (r"pytorch_model_fsdp_\d+|global_step\d+|zero_to_fp32\.py", kinds.IN_PARTS),
    (r".*\.onnx", kinds.ONNX),
    (r".*\.gguf", kinds.GGUF),
)


def folder_kind(folder: Path, names: Iterable[str] | None = None) -> Kind | None:
    """Return what a folder is, if it is known; `names` are of its files, if not all of them are on this machine."""
    names = sorted(path.name for path in folder.iterdir()) if names is None else sorted(names)
    if kind := _by_content(folder, names):
        return kind._replace(what=f"the folder of {kind.what}")
    config = config_of(folder)
    if isinstance(config.get("model"), dict) and "vocab.json" in names:  # in transformers', settings lie at the top
        return kinds.EOLE
    for pattern, known in _NAMES:
        if any(re.fullmatch(pattern, name) for name in names):
            return known
    if not config:
        return _of_checkpoints(folder, names)
    is_safe = any(
        name.startswith("model") and name.endswith((".safetensors", ".safetensors.index.json")) for name in names
    )
    return kinds.PICKLED if not is_safe and any(re.fullmatch(r"pytorch_model.*\.bin", name) for name in names) else None


def config_of(folder: Path) -> dict[str, Any]:
    """Return what config.json holds; nothing if there is none, or it holds no object."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def _by_content(folder: Path, names: list[str]) -> Kind | None:
    """Recognise by the contents of a file whose name says too little."""
    for name in names:
        path = folder / name
        if path.is_file() and (
            name == "model.bin" or name.endswith(".npz") or (name.endswith(".bin") and is_marian_binary(path))
        ):
            kind = file_kind(path)
            if kind is not None and kind.what.startswith(("a model of", "an .npz of")):
                return kind
    return None


def _of_checkpoints(folder: Path, names: list[str]) -> Kind | None:
    """Recognise a folder with several checkpoints."""
    steps = sorted(int(name[11:]) for name in names if re.fullmatch(r"checkpoint-\d+", name))
    if steps:
        return Kind(
            "a run that has not ended",
            f"continue it with --resume, or give one of its checkpoints, such as {folder / f'checkpoint-{steps[-1]}'}",
        )
    for name in sorted(names, key=lambda name: (name not in ("checkpoint_best.pt", "best.ckpt"), name)):
        path = folder / name
        if path.suffix in (".pt", ".ckpt", ".pth") and path.is_file() and (kind := file_kind(path)):
            return Kind(f"a folder with {kind.what}, {path}", kind.way)
    return None
