"""One run from the first flag to the last picture, in the order of its steps."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from tqdm import tqdm
from transformers import GenerationConfig, PreTrainedModel, set_seed
from transformers.utils import logging as transformers_logging

from vaswani.data import Drops
from vaswani.data.directions import languages_of
from vaswani.engines.native import Validation, export_native
from vaswani.evaluation.scores import blank_lines
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.publishing import MetricsRecord, RunRecord, write_metrics
from vaswani.publishing.metrics_record import (
    BestRecord,
    EndedRecord,
    ExampleRecord,
    ScoredPairsRecord,
    ScoreRecord,
    SearchRecord,
)
from vaswani.publishing.native_record import NativeRecord
from vaswani.storage import atomic_files
from vaswani.training import VaswaniTrainer, VaswaniTrainingArguments
from vaswani.training.distribution.peers import peer_lost_on_timeout
from vaswani.training.distribution.startup_checks import describe_run
from vaswani.training.speed.fastest_attention import fastest_attention
from vaswani.training.validation_figures import figures_as_text

from .argument_checks import (
    check_leaves_checkpoints,
    check_names,
    check_native,
    check_positions,
    check_trackers,
)
from .arguments import Arguments
from .checkpoint_selection import Selection, load_best
from .common_settings import check_settings
from .console import counted, say, summary
from .early_signals import exit_on_signal
from .error_messages import (
    exit_on_bad_input,
    exit_on_disk_error,
    exit_on_interrupt,
    exit_on_lost_source,
    exit_on_tracker_error,
    exit_on_training_end,
)
from .final_scores import ScoredTestSet, write_test_set
from .main_process import on_main_process
from .more_steps import earlier_scores, reason_to_stop
from .parent import load_weights_of, start_of
from .preparation import Prepared, prepare
from .publication import Publication
from .run_folder import Done, RecordStart, describe, take_folder, write_json, write_skipped
from .validation import PairSet, SearchSettings, translate_all, validate_all, validate_further


def run(arguments: Arguments) -> MetricsRecord:
    """Learn the tokenizer, train, choose by validation, score the test sets, and leave all of it in --output_dir.

    Returns:
        What metrics.json holds.

    Raises:
        SystemExit: with the reason on stderr; code 2 if the data, the folder or the disk cannot be used, another one if
            training ends early (`vaswani.training.exceptions`).

    """
    training = arguments.training
    folder = Path(str(training.output_dir))
    with (
        exit_on_signal(folder),
        exit_on_interrupt(folder),
        exit_on_training_end(),
        exit_on_disk_error(folder),
        peer_lost_on_timeout(training.ddp_timeout),
    ):
        check_settings(arguments)  # first: unlike processes would wait in unlike places
        return from_text_to_scores(arguments)


class Trained(NamedTuple):
    """A run whose training has come to its end."""

    trainer: VaswaniTrainer
    model: PreTrainedModel
    """The whole network."""
    seconds: float
    """Of training, since this start."""


class Scored(NamedTuple):
    """What a run's weights are, and how good."""

    selection: Selection
    search: SearchSettings
    tested: Mapping[str, ScoredTestSet]
    """By name."""


def from_text_to_scores(arguments: Arguments) -> MetricsRecord:
    """Do what `run` does, but raise the exceptions that it turns into messages and exit codes."""
    folder = Path(str(arguments.training.output_dir))
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    with exit_on_bad_input():
        start = on_main_process(lambda: start_of(arguments, folder))
    arguments = start.apply(arguments)
    description = replace(describe(arguments), parent=start.parent)
    publication = Publication(arguments.training, description)
    with exit_on_bad_input():
        done = claim_folder(arguments, description, publication)
        if done is not None:
            say(f"{folder} holds a run that has ended; there is nothing to do: {done.why}")
            return done.metrics
        for remark in start.remarks:
            say(remark)
        prepared = prepare(arguments, description)
        publication.run = prepared.description
    trained = train(arguments, prepared, publication)
    scored = score(trained, prepared, arguments)
    drops = prepared.stream.drops(gather_object([prepared.stream.notes()]))
    metrics = metrics_of(trained, prepared, scored, drops)
    state = PartialState()
    if state.is_main_process:
        metrics = replace(metrics, earlier=earlier_scores(folder))
        leave(arguments, trained, prepared, metrics)
        say(summary(metrics, drops, folder))
    state.wait_for_everyone()
    if state.is_main_process:
        validation_set = prepared.sets[arguments.data.validation_split]
        with exit_on_bad_input():
            publication.end(folder, metrics, lambda draft: export_as_native(trained.model, validation_set, draft))
    return metrics


def claim_folder(arguments: Arguments, description: RunRecord, publication: Publication) -> Done | None:
    """Check a run's settings, claim its folder, and ask the Hub; or return the finished run that the folder holds.

    Raises:
        ValueError: a flag does not fit, or the folder or the Hub cannot be used.

    """
    data, training = arguments.data, arguments.training
    folder = Path(str(training.output_dir))

    def claim() -> Done | None:
        done = take_folder(folder, training.resume, description, lambda: reason_to_stop(folder, training))
        if done is None:
            publication.begin()
        return done

    check_names(training, data)
    check_leaves_checkpoints(training)
    check_trackers(training)
    check_positions(arguments.model, data)
    check_native(training, arguments.model, is_pushed=publication.target is not None)
    return on_main_process(claim)


def train(arguments: Arguments, prepared: Prepared, publication: Publication) -> Trained:
    """Train to the end, and say what is trained, on what, and how it ended."""
    data, training, tokenizer = arguments.data, arguments.training, prepared.tokenizer
    folder, processes = Path(str(training.output_dir)), PartialState().num_processes
    model = new_model(arguments.model | {"vocab_size": len(tokenizer)}, training)
    if (parent := prepared.description.parent) is not None and prepared.checkpoint is None:
        with exit_on_bad_input():
            carried = load_weights_of(parent, model, tokenizer)
        if parent.is_vocabulary_new:
            say(f"{len(tokenizer):,} tokens: {carried.copied:,} as in {parent.given}, {carried.drawn:,} drawn anew")
    validation_set = prepared.sets[data.validation_split]
    quick = SearchSettings(training.validation_beams, training.length_penalty)
    trainer = VaswaniTrainer(
        model,
        training,
        prepared.stream,
        lambda model: validate_all(model, validation_set, prepared.further, quick, lambda: trainer.is_asked_to_end),
        tokenizer,
    )
    publication.trainer = trainer
    trainer.add_callback(publication)
    trainer.add_callback(RecordStart(folder, prepared.description))
    line = describe_run(model, training, trainer.accelerator, data.tokens_per_batch, data.widths)
    say(f"{len(tokenizer):,} tokens; {line}")
    if training.device.type == "cpu" and torch.get_num_threads() * processes < (os.cpu_count() or 1):
        say(f"Note: {torch.get_num_threads()} thread(s) a process on {os.cpu_count()} cores; see OMP_NUM_THREADS")
    if trainer.keep is not None and trainer.keep < training.average_checkpoints:
        say(
            f"Note: --average_checkpoints {training.average_checkpoints} averages no more than the "
            f"{trainer.keep} that --save_total_limit keeps"
        )
    started = time.monotonic()
    with exit_on_lost_source(), exit_on_tracker_error(), publication.during_training():
        try:
            trainer.train_from(prepared.checkpoint)
        finally:
            drops = prepared.stream.drops([prepared.stream.notes()])
            write_skipped(folder, drops, PartialState().process_index)
    seconds = time.monotonic() - started
    ending, best = trainer.ended(), trainer.best()
    say(f"{ending.as_text}, after {tqdm.format_interval(seconds)}")
    if best.step is not None:
        say(f"Best while training: step {best.step:,}, {best.as_text(trainer.metric)}")
    return Trained(trainer, trainer.whole_model(), seconds)


def score(trained: Trained, prepared: Prepared, arguments: Arguments) -> Scored:
    """Choose the weights by validation, load them, and translate and score the test sets with them."""
    data, training = arguments.data, arguments.training
    search = SearchSettings(training.test_beams, training.length_penalty)
    validation_set = prepared.sets[data.validation_split]
    selection, of_validation = load_best(trained.trainer, trained.model, validation_set, search)
    if prepared.further:
        more = validate_further(trained.model, prepared.further, search)
        selection = selection._replace(validation=selection.validation | more)
        say(f"The weights chosen: validation {figures_as_text(selection.validation, trained.trainer.metric)}")
    tested: dict[str, ScoredTestSet] = {}
    is_tested = data.validation_split in data.test_splits and not data.directions  # else it is there by its direction
    tests = [name for name in prepared.sets if name != data.validation_split or is_tested]
    for name in tests:
        pairs, translations = prepared.sets[name], of_validation
        if name != data.validation_split:
            say(f"Translating {name}: {len(pairs.sources):,} sentences, {search.num_beams} beam(s)")
            translations = translate_all(trained.model, pairs, search, progress=True)
        tested[name] = write_test_set(Path(str(training.output_dir)), name, pairs, translations)
    return Scored(selection, search, tested)


def metrics_of(trained: Trained, prepared: Prepared, scored: Scored, drops: Drops) -> MetricsRecord:
    """Return what metrics.json holds of this start; `drops` are those of the training text."""
    trainer, selection, tested = trained.trainer, scored.selection, scored.tested
    best, checkpoint = trainer.best(), prepared.checkpoint
    scored_pairs = {
        split: ScoredPairsRecord(
            **vars(counted(each)), blank_references=len(blank_lines(prepared.sets[split].references))
        )
        for split, each in prepared.left_out.items()
    }
    return MetricsRecord(
        parameters=trained.model.num_parameters(),
        steps=trainer.state.global_step,
        ended=EndedRecord(*trainer.ended()),
        best_while_training=None if best.step is None else BestRecord(best.step, best.by(trainer.metric)),
        training_seconds=round(trained.seconds, 1),
        ended_on=date.today().isoformat(),
        resumed_from=checkpoint.name if checkpoint else None,
        training_pairs=counted(drops),
        scored_pairs=scored_pairs,
        test_text_in_training=prepared.in_training,
        chosen=selection.chosen,
        chosen_by=selection.chosen_by,
        validation=selection.validation,
        candidates=selection.candidates,
        search=SearchRecord(scored.search.num_beams, scored.search.length_penalty),
        test={
            split: {name: ScoreRecord(*found) for name, found in each.scores.items()} for split, each in tested.items()
        },
        not_scored={split: (lost,) for split in tested if (lost := scored_pairs[split].lost)},
        left_out={split: each.left_out for split, each in tested.items() if each.left_out},
        remarks={split: tuple(said) for split, said in prepared.remarks.items() if said},
        examples=tuple(ExampleRecord(split=split, **each) for split, of in tested.items() for each in of.examples),
    )


def leave(arguments: Arguments, trained: Trained, prepared: Prepared, metrics: MetricsRecord) -> None:
    """Leave model, vocabulary, history, curve and metrics in the run's folder."""
    from vaswani.plots import draw_learning_curve, save  # a twelfth of a start's imports, and not for its steps

    folder, history = Path(str(arguments.training.output_dir)), trained.trainer.state.log_history
    with atomic_files(folder) as draft:
        trained.model.save_pretrained(draft)
        prepared.tokenizer.save_pretrained(draft)
    write_json(folder / "history.json", history)
    directions = " and ".join(" to ".join(languages_of(each)) for each in arguments.data.of_each_direction())
    title = f"{folder.name}: {directions}"
    save(draw_learning_curve(history, title), folder / "curve")
    write_metrics(folder, metrics)  # last: a run that has it has ended


def export_as_native(model: PreTrainedModel, pairs: PairSet, folder: Path) -> NativeRecord:
    """Write a run's model as a class of transformers' own; its length penalty is chosen on the validation set."""
    assert isinstance(model, VaswaniForConditionalGeneration)
    metric = pairs.task.measured[0]

    def figure(lines: Sequence[str]) -> float:
        return pairs.task.figure(metric, pairs.sources, pairs.references, lines)

    return export_native(model, pairs.tokenizer, folder, validation=Validation(metric, pairs.inputs, figure), say=say)


def new_model(fields: dict[str, Any], training: VaswaniTrainingArguments) -> VaswaniForConditionalGeneration:
    """Return the network, with random weights from the seed."""
    set_seed(training.seed)
    model = VaswaniForConditionalGeneration(VaswaniConfig(**fields))
    model.set_attn_implementation(fastest_attention(training.device, training.in_16_bits))
    config = model.config
    generation: Any = GenerationConfig(
        bos_token_id=config.bos_token_id,
        eos_token_id=config.eos_token_id,
        pad_token_id=config.pad_token_id,
        decoder_start_token_id=config.decoder_start_token_id,
        use_cache=training.use_cache,
        num_beams=training.test_beams,
        extra_tokens=training.extra_tokens,
    )
    if training.test_beams > 1:  # a greedy search has none, and transformers would not save one
        generation.length_penalty = training.length_penalty
    model.generation_config = generation
    return model
