"""One run from the first flag to the last picture, in the order of its steps."""

import json
import logging
import time
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from transformers import AutoTokenizer, GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase, set_seed
from transformers.utils import logging as transformers_logging

from vaswani.data import Corpus, Drops, Limits, Order, Pair, TrainingStream, clean_pairs, fingerprint, learn_tokenizer
from vaswani.data import open_corpus as open_split
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.training import VaswaniTrainer, average_weights, draw_curve, peak_rate
from vaswani.training.checkpoints import checkpoints, newest_whole

from .arguments import Arguments, DataArguments
from .run_folder import METRICS, RUN, claim, describe, write_json
from .validation import PairSet, score_all, translate_all, validate

SAMPLES = 10


def run(arguments: Arguments) -> dict[str, Any]:
    """Learn the tokenizer, train, choose by validation, score the test sets, and leave all of it in --output_dir.

    Returns:
        What metrics.json holds.

    """
    state = PartialState()
    folder = Path(str(arguments.training.output_dir))
    transformers_logging.set_verbosity_error()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if arguments.training.resume and (folder / METRICS).exists():
        say(f"{folder} holds a run that has ended; there is nothing to do.")
        return dict(json.loads((folder / METRICS).read_text(encoding="utf-8")))
    if state.is_main_process:
        claim(folder, arguments.training.resume)
        write_json(folder / RUN, describe(arguments))
    state.wait_for_everyone()

    # Text
    data = arguments.data
    train = open_corpus(data, data.train_split)
    validation = read_pairs(open_corpus(data, data.validation_split), data)
    tests = {split: read_pairs(open_corpus(data, split), data) for split in data.test_splits}
    tokenizer = joint_tokenizer(train, folder, arguments)
    validation_set = PairSet(validation, tokenizer, data.tokens_per_batch)

    # Network
    set_seed(arguments.training.seed)
    dimensions = arguments.model | {"vocab_size": len(tokenizer)}
    model = VaswaniForConditionalGeneration(VaswaniConfig(**dimensions))
    # On a processor the written-out attention is the faster one, by far in bfloat16.
    model.set_attn_implementation("eager" if arguments.training.device.type == "cpu" else "sdpa")
    search = {"num_beams": arguments.training.test_beams, "length_penalty": arguments.training.length_penalty}
    model.config.auto_map = {"AutoModel": "modeling_vaswani.VaswaniModel"}  # saving adds the other two
    model.generation_config = GenerationConfig.from_model_config(model.config)
    model.generation_config.update(**search, max_new_tokens=data.max_tokens)

    # Training
    stream = TrainingStream(
        train,
        tokenizer,
        fingerprint(tokenizer),
        Limits(max_tokens=data.max_tokens, max_ratio=data.max_ratio),
        Order(arguments.training.seed, data.tokens_per_batch, data.streams, data.window_groups),
    )
    training = arguments.training
    training.learning_rate = training.peak_learning_rate or peak_rate(
        model.config.d_model, round(training.warmup_steps)
    )
    trainer = VaswaniTrainer(
        model,
        training,
        stream,
        lambda model: validate(
            model, validation_set, num_beams=training.validation_beams, length_penalty=training.length_penalty
        ),
        tokenizer,
    )
    say(
        f"{model.num_parameters() / 1e6:.2f}M parameters, {len(tokenizer):,} symbols, "
        f"{training.batches_per_step} x {data.tokens_per_batch:,} tokens a side and step, "
        f"{training.max_steps:,} steps, "
        f"{state.num_processes} process(es) on {training.device.type}, "
        f"{'bf16' if training.bf16 else 'fp16' if training.fp16 else 'fp32'}"
    )
    checkpoint = checkpoint_to_resume(folder) if training.resume else None
    started = time.monotonic()
    trainer.train_from(checkpoint)
    seconds = time.monotonic() - started

    # The best of what training left, by validation
    chosen = choose(trainer, model, validation_set, folder, arguments)
    metrics: dict[str, Any] = {
        "parameters": model.num_parameters(),
        "steps": trainer.state.global_step,
        "training_seconds": round(seconds, 1),
        "resumed_from": checkpoint.name if checkpoint else None,
        **chosen,
        "pairs": {"kept": 0, "dropped": {}},
        "test": {},
    }
    drops: Drops = stream.drops([stream.notes()])
    metrics["pairs"] = {"kept": drops.kept, "dropped": dict(drops.dropped)}

    # Scores
    for split, pairs in tests.items():
        pair_set = PairSet(pairs, tokenizer, data.tokens_per_batch)
        translations = translate_all(model, pair_set, **search, progress=True)
        scores = score_all(translations, pair_set)
        metrics["test"][split] = {name: each._asdict() for name, each in scores._asdict().items()}
        if state.is_main_process:
            (folder / f"{split}.translations.txt").write_text("".join(f"{t}\n" for t in translations), encoding="utf-8")
            if split == data.test_splits[0]:
                show_samples(pair_set, translations, folder)
    if state.is_main_process:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        draw_curve(trainer.state.log_history, folder, f"{folder.name}: {data.source} to {data.target}")
        write_json(folder / "history.json", trainer.state.log_history)
        write_json(folder / METRICS, metrics)
        report(metrics, drops, folder)
    state.wait_for_everyone()
    return metrics


def say(text: str) -> None:
    """Print once, however many processes there are."""
    if PartialState().is_main_process:
        print(text, flush=True)


def open_corpus(data: DataArguments, split: str) -> Corpus:
    """Open a split of the run's data."""
    return open_split(
        dataset=data.dataset,
        config=data.dataset_config,
        data_dir=data.data_dir,
        split=split,
        source=data.source,
        target=data.target,
    )


def read_pairs(corpus: Corpus, data: DataArguments) -> list[Pair]:
    """Read a set to be scored; pairs that cannot be scored are told, by number and reason."""
    drops = Drops()
    pairs = list(clean_pairs(corpus, Limits(max_tokens=data.max_tokens, max_ratio=data.max_ratio), drops))
    if drops.dropped.total() or not pairs:
        say(f"{corpus.name}: {drops.report()}")
    if not pairs:
        raise ValueError(f"{corpus.name} has no pair that can be scored")
    return pairs


def joint_tokenizer(train: Corpus, folder: Path, arguments: Arguments) -> PreTrainedTokenizerBase:
    """Learn the joint vocabulary from the training text, or take the one that a resumed run began with."""
    state = PartialState()
    if state.is_main_process and not (folder / "tokenizer.json").exists():
        say(f"Learning {arguments.model['vocab_size']:,} symbols from {train.name}")
        limits = Limits(max_tokens=arguments.data.max_tokens, max_ratio=arguments.data.max_ratio)
        texts = (side for pair in clean_pairs(train, limits, Drops()) for side in pair)
        learn_tokenizer(texts, arguments.model["vocab_size"], show_progress=False).save_pretrained(folder)
    state.wait_for_everyone()
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder)
    return tokenizer


def checkpoint_to_resume(folder: Path) -> Path | None:
    """Return the newest whole checkpoint, and say which newer ones were passed over."""
    checkpoint, skipped = newest_whole(folder)
    for name, reason in skipped.items():
        say(f"Skipping {name}: {reason}")
    say(f"Going on from {checkpoint.name}" if checkpoint else f"{folder} has no whole checkpoint; starting anew")
    return checkpoint


def choose(
    trainer: VaswaniTrainer, model: PreTrainedModel, validation_set: PairSet, folder: Path, arguments: Arguments
) -> dict[str, Any]:
    """Load into `model` the best weights by validation BLEU with the test's search: best, last, or an average."""
    found = checkpoints(folder)
    candidates: dict[str, list[Path]] = {}
    if trainer.state.best_model_checkpoint:
        candidates["best checkpoint"] = [Path(trainer.state.best_model_checkpoint)]
    if found:
        candidates["last checkpoint"] = found[-1:]
    number = min(arguments.training.average_checkpoints, len(found))
    if number > 1:
        candidates[f"average of the last {number} checkpoints"] = found[-number:]
    search = {"num_beams": arguments.training.test_beams, "length_penalty": arguments.training.length_penalty}
    scores: dict[str, dict[str, float]] = {}
    weights: dict[str, dict[str, torch.Tensor]] = {}
    for name, paths in candidates.items():
        weights[name] = average_weights(paths)
        model.load_state_dict(weights[name], strict=False)
        scores[name] = validate(model.eval(), validation_set, **search)
        say(f"{name}: validation perplexity {scores[name]['perplexity']:.3f}, BLEU {scores[name]['bleu']:.2f}")
    best = max(scores, key=lambda name: scores[name]["bleu"])
    model.load_state_dict(weights[best], strict=False)
    return {"chosen": best, "validation": scores[best], "candidates": scores}


def show_samples(pairs: PairSet, translations: list[str], folder: Path) -> None:
    """Print ten translations beside their sources and references, and keep them."""
    lines = []
    step = max(1, len(translations) // SAMPLES)
    for number in range(0, min(len(translations), step * SAMPLES), step):
        lines += [
            f"  source     {pairs.sources[number]}",
            f"  reference  {pairs.references[number]}",
            f"  ours       {translations[number]}",
            "",
        ]
    (folder / "samples.txt").write_text("\n".join(lines), encoding="utf-8")
    print("\n" + "\n".join(lines), flush=True)


def report(metrics: dict[str, Any], drops: Drops, folder: Path) -> None:
    """Print the figures and where everything lies."""
    print(drops.report())
    print(f"Chosen by validation: {metrics['chosen']}")
    for split, scores in metrics["test"].items():
        print(f"{split}:")
        for each in scores.values():
            print(f"  {each['name']:<12} {each['value']:6.2f}  {each['signature']}")
    print(f"Model, tokenizer, metrics.json, curve.png and samples.txt lie in {folder}")
