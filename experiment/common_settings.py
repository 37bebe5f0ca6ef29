"""What all processes of a run must have in common, beyond what training itself compares: flags, software, text.

`vaswani.training.distribution.unlike_processes` compares, and names what differs.
"""

import hashlib
import importlib.metadata
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

import vaswani
from vaswani.data import Corpus, Pair
from vaswani.data.pairs import fingerprint
from vaswani.training.distribution.unlike_processes import MAY_DIFFER as OF_TRAINING
from vaswani.training.distribution.unlike_processes import check_alike, settings_of

from .arguments import Arguments
from .data_arguments import DataArguments

OF_TEXT = {
    "data_dir": "a path; what it holds is compared",
    "extra_dirs": "paths; what they hold is compared",
    "glossary": "a path; what it holds is compared",
    "cache_dir": "a path, and what is kept there changes nothing",
    "packed_cache": "a machine may have less disk, and it changes no batch",
    "source_timeout": "how long to wait, no matter for what comes",
}
MAY_DIFFER = OF_TRAINING | OF_TEXT
"""The flags that processes need not have in common, and why."""
BEFORE_FOLDERS = ("directions", "test_splits", "validation_splits")
"""Flags with NAME=FOLDER: the names are compared, and what the folders hold."""

WHAT_COMPUTES = ("torch", "transformers", "accelerate", "tokenizers", "datasets", "numpy", "pyarrow", "safetensors")
LAUNCHER = ("ACCELERATE_", "FSDP_")
"""What the variables begin with in which a launch configuration reaches a process."""
OF_MACHINE = ("_FILE", "_TORCH_DEVICE", "_CPU_AFFINITY")
"""What those end in that may differ between machines."""


def check_settings(arguments: Arguments) -> None:
    """Make sure that all processes run the same software with the same flags; called before they do anything together.

    Raises:
        StartupError: they do not; the message names flags and versions, and all values.

    """
    check_alike(
        flags_of(arguments) | software() | launcher(),
        "Give every process the same flags, launch configuration and software; docs/distributed.md lists what may "
        "differ",
    )


def check_texts(data: DataArguments, train: Corpus, scored: Mapping[str, str]) -> None:
    """Make sure that all processes read the same text.

    Args:
        data: where it comes from, for the message.
        train: the training text.
        scored: the fingerprint of each set that is scored, by its name.

    Raises:
        StartupError: they do not; the message names the texts, and where they come from.

    """
    held = {"the training text": train.fingerprint} | {f"the text of {name}": scored[name] for name in scored}
    given = {name: value for name, value in asdict(data).items() if value and name in ("data_dir", "extra_dirs")}
    whence = ", ".join(f"--{name} {value}" for name, value in given.items()) or f"--dataset {data.dataset}"
    check_alike(
        held,
        "These are fingerprints of what is read: give every process the same text, by the same copy on each machine",
        dict.fromkeys(held, whence),
    )


def flags_of(arguments: Arguments) -> dict[str, Any]:
    """Return the flags of a run that all its processes must have in common."""
    text = {name: value for name, value in asdict(arguments.data).items() if name not in OF_TEXT}
    text |= {name: [each.partition("=")[0] for each in text[name]] for name in BEFORE_FOLDERS}
    return {f"--{name}": value for name, value in (arguments.model | text).items()} | settings_of(arguments.training)


def software() -> dict[str, str]:
    """Return the versions of what computes; of this package its sources, since working copies share a version."""
    python = ".".join(platform.python_version_tuple()[:2])
    versions = {name: importlib.metadata.version(name) for name in WHAT_COMPUTES}
    return {"Python": python, **versions, "CUDA": str(torch.version.cuda), "vaswani (its sources)": sources()}


def sources() -> str:
    """Return a digest of the files of this package."""
    digest = hashlib.sha256(vaswani.__version__.encode())
    for root in map(Path, vaswani.__path__):
        for folder in sorted(each for each in root.iterdir() if each.is_dir()):
            for file in sorted(folder.rglob("*.py")):  # a folder may be a link, which rglob would not enter
                digest.update(f"{folder.name}/{file.relative_to(folder)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def launcher() -> dict[str, str]:
    """Return what the launch configuration asks for."""
    return {
        name: value for name, value in os.environ.items() if name.startswith(LAUNCHER) and not name.endswith(OF_MACHINE)
    }


def fingerprint_of(pairs: Sequence[Pair]) -> str:
    """Return the fingerprint of pairs that are held in memory."""
    return fingerprint(*(side for pair in pairs for side in pair))
