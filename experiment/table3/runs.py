"""The runs of the table, each in a folder by row and seed."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vaswani.publishing import METRICS, RunRecord, read_records
from vaswani.storage.records import as_json

from .rows import NETWORK, ROWS, Row, Scale, fields_of

_DATA = (
    "dataset",
    "dataset_config",
    "data_dir",
    "direction",
    "train_split",
    "validation_split",
    "max_tokens",
    "max_ratio",
    "drop_html",
    "check_script",
    "drop_duplicates",
    "drop_test_text",
    "extra_dirs",
    "weights",
    "tokens_per_batch",
)
_TRAINING = (
    "batches_per_step",
    "warmup_steps",
    "adam_beta1",
    "adam_beta2",
    "adam_epsilon",
    "max_grad_norm",
    "weight_decay",
    "bf16",
    "fp16",
    "bf16_throughout",
    "test_beams",
    "length_penalty",
    "extra_tokens",
)


class Run(NamedTuple):
    """One row, trained to the end with one seed."""

    row: Row
    seed: int
    folder: Path
    parameters: int
    steps: int
    perplexity: float
    """On the validation set, per token of this run's vocabulary."""
    bleu: float
    """sacreBLEU on the validation set, cased."""
    paper_bleu: float | None
    """BLEU as the paper counted it, where the target is German."""
    setting: dict[str, Any]
    """Settings that must be the same in all runs, since no row names them."""


class Planned(NamedTuple):
    """One row that is about to be trained; fields as in `Run`."""

    row: Row
    folder: Path
    steps: int
    setting: dict[str, Any]


def run_folder(table: str | Path, row: Row, seed: int) -> Path:
    """Return the folder of a run."""
    return Path(table, row.name, f"seed-{seed}")


def ended(table: Path) -> list[Run]:
    """Return the finished runs, in the order of the table, then by seed.

    Raises:
        ValueError: they differ in more than their rows, so they do not form one table.

    """
    runs = []
    for row in ROWS:
        folders = [path.parent.name for path in (table / row.name).glob(f"seed-*/{METRICS}")]
        seeds = sorted(int(name[5:]) for name in folders if re.fullmatch(r"seed-\d+", name))  # not a copy, seed-1-old
        runs += [read(run_folder(table, row, seed), row) for seed in seeds]
    check_alike(runs)
    return runs


def check_alike(runs: Sequence[Run | Planned]) -> None:
    """Refuse runs that differ in more than their rows, as far as both are known.

    Raises:
        ValueError: naming the first difference.

    """
    as_the_paper = all(run.steps == run.row.steps for run in runs)
    settings = [run.setting | ({} if as_the_paper else {"steps": run.steps}) for run in runs]
    for run, setting in zip(runs, settings, strict=True):
        for name, value in setting.items():
            if value != settings[0].get(name, value):
                raise ValueError(
                    f"{run.folder} has {name} {value!r} and {runs[0].folder} has {settings[0][name]!r}; runs of one "
                    "table may differ only in what their rows name, so give one of them another --output_dir"
                )


def check_joins(planned: Planned) -> None:
    """Refuse to train a run, or to train it further, that does not fit into one table with the finished ones.

    Raises:
        ValueError: naming the first difference.

    """
    runs = ended(planned.folder.parents[1])
    if all(run.folder != planned.folder or run.steps < planned.steps for run in runs):
        check_alike([*(run for run in runs if run.folder != planned.folder), planned])


def read(folder: Path, row: Row) -> Run:
    """Return the results of a run.

    Raises:
        ValueError: its network is not that of the row.

    """
    run, metrics = read_records(folder)
    model, data = run.model, run.data
    of_paper = fields_of(row)
    scale = Scale(*(max(1, of_paper[name] // getattr(model, name)) for name in ("d_model", "encoder_layers")))
    for name, value in fields_of(row, scale).items():
        if (trained := getattr(model, name)) != value:
            raise ValueError(
                f"{folder} has {name} {trained!r}; row {row.name} has {value!r}, widths divided by {scale.widths} "
                f"and layers by {scale.layers}"
            )
    if data.validation_split not in metrics.test:
        raise ValueError(
            f"{folder} scored {', '.join(metrics.test) or 'nothing'}; the table shows the validation set (section "
            f"6.2): train with --test_splits {data.validation_split}"
        )
    scores = metrics.test[data.validation_split]
    return Run(
        row,
        run.training.seed,
        folder,
        metrics.parameters,
        metrics.steps,
        metrics.validation["perplexity"],
        scores["sacrebleu"].value,
        scores["wmt14_bleu"].value if "wmt14_bleu" in scores else None,
        setting_of(run, row, scale) | {"checkpoint": metrics.chosen, "bleu": scores["sacrebleu"].signature},
    )


def setting_of(run: RunRecord, row: Row, scale: Scale) -> dict[str, Any]:
    """Return the settings of a run that must be the same in all runs, since no row names them."""
    model, data, training = as_json(run.model), as_json(run.data), as_json(run.training)
    return {
        **{f"{name}_divided_by": divisor for name, divisor in scale._asdict().items()},
        **{name: value for name, value in model.items() if name not in NETWORK},
        **{name: data[name] for name in _DATA},
        **{name: training[name] for name in _TRAINING},
        "peak_learning_rate": float(f"{run.training.peak_learning_rate / rate_against_base(row):.6g}"),  # base's
    }


def rate_against_base(row: Row) -> float:
    """Return the ratio of a row's rate by eq. 3 to base's: d_model^-0.5, with the paper's widths."""
    return math.sqrt(NETWORK["d_model"] / fields_of(row)["d_model"])
