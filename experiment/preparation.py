"""The text that a run trains and is scored on: opened, checked and, in a resumed run, at its saved position."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from transformers import PreTrainedTokenizerFast

from vaswani.data import Drops, Pair, TrainingStream
from vaswani.data.position import read_position
from vaswani.publishing import RunRecord, read_run
from vaswani.publishing.metrics_record import OverlapRecord
from vaswani.publishing.overlap import overlap_as_text
from vaswani.storage.records import as_json
from vaswani.training.argument_checks import metric_of
from vaswani.training.checkpointing.checkpoints import check_parts, newest_whole, sealed, set_aside, step_of
from vaswani.training.trainer import POSITION

from .argument_checks import check_lengths, check_metric, check_network, check_optimizer, check_scored_texts, check_text
from .arguments import Arguments
from .common_settings import check_texts, fingerprint_of
from .console import say
from .corpora import (
    ScoredText,
    further_texts,
    open_training_corpus,
    read_pairs,
    scored_texts,
    training_cleaning_limits,
    training_stream,
)
from .main_process import on_main_process
from .more_steps import check_shares, remark_on_cooldown
from .output_scoring import OutputScoring, scoring_of
from .overlap import find_test_overlap
from .parent import tokenizer_of
from .training_sentences import text_of
from .validation import PairSet


class Prepared(NamedTuple):
    """The text that a run trains and is scored on, opened and checked."""

    description: RunRecord
    """What run.json holds."""
    tokenizer: PreTrainedTokenizerFast
    stream: TrainingStream
    """At the position where training begins."""
    sets: Mapping[str, PairSet]
    """By name: validation first, then the test sets."""
    further: Mapping[str, PairSet]
    """Validation sets that choose nothing, by name."""
    left_out: Mapping[str, Drops]
    """For each of these, what was left out and why."""
    in_training: OverlapRecord | None
    """How much of them occurs in the training text."""
    remarks: Mapping[str, list[str]]
    """Remarks on the scores of each."""
    checkpoint: Path | None
    """The checkpoint from which training resumes."""


def prepare(arguments: Arguments, description: RunRecord) -> Prepared:
    """Open and check the text that a run trains and is scored on; learn its vocabulary, unless it is kept.

    Args:
        arguments: the run's settings.
        description: what run.json holds of them.

    Raises:
        ValueError: the text cannot be used, or is not the one that the run began with.

    """
    data, training = arguments.data, arguments.training
    folder = Path(str(training.output_dir))
    train = open_training_corpus(data)
    description = replace(description, training_text=text_of(train))
    texts = scored_texts(data)
    scored = {name: read_pairs(each.data, each.split) for name, each in texts.items()}
    pairs_of = {name: pairs for name, (pairs, _) in scored.items()}
    further_pairs = {name: read_pairs(text.data, text.split)[0] for name, text in further_texts(data).items()}
    further_by_key = {f"{name} (validation)": pairs for name, pairs in further_pairs.items()}  # a test set may share it
    found = {name: fingerprint_of(pairs) for name, pairs in (pairs_of | further_by_key).items()}
    description = replace(description, scored_texts=found)
    check_texts(data, train, found)
    in_training = find_test_overlap(train, pairs_of, training_cleaning_limits(data), data, training.seed)
    if in_training is not None:
        say("\n".join(overlap_as_text(in_training)))
    tokenizer = tokenizer_of(train, arguments, description.parent, folder)

    def pair_set(text: ScoredText, pairs: Sequence[Pair]) -> PairSet:
        task = scoring_of(text.data, metric_of(training))
        return PairSet(pairs, tokenizer, data.tokens_per_batch, task, text.tag)

    sets = {name: pair_set(texts[name], pairs) for name, pairs in pairs_of.items()}
    further = {name: pair_set(text, further_pairs[name]) for name, text in further_texts(data).items()}
    for each in further.values():
        each.task = measurable(each)
    remarks = check_sets(sets, arguments)
    for name, each in further.items():
        check_lengths(name, each.longest, arguments.model)
    stream = training_stream(train, tokenizer, arguments)
    checkpoint = on_main_process(lambda: checkpoint_to_resume(folder)) if training.resume else None
    if checkpoint is not None:
        before, position = on_main_process(lambda: (read_run(folder), read_position(checkpoint / POSITION)))
        on_main_process(lambda: check_network(checkpoint, arguments.model, before.model))
        check_shares(training, before.training)
        check_optimizer(training, before.training)
        check_text(stream, as_json(position), description, before)
        for remark in check_scored_texts(description, before):
            say(remark)
        if risen := remark_on_cooldown(training, before.training, step_of(checkpoint)):
            say(risen)
    left_out = {split: drops for split, (_, drops) in scored.items()}
    return Prepared(description, tokenizer, stream, sets, further, left_out, in_training, remarks, checkpoint)


def measurable(pairs: PairSet) -> OutputScoring:
    """Return the task of a set without figures that cannot be measured on it, such as those of another language."""
    task = pairs.task
    measured = tuple(each for each in task.measured if task.unfit(each, pairs.sources, pairs.references) is None)
    return task._replace(measured=measured)


def check_sets(sets: Mapping[str, PairSet], arguments: Arguments) -> dict[str, list[str]]:
    """Make sure that the sets can be scored; print, and return by name, the remarks on their scores.

    Raises:
        ValueError: a sentence is longer than the positions, or the metric that chooses the weights cannot be measured.

    """
    for name, pairs in sets.items():
        check_lengths(name, pairs.longest, arguments.model)
    validation = sets[arguments.data.validation_split]
    check_metric(metric_of(arguments.training), validation.task, validation.sources, validation.references)
    remarks = {name: pairs.task.remarks(pairs.references) for name, pairs in sets.items()}
    for name, said in remarks.items():
        for remark in said:
            say(f"{name}: {remark}")
    return remarks


def checkpoint_to_resume(folder: Path) -> Path | None:
    """Return the newest complete checkpoint, and report which newer ones were skipped; damaged ones are set aside.

    The choice is that of `newest_whole` in training/checkpointing/checkpoints.py.

    Raises:
        ValueError: there are checkpoints that were saved completely, and none is complete now; or a part is missing.

    """
    checkpoint, skipped = newest_whole(folder)
    for name, reason in skipped.items():
        say(f"Skipping {name}: {reason}")
    if checkpoint is None and sealed(folder):
        raise ValueError(
            f"no checkpoint of {folder} is complete any more, so --resume would start anew; restore one, or name "
            "another --output_dir to start anew"
        )
    if checkpoint is not None:
        check_parts(checkpoint)
    set_aside(folder, skipped)
    say(f"Resuming from {checkpoint.name}" if checkpoint else f"{folder} has no checkpoint yet; starting anew")
    return checkpoint
