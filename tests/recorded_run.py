"""A whole run of a tiny recipe whose processes write down every row they take, and wait where a test wants them to.

In float64, so that sums taken in another order can be told from rows that were lost.
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import torch
from accelerate.utils import broadcast_object_list

from vaswani.data import TrainingStream
from vaswani.experiment import Recipe, parse, run
from vaswani.experiment.exit_codes import exiting_with_code

B = 2
"""Micro-batches a step."""

STEPS = 18
SAVE_STEPS = 4

RECIPE = Recipe(
    "A run of two or three epochs.",
    model={
        "vocab_size": 300,
        "d_model": 16,
        "d_ff": 32,
        "num_heads": 2,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "dropout": 0.0,
    },
    data={"validation_split": "val", "tokens_per_batch": 128, "max_tokens": 64, "drop_duplicates": True},
    training={
        "output_dir": "named on the command line",
        "resume": True,
        "batches_per_step": B,
        "max_steps": STEPS,
        "save_steps": SAVE_STEPS,
        "eval_steps": STEPS,
        "warmup_steps": 3,
        "logging_steps": 1,
        "average_checkpoints": 1,
        "report_to": "none",
        "disable_tqdm": True,
    },
)


class Taken(NamedTuple):
    """A micro-batch that a process took: when (seconds since 1970), its number, its epoch, the ids of its rows."""

    time: float
    number: int
    epoch: int
    rows: list[list[int]]


@dataclass
class Life:
    """What the processes of one start, over all machines, took together."""

    processes: int
    taken: list[Taken]
    """In the order of their numbers."""

    @property
    def first_step(self) -> int:
        """The step from which it went on, counted from 0."""
        return self.taken[0].number // B

    @property
    def last_step(self) -> int:
        """The last step that it began."""
        return self.taken[-1].number // B

    @property
    def began(self) -> float:
        """When it took its first micro-batch."""
        return min(each.time for each in self.taken)


def journals(run: Path) -> Path:
    """Return where the processes of a run write down what they take."""
    return run.with_name(f"{run.name} journals")


def brake(run: Path, node: int, step: int) -> Path:
    """Return the file at which the processes of a node wait, in the middle of a step, for as long as it exists."""
    return run.with_name(f"{run.name} brake, node {node}, step {step}")


def standing(brake: Path) -> Path:
    """Return the file by which a process says that it waits at a brake."""
    return brake.with_name(f"{brake.name}, standing")


def lives(run: Path) -> list[Life]:
    """Return the lives of a run that trained, in the order of time."""
    found: dict[str, Life] = {}
    for path in journals(run).iterdir():
        head, *lines = (json.loads(line) for line in path.read_text().splitlines(keepends=True) if line[-1] == "\n")
        life = found.setdefault(path.name.split(".")[0], Life(head, []))
        life.taken += [Taken(*line) for line in lines]
    for life in found.values():
        life.taken.sort(key=lambda each: each.number)
    return sorted((life for life in found.values() if life.taken), key=lambda life: life.began)


def counting(lives: list[Life]) -> Iterator[Taken]:
    """Yield what the final weights were trained on.

    That is, of every life, the steps before the one from which the next life went on: the checkpoint between them holds
    these and no others. What a life did beyond is lost, and done again.
    """
    for life, following in pairwise(lives):
        yield from (each for each in life.taken if each.number < following.first_step * B)
    yield from lives[-1].taken


def main() -> None:
    """Run the recipe with the flags of the command line."""
    torch.set_default_dtype(torch.float64)
    arguments = parse(RECIPE)
    folder, node = Path(str(arguments.training.output_dir)), int(os.environ.get("NODE", 0))
    [life] = broadcast_object_list([uuid4().hex])
    journals(folder).mkdir(parents=True, exist_ok=True)
    journal = (journals(folder) / f"{life}.{arguments.training.process_index}").open("x", buffering=1)
    journal.write(json.dumps(arguments.training.world_size) + "\n")
    note = TrainingStream.note

    def write_down(self: TrainingStream, place: Any) -> None:
        taken = Taken(time.time(), place.number, place.anchor.epoch, place.rows.tolist())
        journal.write(json.dumps(taken) + "\n")
        here = brake(folder, node, place.number // B)
        if here.exists():
            standing(here).touch()
        while here.exists():
            time.sleep(0.02)
        note(self, place)

    TrainingStream.note = write_down  # type: ignore[method-assign]
    run(arguments)


if __name__ == "__main__":
    with exiting_with_code():
        main()
