"""What a measurement was made on: the processor or accelerator, versions, the commit."""

import os
import platform
import re
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch


def machine(*packages: str) -> dict[str, str]:
    """Return what a report has to say of the machine and of `packages`, by name."""
    known = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.*)", known.read_text()) if known.exists() else None
    threads = f"{torch.get_num_threads()} of {os.cpu_count()} cores"
    found = {"processor": f"{model[1] if model else platform.processor()}, {threads}"}
    if torch.cuda.is_available():
        found["accelerator"] = torch.cuda.get_device_name()
    found["python"] = platform.python_version()
    for package in packages:
        with suppress(PackageNotFoundError):  # one that this measurement did without
            found[package] = version(package)
    return found | {"commit": commit()}


def commit() -> str:
    """Return the commit of this checkout, and whether it was changed since."""
    git = ["git", "-C", str(Path(__file__).parent)]
    name = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    if name.returncode:
        return "not a checkout"
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD"], check=False).returncode
    return name.stdout.strip() + (" and changes" if changed else "")
