"""One trial: the command of its run, the process that trains it to the end of a rung, and what the run came to."""

import json
import re
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vaswani.experiment.child_process import run_to_end
from vaswani.experiment.launcher_messages import INTERRUPTED
from vaswani.publishing import read_metrics
from vaswani.training.best_validation import find_best
from vaswani.training.checkpointing.checkpoints import checkpoints
from vaswani.training.exceptions import SignalledError, StartupError

from .grid import as_flags
from .planning import Plan
from .record import ResultRecord, TrialRecord

REFUSED = 2
"""The exit code of a run that cannot be as it was asked for."""

NOT_ITS_FAULT = (
    REFUSED,
    StartupError.exit_code,
    SignalledError.exit_code,
    INTERRUPTED,
    -signal.SIGTERM,
    -signal.SIGINT,
)
"""Exit codes after which other trials would end in the same way, or that somebody asked for."""

QUICK = ("--average_checkpoints", "1", "--test_beams", "1")
"""A run that will go on chooses among fewer weights, by a greedy search: the sweep is decided while training."""

HISTORY = "history.json"
LONGEST = 300
"""Characters of a reason that are kept."""


def folder_of(sweep: Path, trial: TrialRecord) -> Path:
    """Return the folder of a trial's run."""
    return sweep / f"trial-{trial.number:03}"


def log_of(sweep: Path, trial: TrialRecord) -> Path:
    """Return the file of what a trial says; not in its folder, which only its run may fill."""
    return sweep / f"trial-{trial.number:03}.txt"


def command(plan: Plan, trial: TrialRecord, rung: int) -> list[str]:
    """Return the command that trains a trial to the end of a rung, from its newest checkpoint if it has one.

    The last flag of a name counts. Its only "test set" is the validation set, so no other split is opened.
    """
    own = {
        "output_dir": str(folder_of(plan.folder, trial)),
        "max_steps": str(plan.sweep.rungs[rung]),
        "test_splits": plan.validation_split,
        "resume": "true",
    }
    is_last = rung == len(plan.sweep.rungs) - 1
    words = [word for name, value in own.items() for word in (f"--{name}", value)]
    return [
        *plan.launcher,
        plan.sweep.recipe,
        *plan.flags,
        *as_flags(trial.values),
        *(() if is_last else QUICK),
        *words,
    ]


def train(plan: Plan, trial: TrialRecord, rung: int) -> TrialRecord:
    """Train a trial to the end of a rung, and return it with its result, or with the reason of its failure.

    Raises:
        SystemExit: a signal came, or the run ended for a reason that is not the trial's own; nothing is recorded.

    """
    log = log_of(plan.folder, trial)
    started = time.monotonic()
    with log.open("ab") as output:
        place = output.tell()
        code = run_to_end(command(plan, trial, rung), output)
    trial = replace(trial, seconds=trial.seconds + time.monotonic() - started)
    if code == 0:
        result = result_of(folder_of(plan.folder, trial), plan.sweep.rungs[rung], plan.sweep.metric)
        return replace(trial, results=(*trial.results, result))
    with log.open("rb") as said:
        said.seek(place)
        reason = reason_of(said.read().decode("utf-8", "replace").splitlines(), code)
    if code in NOT_ITS_FAULT and not (code == REFUSED and is_refused_alone(plan, trial)):
        goes_on = "the same command goes on"
        if code == REFUSED:
            goes_on += " once that is mended; a value that cannot be is left out of --grid, with another --output_dir"
        print(
            f"error: trial {trial.number} ended with code {code}: {reason}. All that it said is in {log}; {goes_on}",
            file=sys.stderr,
        )
        raise SystemExit(code if code > 0 else 128 - code)
    return replace(trial, failed=reason.split("; ")[0])  # what follows is advice for a run of its own


def is_refused_alone(plan: Plan, trial: TrialRecord) -> bool:
    """Return whether a trial was refused before it learned anything, for values of its own: others were not."""
    has_begun = bool(trial.results or checkpoints(folder_of(plan.folder, trial)))
    return not has_begun and any(other.results for other in plan.sweep.trials)


def result_of(folder: Path, steps: int, metric: str) -> ResultRecord:
    """Return what a run came to in so many steps, by its own log.

    Raises:
        ValueError: it has not got there.

    """
    ended = read_metrics(folder)
    if ended.steps < steps and (ended.ended is None or ended.ended.by == "max_steps"):
        raise ValueError(f"{folder} has ended at step {ended.steps:,}, before step {steps:,}; remove it to begin anew")
    log = [line for line in history(folder) if line.get("step", 0) <= steps]
    found = find_best(log, metric).step
    if found is None:
        raise ValueError(f"{folder} has no validation by {metric} up to step {steps:,}; remove it to begin anew")
    of_best = next(line for line in log if line["step"] == found and f"eval_{metric}" in line)
    return ResultRecord(min(steps, ended.steps), of_best[f"eval_{metric}"], of_best["eval_loss"], found)


def history(folder: Path) -> list[dict[str, Any]]:
    """Return a run's log; empty before it has ended once."""
    file = folder / HISTORY
    log: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    return log


def reason_of(said: Sequence[str], code: int) -> str:
    """Return why a run failed: its own message, else that of Python, else its exit code or the signal."""
    if code < 0:
        name = signal.Signals(-code).name
        return f"ended by {name}" + (", often for lack of memory" if -code == signal.SIGKILL else "")
    errors = [line.removeprefix("error: ") for line in said if line.startswith("error: ")]
    of_launcher = ("CalledProcessError", "ChildFailedError")
    raised = [
        line
        for line in said
        if re.match(r"[\w.]*(Error|Exception)\b", line) and not any(name in line for name in of_launcher)
    ]
    return (errors or raised or [f"exit code {code}"])[-1].strip()[:LONGEST]
