"""A sweep: runs of a recipe with other flags, of which validation keeps the best by successive halving."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from vaswani.experiment.arguments import Recipe
from vaswani.experiment.error_messages import exit_on_bad_input
from vaswani.experiment.exit_codes import exiting_with_code
from vaswani.experiment.run_folder import LOCK, RunFolderError, hold
from vaswani.storage import is_draft
from vaswani.training.reporting.progress import print_line
from vaswani.training.validation_figures import shown

from .grid import as_text
from .halving import next_start
from .options import Options, options
from .planning import Plan, planned
from .record import SWEEP, SweepRecord, TrialRecord, check_same, read_sweep
from .table import leave, rungs_as_text
from .trials import folder_of, log_of, train

__all__ = ["Options", "main", "options", "planned", "sweep"]


def main(description: str | None, read_recipe: Callable[[Path], Recipe]) -> None:
    """Search as the command line asks, and end the process.

    Args:
        description: what --help begins with.
        read_recipe: returns the recipe of a file.

    """
    asked = options(sys.argv[1:], description, read_recipe)
    with exiting_with_code(), exit_on_bad_input():
        sys.exit(sweep(planned(asked)))


def sweep(plan: Plan) -> int:
    """Train the trials that are missing, and write table and picture after each.

    Returns:
        The exit code: 0, or 1 if no trial has a result.

    Raises:
        ValueError: the folder cannot be used, or holds another sweep.
        SystemExit: a signal came, or a run ended for a reason that is not the trial's own.

    """
    plan = plan._replace(sweep=taken(plan))
    print_line(f"{plan.folder}: {plan.sweep.drawn} trials. {rungs_as_text(plan.sweep)}")
    for remark in plan.remarks:
        print_line(remark)
    text = leave(plan)
    while (ahead := next_start(plan.sweep)) is not None:
        trial, rung = ahead
        print_line(f"To step {plan.sweep.rungs[rung]:,}, trial {trial.number}: {as_text(trial.values)}")
        trial = train(plan, trial, rung)
        plan = plan._replace(sweep=with_trial(plan.sweep, trial))
        text = leave(plan)
        print_line(f"  {outcome(plan, trial)}")
    print_line(f"\n{text}")
    return 0 if any(trial.results for trial in plan.sweep.trials) else 1


def taken(plan: Plan) -> SweepRecord:
    """Claim the folder for as long as this process lives, and return the sweep that it holds or that begins there.

    A trial that failed, and whose folder was removed since, is tried again.

    Raises:
        ValueError: the folder holds something else or another sweep, or another process works there.

    """
    folder = plan.folder
    if folder.exists() and not folder.is_dir():
        raise RunFolderError(f"--output_dir {folder} is a file; name a folder")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / SWEEP).exists():
        names = {path.name for path in folder.iterdir() if not is_draft(path)}
        if names - {LOCK, "sweep.md"}:
            raise RunFolderError(f"{folder} holds files that do not belong to a sweep; name another --output_dir")
    hold(folder, patience=0)
    if not (folder / SWEEP).exists():
        return plan.sweep
    before = read_sweep(folder)
    check_same(before, plan.sweep, folder)
    again = [trial for trial in before.trials if trial.failed and not folder_of(folder, trial).exists()]
    for trial in again:
        before = with_trial(before, TrialRecord(trial.number, trial.values))
    return before


def with_trial(sweep: SweepRecord, trial: TrialRecord) -> SweepRecord:
    """Return a sweep with a trial in place of its earlier state."""
    return replace(sweep, trials=tuple(trial if each.number == trial.number else each for each in sweep.trials))


def outcome(plan: Plan, trial: TrialRecord) -> str:
    """Return a line on what a trial has come to."""
    if trial.failed:
        return (
            f"failed: {trial.failed}. All that it said is in {log_of(plan.folder, trial)}; without "
            f"{folder_of(plan.folder, trial)} it is tried again"
        )
    last = trial.results[-1]
    return f"{shown(plan.sweep.metric, last.value)} at step {last.at_step:,}; {trial.seconds / 60:.1f} minutes so far"
