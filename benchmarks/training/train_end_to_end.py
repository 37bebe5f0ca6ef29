"""Measure what data, Trainer and logging cost beside the bare step: both train the same batches, in turn.

python -m benchmarks.training.train_end_to_end recipes/multi30k.py --data_dir FOLDER --max_steps 60

Flags are those of the recipe. A round trains the first `--max_steps` steps by the Trainer, reading the text as a run
does, and then the same micro-batches, already in memory, by a loop of forward, backward and fused Adam. Seconds are
those of the clock after `--warm_up` steps, without validation and checkpoints. Neither is timed while the other runs.
"""

import argparse
import statistics
import tempfile
import time
from typing import Any

import torch
from torch import nn
from transformers import TrainerCallback, set_seed

from benchmarks.measuring.flags import add_rounds
from benchmarks.measuring.machine import machine
from benchmarks.measuring.report import add_output, leave
from vaswani.training.preparation import prepare_for_training

from .short_run import ShortRun, short_run


class Clock(TrainerCallback):
    """Notes when the warm-up was over and when the last step was."""

    def __init__(self, warm_up: int) -> None:
        self.warm_up = warm_up
        self.times: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002 - called by name
        """Note the time after the steps that matter."""
        if state.global_step in (self.warm_up, state.max_steps):
            self.times.append(time.perf_counter())


def by_trainer(run: ShortRun, warm_up: int) -> float:
    """Return the seconds of a run's steps after the warm-up."""
    clock = Clock(warm_up)
    trainer = run.trainer()
    trainer.add_callback(clock)
    trainer.train_from(None)
    return clock.times[1] - clock.times[0]


def bare(run: ShortRun, steps: list[list[dict[str, Any]]], warm_up: int) -> float:
    """Return the seconds that a plain loop takes for the same steps."""
    training, model = run.arguments.training, run.model()
    nn.Module.to(model, training.device)
    model.train()
    prepare_for_training(model, training)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, betas=(0.9, 0.98), eps=1e-9, fused=True)
    set_seed(training.seed)
    started = 0.0
    for number, batches in enumerate(steps):
        if number == warm_up:
            started = time.perf_counter()
        tokens = sum(int((batch["labels"] != -100).sum()) for batch in batches)
        for batch in batches:
            inputs = {name: tensor.to(training.device) for name, tensor in batch.items() if name != "place"}
            with torch.autocast(training.device.type, torch.bfloat16, enabled=training.bf16):
                loss = model(**inputs, num_items_in_batch=tokens).loss
            loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    if training.device.type != "cpu":
        torch.accelerator.synchronize()
    return time.perf_counter() - started


def main() -> None:
    """Measure, and leave a report."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # a flag of the recipe may begin as one of ours
    )
    parser.add_argument("recipe", help="file of a recipe; its flags may follow")
    add_rounds(parser, 3)
    parser.add_argument("--warm_up", type=int, default=10, help="steps that are not timed")
    add_output(parser)
    given, flags = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        run = short_run(given.recipe, [*(() if "--max_steps" in flags else ("--max_steps", "60")), *flags], folder)
        training = run.arguments.training
        loader = run.stream().loader(0, 1, 0, pin_memory=False)
        number = training.max_steps * training.batches_per_step
        batches = [batch for batch, _ in zip(loader, range(number), strict=False)]
        cut = range(0, number, training.batches_per_step)
        steps = [batches[first : first + training.batches_per_step] for first in cut]
        whole, alone = [], []
        for _ in range(given.rounds):
            whole.append(by_trainer(run, given.warm_up))
            alone.append(bare(run, steps, given.warm_up))
    shares = [b / a for a, b in zip(whole, alone, strict=True)]
    about = machine("torch", "transformers", "accelerate") | {
        "steps": f"{training.max_steps - given.warm_up} of {given.recipe}",
        "rounds": str(given.rounds),
    }
    lines = ["| | seconds, median (least to most) |", "|---|---|"]
    lines += [
        f"| {name} | {statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f}) |"
        for name, seconds in (("the Trainer, data included", whole), ("the bare loop", alone))
    ]
    lines.append(f"| bare / Trainer | {statistics.median(shares):.3f} ({min(shares):.3f} to {max(shares):.3f}) |")
    leave(given.output, about, "\n".join(lines), {"trainer": whole, "bare": alone})


if __name__ == "__main__":
    main()
