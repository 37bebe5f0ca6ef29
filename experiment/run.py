"""One run from the first flag to the last picture, in the order of its steps."""

import os
import time
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from tqdm import tqdm
from transformers import GenerationConfig, set_seed
from transformers.utils import logging as transformers_logging

from vaswani.data.position import read_position
from vaswani.evaluation.scores import blank_lines
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.plots import draw_learning_curve, save
from vaswani.publishing import MetricsRecord, read_run, write_metrics
from vaswani.publishing.metrics_record import (
    BestRecord,
    EndedRecord,
    ExampleRecord,
    ScoredPairsRecord,
    ScoreRecord,
    SearchRecord,
)
from vaswani.publishing.overlap import overlap_as_text
from vaswani.storage import atomic_files
from vaswani.storage.records import as_json
from vaswani.training import VaswaniTrainer, VaswaniTrainingArguments
from vaswani.training.checkpointing.checkpoints import check_parts, newest_whole, sealed, set_aside
from vaswani.training.distribution.peers import peer_lost_on_timeout
from vaswani.training.distribution.startup_checks import describe_run
from vaswani.training.speed.fastest_attention import fastest_attention
from vaswani.training.trainer import POSITION

from .argument_checks import (
    check_leaves_checkpoints,
    check_lengths,
    check_metric,
    check_names,
    check_network,
    check_positions,
    check_text,
    check_trackers,
)
from .arguments import Arguments
from .checkpoint_selection import load_best
from .console import counted, say, summary
from .corpora import (
    open_training_corpus,
    read_pairs,
    scored_splits,
    training_cleaning_limits,
    training_stream,
    training_tokenizer,
)
from .error_messages import (
    exit_on_bad_input,
    exit_on_full_disk,
    exit_on_interrupt,
    exit_on_lost_source,
    exit_on_tracker_error,
    exit_on_training_end,
)
from .final_scores import ScoredTestSet, write_test_set
from .main_process import on_main_process
from .more_steps import check_shares, earlier_scores, reason_to_stop
from .output_scoring import scoring_of
from .overlap import find_test_overlap
from .publication import Publication
from .run_folder import Done, RecordStart, describe, take_folder, write_json, write_skipped
from .training_sentences import text_of
from .validation import PairSet, SearchSettings, translate_all, validate


def run(arguments: Arguments) -> MetricsRecord:
    """Learn the tokenizer, train, choose by validation, score the test sets, and leave all of it in --output_dir.

    Returns:
        What metrics.json holds.

    Raises:
        SystemExit: with the reason on stderr; code 2 if the data, the folder or the disk cannot be used, another one if
            training ends early (`vaswani.training.exceptions`).

    """
    training = arguments.training
    folder = str(training.output_dir)
    with (
        exit_on_interrupt(Path(folder)),
        exit_on_training_end(),
        exit_on_full_disk(folder),
        peer_lost_on_timeout(training.ddp_timeout),
    ):
        return from_text_to_scores(arguments)


def from_text_to_scores(arguments: Arguments) -> MetricsRecord:
    """Do what `run` does, but raise the exceptions that it turns into messages and exit codes."""
    model_fields, data, training = arguments
    metric = str(training.metric_for_best_model).removeprefix("eval_")
    task = scoring_of(data, metric)
    state = PartialState()
    folder = Path(str(training.output_dir))
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    description = describe(arguments)
    publication = Publication(training, description)

    def claim_folder() -> Done | None:
        done = take_folder(folder, training.resume, description, lambda: reason_to_stop(folder, training))
        if done is None:
            publication.begin()
        return done

    with exit_on_bad_input():
        check_names(training, data)
        check_leaves_checkpoints(training)
        check_trackers(training)
        check_positions(model_fields, data)
        done = on_main_process(claim_folder)
        if done is not None:
            say(f"{folder} holds a run that has ended; there is nothing to do: {done.why}")
            return done.metrics
        train = open_training_corpus(data)
        description = publication.run = replace(description, training_text=text_of(train))
        scored = {split: read_pairs(data, split) for split in scored_splits(data)}
        in_training = find_test_overlap(
            train,
            {split: pairs for split, (pairs, _) in scored.items()},
            training_cleaning_limits(data),
            data,
            training.seed,
        )
        if in_training is not None:
            say("\n".join(overlap_as_text(in_training)))
        tokenizer = training_tokenizer(train, arguments, folder)
        sets = {split: PairSet(pairs, tokenizer, data.tokens_per_batch, task) for split, (pairs, _) in scored.items()}
        for split, pairs in sets.items():
            check_lengths(split, pairs.longest, model_fields)
        check_metric(metric, task, sets[data.validation_split].sources, sets[data.validation_split].references)
        remarks = {split: task.remarks(pairs.references) for split, pairs in sets.items()}
        for split, said in remarks.items():
            for remark in said:
                say(f"{split}: {remark}")
        stream = training_stream(train, tokenizer, arguments)
        checkpoint = on_main_process(lambda: checkpoint_to_resume(folder)) if training.resume else None
        if checkpoint is not None:
            before, position = on_main_process(lambda: (read_run(folder), read_position(checkpoint / POSITION)))
            on_main_process(lambda: check_network(checkpoint, model_fields, before.model))
            check_shares(training, before.training)
            check_text(stream, as_json(position), description, before)

    model = new_model(model_fields | {"vocab_size": len(tokenizer)}, training)
    validation_set = sets[data.validation_split]
    quick = SearchSettings(training.validation_beams, training.length_penalty)
    trainer = VaswaniTrainer(model, training, stream, lambda model: validate(model, validation_set, quick), tokenizer)
    publication.trainer = trainer
    trainer.add_callback(publication)
    trainer.add_callback(RecordStart(folder, description))
    line = describe_run(model, training, trainer.accelerator, data.tokens_per_batch, data.widths)
    say(f"{len(tokenizer):,} tokens; {line}")
    if training.device.type == "cpu" and torch.get_num_threads() * state.num_processes < (os.cpu_count() or 1):
        say(f"Note: {torch.get_num_threads()} thread(s) a process on {os.cpu_count()} cores; see OMP_NUM_THREADS")
    started = time.monotonic()
    with exit_on_lost_source(), exit_on_tracker_error(), publication.during_training():
        try:
            trainer.train_from(checkpoint)
        finally:
            write_skipped(folder, stream.drops([stream.notes()]), state.process_index)
    seconds = time.monotonic() - started
    ending, best = trainer.ended(), trainer.best()
    say(f"{ending.as_text}, after {tqdm.format_interval(seconds)}")
    if best.step is not None:
        say(f"Best while training: step {best.step:,}, {best.as_text(trainer.metric)}")

    trained = trainer.whole_model()
    search = SearchSettings(training.test_beams, training.length_penalty)
    selection, of_validation = load_best(trainer, trained, validation_set, search)
    drops = stream.drops(gather_object([stream.notes()]))
    tested: dict[str, ScoredTestSet] = {}
    for split in dict.fromkeys(data.test_splits):
        if split == data.validation_split:
            translations = of_validation
        else:
            say(f"Translating {split}: {len(sets[split].sources):,} sentences, {search.num_beams} beam(s)")
            translations = translate_all(trained, sets[split], search, progress=True)
        tested[split] = write_test_set(folder, split, sets[split], translations)
    scored_pairs = {
        split: ScoredPairsRecord(**vars(counted(each)), blank_references=len(blank_lines(sets[split].references)))
        for split, (_, each) in scored.items()
    }
    metrics = MetricsRecord(
        parameters=trained.num_parameters(),
        steps=trainer.state.global_step,
        ended=EndedRecord(*ending),
        best_while_training=None if best.step is None else BestRecord(best.step, best.by(trainer.metric)),
        training_seconds=round(seconds, 1),
        ended_on=date.today().isoformat(),
        resumed_from=checkpoint.name if checkpoint else None,
        training_pairs=counted(drops),
        scored_pairs=scored_pairs,
        test_text_in_training=in_training,
        chosen=selection.chosen,
        chosen_by=selection.chosen_by,
        validation=selection.validation,
        candidates=selection.candidates,
        search=SearchRecord(search.num_beams, search.length_penalty),
        test={
            split: {name: ScoreRecord(*score) for name, score in each.scores.items()} for split, each in tested.items()
        },
        not_scored={split: (lost,) for split in tested if (lost := scored_pairs[split].lost)},
        left_out={split: each.left_out for split, each in tested.items() if each.left_out},
        remarks={split: tuple(said) for split, said in remarks.items() if said},
        earlier=earlier_scores(folder) if state.is_main_process else {},
        examples=tuple(ExampleRecord(split=split, **each) for split, of in tested.items() for each in of.examples),
    )
    if state.is_main_process:
        with atomic_files(folder) as draft:
            trained.save_pretrained(draft)
            tokenizer.save_pretrained(draft)
        write_json(folder / "history.json", trainer.state.log_history)
        title = f"{folder.name}: {data.source} to {data.target}"
        save(draw_learning_curve(trainer.state.log_history, title), folder / "curve")
        write_metrics(folder, metrics)  # last: a run that has it has ended
        say(summary(metrics, drops, folder))
    state.wait_for_everyone()
    if state.is_main_process:
        with exit_on_bad_input():
            publication.end(folder, metrics)
    return metrics


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
        use_cache=config.use_cache,
        num_beams=training.test_beams,
        extra_tokens=training.extra_tokens,
    )
    if training.test_beams > 1:  # a greedy search has none, and transformers would not save one
        generation.length_penalty = training.length_penalty
    model.generation_config = generation
    return model


def checkpoint_to_resume(folder: Path) -> Path | None:
    """Return the newest complete checkpoint, and report which newer ones were skipped; damaged ones are set aside.

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
