"""One run from the first flag to the last picture, in the order of its steps."""

import os
import time
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from tqdm import tqdm
from transformers import GenerationConfig, set_seed
from transformers.utils import logging as transformers_logging

from vaswani.evaluation.scores import blank_lines
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.plots import draw_learning_curve, save
from vaswani.publishing import METRICS
from vaswani.publishing.records import not_scored, read_json
from vaswani.training import VaswaniTrainer, VaswaniTrainingArguments
from vaswani.training.attention import fastest_attention
from vaswani.training.checkpoints import check_parts, newest_whole, sealed, set_aside
from vaswani.training.peers import named_when_lost
from vaswani.training.startup import what_runs
from vaswani.training.trainer import POSITION

from .agreement import by_main
from .arguments import Arguments
from .errors import (
    told_of_endings,
    told_of_source,
    told_of_trackers,
    told_plainly,
    told_when_full,
    told_when_interrupted,
)
from .feasible import (
    check_leaves_checkpoints,
    check_lengths,
    check_metric,
    check_names,
    check_network,
    check_positions,
    check_text,
    check_trackers,
)
from .kept import joint_tokenizer
from .longer import check_shares, earlier_scores, nothing_to_do
from .overlap import overlap
from .publication import Publication
from .report import counted, say, summary
from .run_folder import Done, Retelling, describe, take, told_before, write_json, write_skipped
from .selection import load_best
from .task import task_of
from .test_set import leave_test_set
from .texts import open_training_corpus, read_pairs, scored_splits, training_limits, training_stream
from .training_sentences import TRAINING_TEXT, text_of
from .validation import PairSet, Search, translate_all, validate


def run(arguments: Arguments) -> dict[str, Any]:
    """Learn the tokenizer, train, choose by validation, score the test sets, and leave all of it in --output_dir.

    Returns:
        What metrics.json holds.

    Raises:
        SystemExit: with the reason on stderr; code 2 if the data, the folder or the disk does not serve, another one
            if training ends early (`vaswani.training.endings`).

    """
    training = arguments.training
    folder = str(training.output_dir)
    with (
        told_when_interrupted(Path(folder)),
        told_of_endings(),
        told_when_full(folder),
        named_when_lost(training.ddp_timeout),
    ):
        return from_text_to_scores(arguments)


def from_text_to_scores(arguments: Arguments) -> dict[str, Any]:
    """Do what `run` does, with the exceptions that it turns into messages and exit codes."""
    model_fields, data, training = arguments
    metric = str(training.metric_for_best_model).removeprefix("eval_")
    task = task_of(data, metric)
    state = PartialState()
    folder = Path(str(training.output_dir))
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    description = describe(arguments)
    publication = Publication(training, description)

    def take_folder() -> Done | None:
        done = take(folder, training.resume, description, lambda: nothing_to_do(folder, training))
        if done is None:
            publication.begin()
        return done

    with told_plainly():
        check_names(training, data)
        check_leaves_checkpoints(training)
        check_trackers(training)
        check_positions(model_fields, data)
        done = by_main(take_folder)
        if done is not None:
            say(f"{folder} holds a run that has ended; there is nothing to do: {done.why}")
            return done.metrics
        train = open_training_corpus(data)
        description[TRAINING_TEXT] = text_of(train)
        scored = {split: read_pairs(data, split) for split in scored_splits(data)}
        in_training = overlap(
            train, {split: pairs for split, (pairs, _) in scored.items()}, training_limits(data), data, training.seed
        )
        if in_training is not None:
            say(in_training.told())
        tokenizer = joint_tokenizer(
            train, model_fields["vocab_size"], training_limits(data), data, training.seed, folder
        )
        sets = {split: PairSet(pairs, tokenizer, data.tokens_per_batch, task) for split, (pairs, _) in scored.items()}
        for split, pairs in sets.items():
            check_lengths(split, pairs.longest, model_fields)
        check_metric(metric, task, sets[data.validation_split].references)
        remarks = {split: task.remarks(pairs.references) for split, pairs in sets.items()}
        for split, said in remarks.items():
            for remark in said:
                say(f"{split}: {remark}")
        stream = training_stream(train, tokenizer, arguments)
        checkpoint = by_main(lambda: checkpoint_to_resume(folder)) if training.resume else None
        if checkpoint is not None:
            before, position = by_main(lambda: (told_before(folder), read_json(checkpoint / POSITION)))
            by_main(lambda: check_network(checkpoint, model_fields, before["model"]))
            check_shares(training, before["training"])
            check_text(stream, position, description, before)

    model = new_model(model_fields | {"vocab_size": len(tokenizer)}, training)
    validation_set = sets[data.validation_split]
    quick = Search(training.validation_beams, training.length_penalty)
    trainer = VaswaniTrainer(model, training, stream, lambda model: validate(model, validation_set, quick), tokenizer)
    publication.trainer = trainer
    trainer.add_callback(publication)
    trainer.add_callback(Retelling(folder, description))
    told = what_runs(model, training, trainer.accelerator, data.tokens_per_batch, data.widths)
    say(f"{len(tokenizer):,} symbols; {told}")
    if training.device.type == "cpu" and torch.get_num_threads() * state.num_processes < (os.cpu_count() or 1):
        say(f"Note: {torch.get_num_threads()} thread(s) a process on {os.cpu_count()} cores; see OMP_NUM_THREADS")
    started = time.monotonic()
    with told_of_source(), told_of_trackers(), publication.during_training():
        try:
            trainer.train_from(checkpoint)
        finally:
            write_skipped(folder, stream.drops([stream.notes()]), state.process_index)
    seconds = time.monotonic() - started
    ending, best = trainer.ended(), trainer.best()
    say(f"{ending.told}, after {tqdm.format_interval(seconds)}")
    if best.step is not None:
        say(f"Best while training: step {best.step:,}, {best.told(trainer.metric)}")

    trained = trainer.whole_model()
    search = Search(training.test_beams, training.length_penalty)
    selection, of_validation = load_best(trainer, trained, validation_set, search)
    drops = stream.drops(gather_object([stream.notes()]))
    metrics: dict[str, Any] = {
        "parameters": trained.num_parameters(),
        "steps": trainer.state.global_step,
        "ended": ending._asdict(),
        "best_while_training": None if best.step is None else {"step": best.step, "by": best.by(trainer.metric)},
        "training_seconds": round(seconds, 1),
        "ended_on": date.today().isoformat(),
        "resumed_from": checkpoint.name if checkpoint else None,
        "training_pairs": counted(drops),
        "scored_pairs": {
            split: counted(each) | {"blank_references": len(blank_lines(sets[split].references))}
            for split, (_, each) in scored.items()
        },
        "test_text_in_training": None if in_training is None else in_training.as_json(),
        **selection,
        "search": asdict(search),
        "test": {},
        "not_scored": {},
        "left_out": {},
        "remarks": {split: said for split, said in remarks.items() if said},
        "earlier": {},
        "examples": [],
    }
    for split in dict.fromkeys(data.test_splits):
        if split == data.validation_split:
            translations = of_validation
        else:
            say(f"Translating {split}: {len(sets[split].sources):,} sentences, {search.num_beams} beam(s)")
            translations = translate_all(trained, sets[split], search, progress=True)
        tested = leave_test_set(folder, split, sets[split], translations)
        metrics["test"][split] = {name: each._asdict() for name, each in tested.scores.items()}
        if tested.left_out:
            metrics["left_out"][split] = tested.left_out
        if lost := not_scored(metrics["scored_pairs"][split]):
            metrics["not_scored"][split] = [lost]
        metrics["examples"] += [{"split": split} | each for each in tested.examples]
    if state.is_main_process:
        trained.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        write_json(folder / "history.json", trainer.state.log_history)
        title = f"{folder.name}: {data.source} to {data.target}"
        save(draw_learning_curve(trainer.state.log_history, title), folder / "curve")
        metrics["earlier"] = earlier_scores(folder)
        write_json(folder / METRICS, metrics)  # last: a run that has it has ended
        say(summary(metrics, drops, folder))
    state.wait_for_everyone()
    if state.is_main_process:
        with told_plainly():
            publication.end(folder, metrics)
    return metrics


def new_model(fields: dict[str, Any], training: VaswaniTrainingArguments) -> VaswaniForConditionalGeneration:
    """Return the network, freshly drawn from the seed."""
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
        extra_symbols=training.extra_symbols,
    )
    if training.test_beams > 1:  # a greedy search has none, and transformers would not save one
        generation.length_penalty = training.length_penalty
    model.generation_config = generation
    return model


def checkpoint_to_resume(folder: Path) -> Path | None:
    """Return the newest whole checkpoint, and say which newer ones were passed over; damaged ones are set aside.

    Raises:
        ValueError: there are checkpoints that were saved to the end, and none is whole now; or a part is missing.

    """
    checkpoint, skipped = newest_whole(folder)
    for name, reason in skipped.items():
        say(f"Skipping {name}: {reason}")
    if checkpoint is None and sealed(folder):
        raise ValueError(
            f"no checkpoint of {folder} is whole any more, and --resume would start anew; restore one, or name another "
            "--output_dir to start anew"
        )
    if checkpoint is not None:
        check_parts(checkpoint)
    set_aside(folder, skipped)
    say(f"Going on from {checkpoint.name}" if checkpoint else f"{folder} has no checkpoint yet; starting anew")
    return checkpoint
