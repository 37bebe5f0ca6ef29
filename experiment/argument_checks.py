"""Checks, before the first step, of what would keep a run from reaching its end or from saving anything."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import TrainingArguments
from transformers.integrations.integration_utils import (
    INTEGRATION_TO_CALLBACK,
    get_available_reporting_integrations,
)
from transformers.trainer_utils import IntervalStrategy, SaveStrategy
from transformers.training_args import OptimizerNames

from vaswani.conversion import to_transformers
from vaswani.data import StreamMismatchError, TrainingStream
from vaswani.data.file_names import check_name
from vaswani.modeling import VaswaniConfig
from vaswani.modeling.configuration_vaswani import COMPUTED
from vaswani.publishing.native_section import BESIDE, INSTEAD
from vaswani.publishing.run_record import NetworkRecord, RunRecord, TrainingRecord
from vaswani.storage.records import as_json
from vaswani.training import VaswaniTrainingArguments

from .data_arguments import DataArguments
from .output_scoring import OutputScoring

AT_FAULT: dict[str, tuple[str, ...]] = {
    "data": (
        "dataset",
        "dataset_config",
        "data_dir",
        "direction",
        "directions",
        "train_split",
        "extra_dirs",
        "weights",
        "temperature",
        "drop_duplicates",
    ),
    "max_characters": ("max_tokens",),
    "user_symbols": ("user_tokens",),
    "source_scripts": ("check_script", "direction"),
    "target_scripts": ("check_script", "direction"),
}
"""The flags behind those parts of a stream's identity whose names differ from their flags."""


def check_leaves_checkpoints(training: VaswaniTrainingArguments) -> None:
    """Make sure that there will be checkpoints from which a run can choose its weights.

    Raises:
        ValueError: there will be none, or none that a run can resume from.

    """
    strategy = SaveStrategy(training.save_strategy).value
    if strategy not in ("steps", "best"):
        raise ValueError(
            f"--save_strategy is {strategy}, but the text has no end of an epoch, and a run's weights are chosen among "
            "its checkpoints: leave it at steps, and give --save_steps"
        )
    if strategy == "best" and IntervalStrategy(training.eval_strategy) == IntervalStrategy.NO:
        raise ValueError("--save_strategy best saves after evaluations, but with --eval_strategy no there are none")
    if training.save_only_model:
        raise ValueError("--save_only_model leaves checkpoints that no run can resume from; leave it out")


def check_names(training: VaswaniTrainingArguments, data: DataArguments) -> None:
    """Make sure that what is written can be written under the names that were given; raises ValueError if not.

    Text is read whatever its name is.
    """
    check_name(str(training.output_dir), "--output_dir")
    check_name(data.cache_dir, "--cache_dir")


def check_trackers(training: VaswaniTrainingArguments) -> None:
    """Make sure that the trackers that the run reports to are ready.

    Raises:
        ValueError: one is not installed, or unknown.

    """
    for name in training.report_to or []:
        if name not in INTEGRATION_TO_CALLBACK:
            raise ValueError(f"--report_to is {name}; give none, all, or some of {', '.join(INTEGRATION_TO_CALLBACK)}")
        try:
            INTEGRATION_TO_CALLBACK[name]()
        except (RuntimeError, ImportError) as error:
            installed = ", ".join(get_available_reporting_integrations()) or "none"
            raise ValueError(
                f"--report_to is {name}, which is not ready: {str(error).splitlines()[0]} Or leave it out: this "
                f"machine can report to {installed}"
            ) from error


def check_native(training: VaswaniTrainingArguments, fields: dict[str, Any], is_pushed: bool) -> None:
    """Make sure that the model can be pushed as a class of transformers' own, where that is asked for.

    Raises:
        ValueError: it cannot, or is not pushed at all.

    """
    if training.push_native is None:
        return
    if training.push_native not in (BESIDE, INSTEAD):
        raise ValueError(f"--push_native is {training.push_native}; give {BESIDE} or {INSTEAD}")
    if not is_pushed:
        raise ValueError(
            f"--push_native {training.push_native} says how to push, and the run pushes nothing; add --push_to_hub and "
            "--hub_model_id OWNER/NAME"
        )
    to_transformers.check(VaswaniConfig(**fields))


def check_positions(fields: dict[str, Any], data: DataArguments) -> None:
    """Make sure that there are learned positions for every token of the pairs that are trained on.

    Raises:
        ValueError: there are too few.

    """
    if fields["positions"] == "learned" and fields["max_positions"] < data.max_tokens:
        raise ValueError(
            f"--max_positions is {fields['max_positions']} and --max_tokens {data.max_tokens}: pairs can be longer "
            "than the learned positions; raise the first or lower the second"
        )


def check_lengths(split: str, longest: int, fields: dict[str, Any]) -> None:
    """Make sure that there are learned positions for every token of a split that is scored, where no pair is dropped.

    Raises:
        ValueError: there are too few.

    """
    if fields["positions"] == "learned" and fields["max_positions"] < longest:
        raise ValueError(
            f"{split} has a sentence of {longest} tokens, and there are {fields['max_positions']} learned positions; "
            f"raise --max_positions to {longest}, or take the sentence out of {split}"
        )


def check_metric(metric: str, task: OutputScoring, sources: Sequence[str], references: Sequence[str]) -> None:
    """Make sure that the metric by which the weights are chosen can be measured on the validation set.

    Raises:
        ValueError: it cannot.

    """
    if metric in task.measured and (reason := task.unfit(metric, sources, references)):
        raise ValueError(
            f"--metric_for_best_model is {metric}, which cannot be measured on the validation set: {reason}. Give "
            f"{', '.join(task.always)}, loss or perplexity"
        )


def check_optimizer(training: VaswaniTrainingArguments, before: TrainingRecord) -> None:
    """Make sure that a resumed run makes its steps by what it began with; raises ValueError if not."""
    if training.optimizer != before.optimizer:
        raise ValueError(
            f"--optimizer is {training.optimizer}, and the run began with {before.optimizer}, whose moments mean "
            f"something else: resume with --optimizer {before.optimizer}, or start anew in another --output_dir"
        )
    usual = OptimizerNames(TrainingArguments.optim).value
    now, then = OptimizerNames(training.optim).value, str(before.others.get("optim", usual))
    if now != then:
        raise ValueError(
            f"--optim is {now}, and the run began with {then}, which keeps other moments: resume with --optim {then}, "
            "or start anew in another --output_dir"
        )


def check_text(stream: TrainingStream, position: dict[str, Any], now: RunRecord, before: RunRecord) -> None:
    """Make sure that a saved position fits the text and its order, by going there.

    Args:
        stream: the run's.
        position: as the checkpoint has it.
        now: what run.json would hold for the present flags.
        before: what it holds from the start of the run.

    Raises:
        ValueError: it does not; the message names the flags that differ.

    """
    try:
        stream.restore(position)
    except StreamMismatchError as error:
        flags = [as_json(each.data) | {"seed": each.training.seed} for each in (before, now)]
        of_names = [AT_FAULT.get(name, (name,)) for name in error.changed]
        changed = [
            f"{flag} was {flags[0].get(flag)!r} and is {flags[1][flag]!r}"
            for flag in dict.fromkeys(flag for of_name in of_names for flag in of_name if flag in flags[1])
            if flags[0].get(flag) != flags[1][flag]
        ]
        if not changed and "data" in error.changed:
            changed = ["the flags are the same, and the text itself has changed since"]
        elif not changed and "tokenizer" in error.changed:
            changed = ["tokenizer.json in the run's folder is not the one that the run trained with"]
        if not changed:
            raise
        raise ValueError(
            f"the saved position does not fit this run: {'; '.join(changed)}. Resume with what the run was started "
            "with, or start a new one in another --output_dir"
        ) from error


def check_scored_texts(now: RunRecord, before: RunRecord) -> list[str]:
    """Make sure that a resumed run validates on the text on which it has validated; return remarks on other sets.

    Raises:
        ValueError: the text of the validation set, by which the weights are chosen, is another one.

    """
    then, name = before.scored_texts.get(before.data.validation_split), now.data.validation_split
    if then not in (None, now.scored_texts[name]):
        raise ValueError(
            f"the text of {name}, by which the weights are chosen, is not the one on which this run has validated "
            f"(fingerprint {now.scored_texts[name][:12]}, then {then[:12]}): figures of two texts cannot be compared. "
            "Restore it, or start anew in another --output_dir"
        )
    return [
        f"Note: the text of {other} has changed since the run began; earlier figures are of the text as it was"
        for other, digits in now.scored_texts.items()
        if other != name and before.scored_texts.get(other, digits) != digits
    ]


def check_network(checkpoint: Path, fields: dict[str, Any], before: NetworkRecord) -> None:
    """Make sure that a network computes the same as the network of the checkpoint.

    Args:
        checkpoint: with its config.json.
        fields: of `VaswaniConfig`, as the flags say.
        before: the network as run.json has it; `vocab_size` is what was asked for, and a small text may have given
            less.

    Raises:
        ValueError: it does not; the message names what differs.

    """
    then, now = VaswaniConfig.from_pretrained(checkpoint), VaswaniConfig(**fields)
    then.vocab_size = before.vocab_size
    changed = [
        f"{name} was {getattr(then, name)!r} and is {getattr(now, name)!r}"
        for name in fields
        if name in COMPUTED and getattr(then, name) != getattr(now, name)
    ]
    if changed:
        raise ValueError(
            f"{checkpoint} is of another network: {'; '.join(changed)}. Resume with what the run was started with, or "
            "start a new one in another --output_dir"
        )
