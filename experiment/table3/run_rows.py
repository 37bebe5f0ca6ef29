"""Training rows in turn, each in processes of its own, and gathering the results after each."""

import shlex
import sys
from pathlib import Path

from vaswani.experiment.arguments import Recipe
from vaswani.experiment.child_process import run_to_end
from vaswani.experiment.command_line import spelled
from vaswani.publishing import METRICS, read_metrics

from .options import Options
from .runs import run_folder
from .table import gather


def train_rows(asked: Options, recipe: Recipe) -> int:
    """Train the rows that are not finished, and write the table after each run.

    If a run fails, the next one starts, unless it was the first: then flags, data or machine are at fault, and the
    others would fail too.

    Returns:
        The exit code: 0 if all ended well.

    """
    table = Path(flag(asked.flags, "--output_dir") or recipe.training["output_dir"])
    failed: list[str] = []
    trained = 0
    for seed in range(1, asked.seeds + 1):
        for row in asked.rows:
            if (metrics := run_folder(table, row, seed) / METRICS).exists():
                steps = read_metrics(metrics).steps
                print(
                    f"{row.name}, seed {seed}: has ended at step {steps:,}, with the settings that it was given then",
                    flush=True,
                )
                continue
            name = f"{row.name}, seed {seed}"
            print(f"\n=== {name}", flush=True)
            own = f"--row {row.name} --scale {asked.scale.widths} --layer_scale {asked.scale.layers}".split()
            last = f"--seed {seed} --resume".split()
            code = run_to_end([*shlex.split(asked.launcher), sys.argv[0], *own, *asked.flags, *last])
            if code == 0:
                trained += 1
                gather(table)
                continue
            failed.append(f"{name} (exit code {code})")
            if trained == 0:
                break
        if failed and trained == 0:
            break
    print(gather(table) if trained or not failed else "", flush=True)
    if failed:
        print(f"Ended early: {'; '.join(failed)}. The same command continues with the missing runs.", file=sys.stderr)
    return 1 if failed else 0


def flag(flags: list[str], name: str) -> str | None:
    """Return the last value of a flag on a command line, if it is there, written with dashes or underscores."""
    found = None
    for each, after in zip(flags, [*flags[1:], None], strict=False):
        if spelled(each) == spelled(name):
            found = each.partition("=")[2] if "=" in each else after
    return found
