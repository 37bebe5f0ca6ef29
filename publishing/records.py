"""What a run leaves in its folder about itself, from which its card is written."""

import json
from pathlib import Path
from typing import Any

from .damage import damaged
from .metrics_record import METRICS, MetricsRecord, read_metrics
from .run_record import RUN, RunRecord, read_run


def read_records(folder: Path) -> tuple[RunRecord, MetricsRecord]:
    """Return what the run of a folder was told, and what it measured.

    Raises:
        ValueError: one of the two is not there, or is damaged.

    """
    missing = [name for name in (RUN, METRICS) if not (folder / name).is_file()]
    if missing == [RUN, METRICS]:
        raise ValueError(
            f"{folder} holds no run, nor what `vaswani average` or `import` recorded, from which the model card is "
            "written. A model that was made otherwise goes to the Hub as it is: write its README.md and "
            f"`hf upload OWNER/NAME {folder}`"
        )
    if missing:
        raise ValueError(
            f"{folder} lacks {', '.join(missing)}, from which the model card is written: has its run come to its end? "
            "Continue it with --resume"
        )
    return read_run(folder), read_metrics(folder)


def read_json(path: Path) -> Any:
    """Return what a file of JSON holds; ValueError with its name if it is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(damaged(path, error)) from error
