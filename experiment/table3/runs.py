"""The runs of the table, each in a folder by row and seed."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vaswani.publishing import METRICS, RUN

from .rows import ROWS, WIDTHS, Row, fields_of


class Run(NamedTuple):
    """One row, trained to the end with one seed."""

    row: Row
    seed: int
    parameters: int
    steps: int
    perplexity: float
    """On the validation set, a symbol of this run's vocabulary."""
    bleu: float
    """sacreBLEU on the validation set, cased."""
    paper_bleu: float | None
    """BLEU as the paper counted it, where the target is German."""
    setting: dict[str, Any]
    """What must be the same in all rows, and is no part of any row."""


def run_folder(table: str | Path, row: Row, seed: int) -> Path:
    """Return the folder of a run."""
    return Path(table, row.name, f"seed-{seed}")


def ended(table: Path) -> list[Run]:
    """Return the runs that came to their end, in the order of the table, then by seed.

    Raises:
        ValueError: they differ in more than their rows, so they are not of one table.

    """
    runs = []
    for row in ROWS:
        folders = [path.parent for path in (table / row.name).glob(f"seed-*/{METRICS}")]
        runs += [read(folder, row) for folder in sorted(folders, key=lambda folder: int(folder.name[5:]))]
    for run in runs[1:]:
        if unlike := [name for name, value in run.setting.items() if value != runs[0].setting[name]]:
            name = unlike[0]
            raise ValueError(
                f"{run_folder(table, run.row, run.seed)} has {name} {run.setting[name]!r} and "
                f"{run_folder(table, runs[0].row, runs[0].seed)} has {runs[0].setting[name]!r}; rows of one table "
                "may differ in nothing but what the row names, so give the one or the other an --output_dir of its own"
            )
    return runs


def read(folder: Path, row: Row) -> Run:
    """Return what came out of a run.

    Raises:
        ValueError: its network is not that of the row.

    """
    told, came_out = (json.loads((folder / name).read_text(encoding="utf-8")) for name in (RUN, METRICS))
    model, data, training = told["model"], told["data"], told["training"]
    scale = WIDTHS["d_model"] * row.change.get("d_model", WIDTHS["d_model"]) // WIDTHS["d_model"] // model["d_model"]
    if any(model[name] != value for name, value in fields_of(row, scale).items()):
        raise ValueError(f"{folder} holds another network than that of row {row.name} with widths divided by {scale}")
    varied = {name for each in ROWS for name in each.change} | WIDTHS.keys()
    setting = {
        "scale": scale,
        **{name: value for name, value in model.items() if name not in varied},
        **{name: data[name] for name in _DATA},
        **{name: training[name] for name in _TRAINING},
        "steps": came_out["steps"] / row.steps if came_out["steps"] == row.steps else came_out["steps"],
    }
    scores = came_out["test"][data["validation_split"]]
    return Run(
        row,
        training["seed"],
        came_out["parameters"],
        came_out["steps"],
        came_out["validation"]["perplexity"],
        scores["sacrebleu"]["value"],
        scores["wmt14_bleu"]["value"] if "wmt14_bleu" in scores else None,
        setting,
    )


_DATA: Sequence[str] = (
    "dataset", "dataset_config", "data_dir", "direction", "train_split", "validation_split", "max_tokens", "max_ratio",
    "drop_html", "check_script", "drop_duplicates", "extra_dirs", "weights", "tokens_per_batch",
)  # fmt: skip
_TRAINING: Sequence[str] = (
    "batches_per_step", "warmup_steps", "peak_learning_rate", "adam_beta1", "adam_beta2", "adam_epsilon",
    "max_grad_norm", "weight_decay", "bf16", "fp16", "test_beams", "length_penalty",
)  # fmt: skip
