"""sweep.json: what a sweep searches and how, and what each of its trials has come to."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar

from vaswani.storage.records import as_json, read_record, write_record

SWEEP = "sweep.json"


@dataclass(frozen=True)
class ResultRecord:
    """The best validation of a trial up to the end of a rung."""

    steps: int
    """That it was trained for: those of the rung, or fewer where --patience ended it."""
    value: float
    """By the metric that decides."""
    loss: float
    """Of the same validation, nats per token; decides between equal values."""
    at_step: int
    """Of that validation."""


@dataclass(frozen=True)
class TrialRecord:
    """One combination, and how far it has come."""

    number: int
    """From 1, in the order of the grid."""
    values: Mapping[str, str]
    """Of the flags that vary."""
    results: tuple[ResultRecord, ...] = ()
    """By rung, as far as it has come."""
    failed: str | None = None
    """Why it did not reach the end of the next rung."""
    seconds: float = 0.0
    """Of its processes from start to end; those that were interrupted are not counted."""


@dataclass(frozen=True)
class SweepRecord:
    """What sweep.json holds."""

    VERSION: ClassVar[int] = 1

    recipe: str
    grid: Mapping[str, tuple[str, ...]]
    drawn: int
    """Combinations that are trained."""
    seed: int
    """By which they were drawn, and of each run that does not vary it."""
    eta: int
    rungs: tuple[int, ...]
    """Steps at the end of each."""
    metric: str
    """The validation metric that decides."""
    flags: tuple[str, ...]
    """Further flags of every trial."""
    trials: tuple[TrialRecord, ...]
    """The best first."""
    command: str = ""
    """The command that trains the best one as a run of its own; empty until one has a result."""
    version: int = VERSION


def read_sweep(folder: Path) -> SweepRecord:
    """Read sweep.json from the folder of a sweep; raises as `read_record` does."""
    return read_record(SweepRecord, folder / SWEEP)


def write_sweep(folder: Path, record: SweepRecord) -> None:
    """Write sweep.json into the folder of a sweep."""
    write_record(folder / SWEEP, record)


def check_same(before: SweepRecord, now: SweepRecord, folder: Path) -> None:
    """Refuse to go on with a sweep by other settings than those that it was begun with.

    Raises:
        ValueError: naming the first difference.

    """
    of_trials = ("trials", "command", "version")
    for name in (each.name for each in fields(SweepRecord) if each.name not in of_trials):
        was, given = (as_json(getattr(record, name)) for record in (before, now))
        if was != given:
            raise ValueError(
                f"{folder} holds a sweep whose {name} was {was!r}, and it is {given!r} now; go on with the command "
                "that began it, or name another --output_dir"
            )
