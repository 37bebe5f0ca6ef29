"""The folder that a run leaves behind, and what has to be in it for others to repeat the run."""

import importlib.metadata
import json
import os
import platform
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from vaswani.data import Drops
from vaswani.data.cleaning import UNREADABLE
from vaswani.publishing import RUN, hide_in_command

from .arguments import Arguments

PACKAGES = ("torch", "transformers", "accelerate", "tokenizers", "datasets", "evaluate", "sacrebleu", "numpy")


class RunFolderError(ValueError):
    """The output folder cannot be used as was asked."""


def claim(folder: Path, resume: bool) -> None:
    """Take a folder for a run.

    Raises:
        RunFolderError: it holds a run and `resume` was not asked for, it holds something else, or it is a file.

    """
    if folder.exists() and not folder.is_dir():
        raise RunFolderError(f"--output_dir {folder} is a file; name a folder")
    if folder.exists() and (folder / RUN).exists() and not resume:
        raise RunFolderError(f"{folder} holds a run already; go on with it by --resume, or name another --output_dir")
    if folder.exists() and any(folder.iterdir()) and not (folder / RUN).exists():
        raise RunFolderError(f"{folder} holds files that are not of a run; name another --output_dir")
    folder.mkdir(parents=True, exist_ok=True)


def describe(arguments: Arguments) -> dict[str, Any]:
    """Return everything that a run was told, its token for the Hub aside, with the machine and versions it ran on."""
    versions = {name: importlib.metadata.version(name) for name in ("vaswani", *PACKAGES)}
    return {
        "command": shlex.join([Path(sys.executable).name, *hide_in_command(sys.argv)]),
        "model": arguments.model,
        "data": asdict(arguments.data),
        "training": arguments.training.to_dict(),  # it leaves out tokens
        "hardware": hardware(arguments),
        "versions": {"python": platform.python_version(), **versions},
    }


def hardware(arguments: Arguments) -> dict[str, Any]:
    """Return what the processes of a run compute on, as the first of them sees it."""
    device = arguments.training.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    if device.type == "cpu":
        name = processor()
    return {"device": name, "processes": arguments.training.world_size, "cores": os.cpu_count()}


def processor() -> str:
    """Return the name of the processor, as Linux tells it, or at least its kind."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def write_skipped(folder: Path, drops: Drops, process: int) -> None:
    """Leave where rows could not be read, so that somebody can mend them; each process knows those that it read."""
    if drops.unreadable:
        places = {reason: drops.places[reason] for reason in sorted(UNREADABLE & drops.places.keys())}
        write_json(folder / f"unreadable-{process}.json", {"rows": drops.unreadable, "places": places})


def write_json(path: Path, value: Any) -> None:
    """Write readable JSON, whole or not at all."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.rename(path)
