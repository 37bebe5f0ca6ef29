"""From the command line to a sweep whose every trial has been read by the recipe's own parser."""

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from transformers.trainer_utils import IntervalStrategy

from vaswani.evaluation.metric_table import OF_THE_NETWORK
from vaswani.experiment.arguments import Arguments, parse
from vaswani.experiment.command_line import is_given, spelled
from vaswani.experiment.options_of_recipe import ELSEWHERE
from vaswani.publishing import hide_in_command
from vaswani.training import VaswaniTrainingArguments
from vaswani.training.argument_checks import metric_of

from .grid import Grid, as_flags, as_text, drawn
from .halving import rungs_of
from .options import Options
from .record import SweepRecord, TrialRecord

OWN = {
    "resume": "a sweep resumes by itself: the same command goes on with it",
    "test_splits": "a sweep scores no test set, so that only validation decides; the command that it ends with does",
    "push_to_hub": "trials stay here; push what the command trains that the sweep ends with",
}
"""Flags that no trial takes, with the reason."""

_OF_VALIDATION = (
    *("dataset", "dataset_config", "data_dir", "direction", "directions", "validation_split"),
    *("line_breaks", "tsv_quoting"),
)
_OF_SEARCH = ("validation_beams", "length_penalty", "extra_tokens")
_AFTER_TRAINING = ("test_beams", "average_checkpoints", "ema_decay", "score_as")
COMMON = {
    "output_dir": "it holds all trials",
    "max_steps": "a rung has the same steps for all",
    "eval_steps": "a rung ends with a validation of all",
    "save_steps": "a rung ends with a checkpoint of all",
    "eval_strategy": "validation decides",
    "eval_delay": "a rung ends with a validation of all",
    "metric_for_best_model": "one metric decides",
    **dict.fromkeys(_OF_VALIDATION, "figures of different validation sets cannot be compared; --extra_dirs may vary"),
    **dict.fromkeys(_OF_SEARCH, "figures of different searches cannot be compared"),
    **dict.fromkeys(_AFTER_TRAINING, "it acts only after training, and validation while training decides"),
}
"""Flags that are the same in all trials, with the reason."""

OF_VOCABULARY = (
    *("vocab_size", "user_tokens", "glossary", "tokenizer_pairs", "new_vocabulary", "init_from"),
    *(
        "extra_dirs",
        "weights",
        "train_split",
        "max_tokens",
        "max_ratio",
        "drop_html",
        "check_script",
        "drop_duplicates",
    ),
    *("drop_test_text",),
)
"""Flags that change what a token is, and so the loss of one: the vocabulary is learned from the text that is kept."""


class Plan(NamedTuple):
    """A sweep that has been checked."""

    sweep: SweepRecord
    """As it begins."""
    folder: Path
    launcher: list[str]
    flags: list[str]
    """Of every trial, but for the folder."""
    validation_split: str
    remarks: list[str]
    """On what was asked for."""


def planned(asked: Options) -> Plan:
    """Return the sweep that was asked for; every trial is read by the recipe's own parser.

    Raises:
        ValueError: a flag or a value does not suit a sweep.
        SystemExit: the recipe's parser refuses a trial; its message names the flag.

    """
    check_flags(asked.grid, asked.flags)
    common = read(asked, {})
    training = common.training
    metric = metric_of(training)
    check_metric(metric, asked.grid)
    rungs = rungs_of(training.max_steps, asked.eta, asked.halvings, interval_of(training))
    if training.eval_delay > rungs[0]:
        raise ValueError(
            f"--eval_delay is {training.eval_delay:g}, and the first rung ends at step {rungs[0]:,} with a validation: "
            "lower it, or ask for fewer --halvings"
        )
    combinations = drawn(asked.grid, asked.trials, training.seed)
    trials = [read(asked, values).training for values in combinations]
    check_cooldown(rungs, max(trial.steps_of_cooldown for trial in trials))
    warmups = [trial.warmup_steps for trial in trials]
    flags = without(asked.flags, "--output_dir")
    sweep = SweepRecord(
        recipe=asked.path,
        grid=asked.grid,
        drawn=len(combinations),
        seed=training.seed,
        eta=asked.eta,
        rungs=rungs,
        metric=metric,
        flags=tuple(hide_in_command(flags)),
        trials=tuple(TrialRecord(number, values) for number, values in enumerate(combinations, start=1)),
    )
    remarks = []
    if len(rungs) > 1 and (longest := max(warmups)) >= rungs[0]:
        remarks.append(
            f"Note: the first rung ends at step {rungs[0]:,}, within the {longest:,.0f} steps of the warm-up, where "
            "no rate has reached its peak; fewer --halvings, or more --max_steps, compare them later"
        )
    folder = Path(str(training.output_dir))
    return Plan(sweep, folder, asked.launcher, flags, common.data.validation_split, remarks)


def check_flags(grid: Grid, flags: Sequence[str]) -> None:
    """Refuse flags that a sweep sets itself, or that cannot vary; raises ValueError with the reason."""
    for name, reason in OWN.items():
        if name in grid or is_given(f"--{name}", flags):
            raise ValueError(f"--{name} cannot be used here: {reason}")
    for name, reason in COMMON.items():
        if name in grid:
            raise ValueError(f"--grid has {name}, which cannot vary: {reason}")
    for name in grid:
        if is_given(f"--{name}", flags):
            raise ValueError(f"--{name} is given, and --grid varies it; leave one of them out")


def check_metric(metric: str, grid: Grid) -> None:
    """Refuse a metric that cannot compare the trials; raises ValueError with the way out."""
    varied = [name for name in OF_VOCABULARY if name in grid]
    if metric in OF_THE_NETWORK and varied:
        raise ValueError(
            f"--metric_for_best_model is {metric}, which is counted per token, and --grid varies {varied[0]}, by which "
            "tokens differ; choose by a metric of outputs, such as bleu"
        )


def check_cooldown(rungs: Sequence[int], steps: int) -> None:
    """Refuse a rate that falls at the end of each rung; raises ValueError with the way out."""
    if steps and len(rungs) > 1:
        raise ValueError(
            f"--cooldown_steps {steps:,} would lower the rate at the end of each rung, and trials would go on from "
            "there unlike runs that never paused: give --cooldown_steps 0, and the cooldown to the run that follows, "
            "or --halvings 0"
        )


def interval_of(training: VaswaniTrainingArguments) -> int:
    """Return the number of steps after which a run both validates and saves.

    Raises:
        ValueError: it does not validate, or a number of steps is a share of --max_steps.

    """
    if training.eval_strategy == IntervalStrategy.NO:
        raise ValueError("--eval_strategy is no, and a sweep is decided by validation; give --eval_strategy steps")
    for name in ("eval_steps", "save_steps"):
        if (steps := getattr(training, name)) < 1:
            raise ValueError(
                f"--{name} is {steps:g}, a share of --max_steps, which grows from rung to rung; give a number of steps"
            )
    return math.lcm(int(training.eval_steps or 1), int(training.save_steps))


def read(asked: Options, values: dict[str, str]) -> Arguments:
    """Return the arguments of a trial.

    Raises:
        SystemExit: the recipe's parser refuses them.

    """
    try:
        return parse(asked.recipe, [*asked.flags, *as_flags(values), *ELSEWHERE])
    except SystemExit:
        if values:
            print(f"That is the trial of {as_text(values)}.", file=sys.stderr)
        raise


def without(flags: Sequence[str], name: str) -> list[str]:
    """Return flags without one of them and its value."""
    found: list[str] = []
    is_value = False
    for each in flags:
        if spelled(each) == spelled(name):
            is_value = "=" not in each
        elif is_value:
            is_value = False
        else:
            found.append(each)
    return found
