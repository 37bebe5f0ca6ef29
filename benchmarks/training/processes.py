"""Measure how several processes that train one model together compare to one, with as many tokens in each step.

python -m benchmarks.training.processes recipes/multi30k.py --data_dir FOLDER --bf16_throughout

Flags are those of the recipe. A step takes one micro-batch for each process of the largest number; one process takes
them one after another. Without an accelerator there is also one process with as many threads. Each is started anew in
each round, one at a time, in an order turned by one; figures are target tokens a second after the first stretch.
"""

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys

import torch

from benchmarks.measuring.flags import add_rounds
from benchmarks.measuring.machine import machine
from benchmarks.measuring.report import add_output, leave
from benchmarks.measuring.turns import in_turn

RUN = f"{__package__}.measure_run"


def speed(processes: int, threads: int, command: list[str]) -> float:
    """Return target tokens a second, the median over the stretches of a run."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    if not torch.accelerator.is_available():
        environment["ACCELERATE_USE_CPU"] = "true"
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    done = subprocess.run([*launcher, *command], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return statistics.median(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure, and leave a report."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # a flag of the recipe may begin as one of ours
    )
    parser.add_argument("recipe", help="file of a recipe; its flags may follow")
    parser.add_argument(
        "--processes",
        type=int,
        nargs="+",
        default=[1, 2],
        help="numbers of processes to compare (default: %(default)s)",
    )
    add_rounds(parser, 3)
    parser.add_argument("--steps", type=int, default=60, help="of a run; six stretches, of which five count")
    add_output(parser)
    given, flags = parser.parse_known_args()
    most = max(given.processes)
    own = f"--batches_per_step {most} --streams {most} --max_steps {given.steps} --logging_steps {given.steps // 6}"
    command = ["-m", RUN, given.recipe, *flags, *own.split()]
    ways = {f"{number} process(es)": functools.partial(speed, number, 1, command) for number in given.processes}
    if not torch.accelerator.is_available():
        ways[f"1 process, {most} threads"] = functools.partial(speed, 1, most, command)
    found = in_turn(ways, given.rounds)
    first = next(iter(found.values()))
    lines = ["| | target tokens/s (least to most) | against the first |", "|---|---|---|"]
    for name, speeds in found.items():
        ratio = statistics.median(mine / one for mine, one in zip(speeds, first, strict=True))
        middle, slowest, fastest = statistics.median(speeds), min(speeds), max(speeds)
        lines.append(f"| {name} | {middle:,.0f} ({slowest:,.0f} to {fastest:,.0f}) | {ratio:.2f} |")
    about = machine("torch", "accelerate") | {"rounds": str(given.rounds)}
    leave(given.output, about, "\n".join(lines), {"tokens_per_second": found})


if __name__ == "__main__":
    main()
