"""Environments of their own for libraries whose requirements do not go together with ours.

Each is made once, by venv and pip, and made again when what it holds is to change. A peer is installed without its
requirements: they forbid the torch that all contenders are to share, and what is listed here is all that a step needs.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from vaswani.storage import write_text

TORCH = ("torch==2.13.0", "numpy==2.4.6")


class Environment(NamedTuple):
    """What is installed for a module of contenders/."""

    peer: str
    """The pinned library, installed without what it asks for."""
    imported_as: str
    needs: tuple[str, ...]
    """What is installed before it, pinned."""


ENVIRONMENTS = {
    "opennmt": Environment(
        "OpenNMT-py==3.5.1",
        "onmt",
        (
            *TORCH,
            "ConfigArgParse==1.9.0",
            "PyYAML==6.0.3",
            "fasttext-wheel==0.9.2",
            "pyahocorasick==2.3.1",
            "pyonmttok==1.38.1",
            "rapidfuzz==3.14.6",
            "sacrebleu==2.6.0",
            "spacy==3.8.18",
        ),
    ),
    "sockeye": Environment("sockeye==3.1.34", "sockeye", (*TORCH, "PyYAML==6.0.3", "sacrebleu==2.6.0")),
    "joeynmt": Environment(
        "joeynmt==2.3.0",
        "joeynmt",
        (
            *TORCH,
            "PyYAML==6.0.3",
            "importlib_metadata==10.2.0",
            "matplotlib==3.11.2",
            "packaging==26.3",
            "sacrebleu==2.6.0",
            "sentencepiece==0.2.3",
            "subword-nmt==0.3.8",
            "tensorboard==2.21.0",
        ),
    ),
}
"""By module of contenders/; the others run where this does."""


class EnvironmentFailedError(RuntimeError):
    """An environment could not be made."""


def python_of(module: str, folder: Path, environments: Mapping[str, Environment] = ENVIRONMENTS) -> Path:
    """Return the Python that runs a module of contenders/, in an environment below `folder` if it needs its own.

    Raises:
        EnvironmentFailedError: the environment is not there and could not be made.

    """
    if module not in environments:
        return Path(sys.executable)
    place, wanted = folder / module, environments[module]
    python, made = place / "bin/python", place / "made.txt"
    content = "\n".join([*wanted.needs, wanted.peer, sys.version]) + "\n"
    try:
        if made.exists() and made.read_text() == content:
            return python
        if place.exists() and not (place / "pyvenv.cfg").exists():
            raise EnvironmentFailedError(f"{place} is not an environment made here: name another folder, or remove it")
        if place.exists():
            shutil.rmtree(place)
        tell(f"making an environment for {wanted.peer} in {place}: about a gigabyte")
        order("venv", "--without-pip", place)
        tell(f"installing {', '.join(wanted.needs)}")
        install(python, *wanted.needs)
        tell(f"installing {wanted.peer}")
        install(python, "--no-deps", wanted.peer)
        write_text(made, content)
    except OSError as error:
        raise EnvironmentFailedError(f"no environment for {wanted.peer}: {error}") from error
    return python


def tell(progress: str) -> None:
    """Say what is done now."""
    print(progress, file=sys.stderr, flush=True)


def install(python: Path, *words: str) -> None:
    """Have our pip install for another Python."""
    order("pip", "--python", python, "--disable-pip-version-check", "install", "--quiet", *words)


def order(*words: str | Path) -> None:
    """Run a module of this Python.

    Raises:
        EnvironmentFailedError: it failed, for the reason that it said last.

    """
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip() or "nothing was said"
        tell(said)
        command = " ".join(map(str, words))
        raise EnvironmentFailedError(f"{command!r} ended with code {done.returncode}: {said.splitlines()[-1]}")
