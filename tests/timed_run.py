"""`recorded_run`, whose processes also write down when they reached each part of their start, up to their first step.

DeepSpeed, an extra that the checks need and a run with DDP does not, is as good as not installed.
"""

import json
import os
import sys
import time

MARKS = {"interpreter": time.time()}
"""When each part was done, in seconds since 1970."""

sys.modules["deepspeed"] = None  # type: ignore[assignment]

from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import psutil  # noqa: E402
import recorded_run  # noqa: E402

from vaswani.data import TrainingStream  # noqa: E402
from vaswani.experiment.exit_codes import exiting_with_code  # noqa: E402
from vaswani.training import VaswaniTrainer  # noqa: E402

running: Any = sys.modules["vaswani.experiment.run"]  # whose name is that of its function, too

PARTS = (
    ("group of processes", recorded_run, "parse"),
    ("settings, folder", running, "claim_folder"),
    ("text, vocabulary", running, "prepare"),
    ("network, trainer", VaswaniTrainer, "__init__"),
    ("checkpoint", VaswaniTrainer, "start"),
    ("first batch", TrainingStream, "note"),
    ("first step", VaswaniTrainer, "decide_on_saving"),
)
"""What is done when a function has returned for the first time."""


def folder_of(run: Path) -> Path:
    """Return where the processes of a run write their marks, each in a file."""
    return run.with_name(f"{run.name} marks")


def mark(part: str, owner: Any, name: str) -> None:
    """Have a function note the time when it returns."""
    function = getattr(owner, name)

    def marked(*given: Any, **named: Any) -> Any:
        found = function(*given, **named)
        if part not in MARKS:
            MARKS[part] = time.time()
            if part == PARTS[-1][0]:
                leave(folder_of(Path(str(given[0].args.output_dir))))
        return found

    setattr(owner, name, marked)


def leave(folder: Path) -> None:
    """Write the marks of this process."""
    folder.mkdir(exist_ok=True)
    draft = folder / f"draft of {os.environ['NODE']}"
    draft.write_text(json.dumps({"process": psutil.Process().create_time()} | MARKS))
    draft.rename(folder / f"{time.time()} {os.environ['NODE']}.json")


if __name__ == "__main__":
    MARKS["imports"] = time.time()
    for each in PARTS:
        mark(*each)
    with exiting_with_code():
        recorded_run.main()
