"""The results of a sweep: sweep.md, sweep.json and the picture."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vaswani.evaluation.metric_table import METRICS
from vaswani.experiment.markdown import table
from vaswani.plots import TrialCurve, draw_sweep, save
from vaswani.storage import write_text
from vaswani.training.validation_figures import DIGITS, called, lower_is_better

from .grid import as_flags, as_text, size
from .halving import in_order, kept, next_start
from .planning import Plan
from .record import SweepRecord, TrialRecord, write_sweep
from .trials import folder_of, history


def leave(plan: Plan) -> str:
    """Write the table and the picture of what a sweep has come to, and its record; return the table."""
    sweep = replace(plan.sweep, trials=tuple(in_order(plan.sweep)), command=best_command(plan))
    text = sweep_as_text(sweep, plan.folder)
    write_text(plan.folder / "sweep.md", text)
    if any(trial.results for trial in sweep.trials):
        save(draw_sweep(lines_of(sweep, plan.folder), sweep.rungs, called(sweep.metric)), plan.folder / "sweep")
    write_sweep(plan.folder, sweep)
    return text


def leader(sweep: SweepRecord) -> TrialRecord | None:
    """Return the best trial so far; None before one has a result."""
    first = in_order(sweep)[0]
    return first if first.results and first.failed is None else None


def best_command(plan: Plan) -> str:
    """Return the command that trains the best trial as a run of its own, which scores the recipe's test sets."""
    if (trial := leader(plan.sweep)) is None:
        return ""
    launcher = ["python"] if plan.launcher == [sys.executable] else plan.launcher
    folder = ["--output_dir", str(plan.folder / "best")]
    return shlex.join([*launcher, plan.sweep.recipe, *plan.sweep.flags, *as_flags(trial.values), *folder])


def figure(value: float, metric: str) -> str:
    """Return a value of a metric with its digits."""
    return f"{value:.{METRICS[metric].digits if metric in METRICS else DIGITS}f}"


def lines_of(sweep: SweepRecord, folder: Path) -> list[TrialCurve]:
    """Return the lines of the picture: every trial's validations, the best trial first."""
    key, first = f"eval_{sweep.metric}", leader(sweep)
    return [
        TrialCurve(
            f"{trial.number}: {as_text(trial.values)}",
            [
                (line["step"], line[key])
                for line in history(folder_of(folder, trial))
                if key in line and line["step"] <= trial.results[-1].steps
            ],
            trial is first,
        )
        for trial in sweep.trials
        if trial.results
    ]


def sweep_as_text(sweep: SweepRecord, folder: Path) -> str:
    """Return sweep.md of a sweep whose trials are in order."""
    parts = [f"# A sweep of {Path(sweep.recipe).name}", heading(sweep), rows_as_text(sweep.metric, sweep.trials)]
    if (first := leader(sweep)) is not None:
        best = "The best" if next_start(sweep) is None else "The best so far"
        parts += [
            f"{best} is trial {first.number}, whose run is in `{folder_of(folder, first)}`. As a run of its own, which "
            "scores the recipe's test sets at its end:",
            f"```bash\n{sweep.command}\n```",
            f"![Validation {called(sweep.metric)} of each trial over steps](sweep.png)",
        ]
    return "\n\n".join(parts) + "\n"


def heading(sweep: SweepRecord) -> str:
    """Return one paragraph on what was searched, and how."""
    of = size(sweep.grid)
    which = f"all combinations ({of:,})" if sweep.drawn == of else f"{sweep.drawn:,} of {of:,} combinations"
    grid = "; ".join(f"{name} {', '.join(values)}" for name, values in sweep.grid.items())
    by_seed = "" if sweep.drawn == of else f", drawn by seed {sweep.seed}"
    better = "lower" if lower_is_better(sweep.metric) else "higher"
    flags = f" Flags of every trial: `{shlex.join(sweep.flags)}`." if sweep.flags else ""
    return (
        f"{which[0].upper()}{which[1:]} of {grid}{by_seed}. {rungs_as_text(sweep)} Each trial counts by its best "
        f"validation {called(sweep.metric)} so far ({better} is better, then a lower loss); no test set was scored."
        f"{flags}"
    )


def rungs_as_text(sweep: SweepRecord) -> str:
    """Return a sentence on how many trials train for how long."""
    if len(sweep.rungs) == 1:
        return f"All of them train to step {sweep.rungs[0]:,}."
    rungs = [f"{kept(sweep.drawn, sweep.eta, rung)} to step {steps:,}" for rung, steps in enumerate(sweep.rungs)]
    return f"Successive halving trains {', the best '.join(rungs)}."


def rows_as_text(metric: str, trials: Sequence[TrialRecord]) -> str:
    """Return the table itself, in Markdown."""
    names = list(trials[0].values)
    figures = dict.fromkeys([metric, "loss"])
    head = ["trial", *names, "steps", *map(called, figures), "at step", "minutes", "failed"]
    rows = []
    for trial in trials:
        reached = ["0", *("" for _ in figures), ""]
        if trial.results:
            last = trial.results[-1]
            values = {"loss": last.loss, metric: last.value}
            reached = [f"{last.steps:,}", *(figure(values[name], name) for name in figures), f"{last.at_step:,}"]
        varied = [trial.values[name] for name in names]
        rows.append([str(trial.number), *varied, *reached, f"{trial.seconds / 60:.1f}", trial.failed or ""])
    if not any(trial.failed for trial in trials):
        head, rows = head[:-1], [row[:-1] for row in rows]
    return table(head, rows)
