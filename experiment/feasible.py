"""What would keep a run from its end, or from leaving anything: told before its first step."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers.trainer_utils import IntervalStrategy, SaveStrategy

from vaswani.modeling import VaswaniConfig
from vaswani.training import VaswaniTrainingArguments

from .arguments import DataArguments
from .task import Task

LEARNING = frozenset({"dropout", "attention_dropout", "activation_dropout", "label_smoothing"})
"""Fields of a network that say how it learns, and not what it computes."""


def check_leaves_checkpoints(training: VaswaniTrainingArguments) -> None:
    """Make sure that there will be checkpoints, of which a run chooses its weights.

    Raises:
        ValueError: there will be none, or none that a run can go on from.

    """
    strategy = SaveStrategy(training.save_strategy).value
    if strategy not in ("steps", "best"):
        raise ValueError(
            f"--save_strategy is {strategy}; the text has no end that an epoch could have, and a run's "
            "weights are chosen among its checkpoints: leave it at steps, and give --save_steps"
        )
    if strategy == "best" and IntervalStrategy(training.eval_strategy) == IntervalStrategy.NO:
        raise ValueError("--save_strategy best saves after evaluations, and --eval_strategy no makes none")
    if training.save_only_model:
        raise ValueError("--save_only_model leaves checkpoints that nothing can go on from; leave it out")


def check_positions(fields: dict[str, Any], data: DataArguments) -> None:
    """Make sure that learned positions reach to the end of every pair that is trained on.

    Raises:
        ValueError: they do not.

    """
    if fields["positions"] == "learned" and fields["max_positions"] < data.max_tokens:
        raise ValueError(
            f"--max_positions is {fields['max_positions']} and --max_tokens {data.max_tokens}: longer pairs than there "
            "are learned positions would be trained on; raise the one or lower the other"
        )


def check_lengths(split: str, longest: int, fields: dict[str, Any]) -> None:
    """Make sure that learned positions reach to the end of every pair of a split that is scored, where none is dropped.

    Raises:
        ValueError: they do not.

    """
    if fields["positions"] == "learned" and fields["max_positions"] < longest:
        raise ValueError(
            f"{split} has a sentence of {longest} tokens, and there are {fields['max_positions']} learned positions; "
            f"raise --max_positions to {longest}, or take the sentence out of {split}"
        )


def check_metric(metric: str, task: Task, references: Sequence[str]) -> None:
    """Make sure that what the weights are to be chosen by can be measured on the validation set.

    Raises:
        ValueError: it cannot.

    """
    if metric in task.measured and (reason := task.unfit(metric, references)):
        raise ValueError(
            f"--metric_for_best_model is {metric}, which cannot be measured on the validation set: {reason}. Give "
            f"{task.measured[0]}, chrf, loss or perplexity"
        )


def check_network(checkpoint: Path, fields: dict[str, Any], told: dict[str, Any]) -> None:
    """Make sure that a network computes what that of the checkpoint computes.

    Args:
        checkpoint: with its config.json.
        fields: of `VaswaniConfig`, as the flags say.
        told: the same of before; `vocab_size` is what was asked for, and a small text may have given less.

    Raises:
        ValueError: it does not, with what differs.

    """
    then, now = VaswaniConfig.from_pretrained(checkpoint), VaswaniConfig(**fields)
    then.vocab_size = told["vocab_size"]
    changed = [
        f"{name} was {getattr(then, name)!r} and is {getattr(now, name)!r}"
        for name in fields
        if name not in LEARNING and getattr(then, name) != getattr(now, name)
    ]
    if changed:
        raise ValueError(
            f"{checkpoint} is of another network: {'; '.join(changed)}. Resume with what the run was started with, or "
            "start a new one in another --output_dir"
        )
