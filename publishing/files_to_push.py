"""Which files of a folder form a model: no pickle, no training state, nothing about the machine it was trained on."""

import hashlib
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from vaswani.training.checkpointing.weight_checks import check_files, weight_files

from .records import read_json

HISTORY = "history.json"
"""The figures that curve.png shows; `vaswani plot curves` reads them there."""
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors")
VOCABULARIES = ("tokenizer.json", "vocab.json", "*.spm")
_PATTERNS = (
    "config.json",
    "generation_config.json",
    *WEIGHTS,
    "curve.png",
    HISTORY,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    *VOCABULARIES,
    "merges.txt",
    "chat_template.jinja",
)


def files_to_push(folder: Path) -> list[Path]:
    """Return the files that others need to load the model of a folder, by name.

    Raises:
        ValueError: a part of the model is missing, its weights are pickled or no finite floating-point numbers, or it
            lacks code that config.json names.

    """
    found = sorted({path for pattern in _PATTERNS for path in folder.glob(pattern) if path.is_file()})
    names = {path.name for path in found}
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder; give the one that training wrote, such as runs/quickstart")
    if not names & {"model.safetensors", "model.safetensors.index.json"}:
        pickled = sorted(path.name for path in folder.glob("*.bin"))
        why = (
            f"only {', '.join(pickled)}, which can run code when loaded: load and save it again" if pickled else "none"
        )
        raise ValueError(f"{folder} holds no weights in safetensors ({why}). Has its run ended?")
    needed = {"config.json", "tokenizer_config.json"}
    if not any(fnmatch(name, pattern) for name in names for pattern in VOCABULARIES):
        needed.add("tokenizer.json")
    if "model.safetensors" not in names:
        needed |= set(read_json(folder / "model.safetensors.index.json")["weight_map"].values())
    code = code_of(folder) if "config.json" in names else set()
    if missing := sorted((needed - names) | {name for name in code if not (folder / name).is_file()}):
        raise ValueError(
            f"{folder} lacks {', '.join(missing)}, without which nobody else could load the model; save it again with "
            "save_pretrained of the model and of its tokenizer"
        )
    check_files(weight_files(folder))
    return sorted([*found, *(folder / name for name in code)])


def is_of_model(name: str) -> bool:
    """Tell whether a file at the top of a repository is a part of a model, by its name; of code, ours alone."""
    return any(fnmatch(name, pattern) for pattern in (*_PATTERNS, "pytorch_model*.bin", "*_vaswani.py"))


def code_of(folder: Path) -> set[str]:
    """Return the files of code that config.json names, and those that these import; they may be missing."""
    code: set[str] = set()
    new = code_named_by(read_json(folder / "config.json"))
    while new:
        code |= new
        new = code_imported_by([folder / name for name in new if (folder / name).is_file()]) - code
    return code


def code_named_by(config: dict[str, Any]) -> set[str]:
    """Return the files of code that the classes of a configuration live in."""
    classes = [
        name for names in config.get("auto_map", {}).values() for name in ([names] if isinstance(names, str) else names)
    ]
    classes += [pipeline["impl"] for pipeline in config.get("custom_pipelines", {}).values()]
    local = [name for name in classes if name and "--" not in name]  # the others live in another repository
    return {f"{name.split('.')[0]}.py" for name in local}


def code_imported_by(files: list[Path]) -> set[str]:
    """Return the files that files of code import from beside them."""
    code = [path.read_text(encoding="utf-8") for path in files if path.suffix == ".py"]
    return {f"{name}.py" for text in code for name in re.findall(r"^from \.(\w+) import", text, re.MULTILINE)}


def checksums(files: list[Path]) -> dict[str, str]:
    """Return the SHA-256 of each file of code."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.suffix == ".py"}
