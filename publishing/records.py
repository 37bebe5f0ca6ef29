"""The records in a run's folder, from which its card is written."""

import json
from pathlib import Path
from typing import Any

from .damage import damaged
from .metrics_record import METRICS, MetricsRecord, read_metrics
from .run_record import RUN, RunRecord, read_run


def read_records(folder: Path) -> tuple[RunRecord, MetricsRecord]:
    """Return the settings of the run in a folder, and its results.

    Raises:
        ValueError: one of the two is missing, or damaged.

    """
    missing = [name for name in (RUN, METRICS) if not (folder / name).is_file()]
    if missing == [RUN, METRICS]:
        raise ValueError(
            f"{folder} holds no run, nor a record of `vaswani average` or `import`, from which the model card is "
            f"written. For a model of other origin, write its README.md and `hf upload OWNER/NAME {folder}`"
        )
    if missing:
        raise ValueError(
            f"{folder} lacks {', '.join(missing)}, from which the model card is written: has its run ended? Continue "
            "it with --resume"
        )
    return read_run(folder), read_metrics(folder)


def read_json(path: Path) -> Any:
    """Return what a JSON file holds; ValueError with its name if it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(damaged(path, error)) from error
