"""An inspection of what a run would train on, without training: pairs, drops, lengths, padding, steps and speed."""

import time
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from vaswani.data import Drops, TrainingStream
from vaswani.data.batching import Indices, padded_size
from vaswani.data.file_names import printable
from vaswani.plots import draw_pair_lengths, save
from vaswani.publishing.metrics_record import OverlapRecord
from vaswani.publishing.overlap import overlap_as_text
from vaswani.storage.records import as_json

from .arguments import Arguments
from .console import counted
from .corpora import (
    open_training_corpus,
    read_pairs,
    scored_texts,
    training_cleaning_limits,
    training_stream,
)
from .examples import Example, Sample, examples_as_text, read_examples
from .overlap import find_test_overlap
from .parent import start_of, tokenizer_of
from .run_folder import write_json


class Inspection(NamedTuple):
    """What an epoch, or its first windows, would train on."""

    name: str
    vocabulary: int
    lengths: tuple[Indices, Indices]
    """Of source and target: how many kept pairs have 0, 1, 2 ... tokens, </s> included."""
    drops: Drops
    batches: int
    places: int
    """Tokens and padding of all batches, both sides."""
    seconds: float
    windows: tuple[int, int]
    """Inspected, and in an epoch."""
    examples: dict[str, list[Example]] = {}  # noqa: RUF012  (never written to)
    """Some of the rows that are dropped, by reason."""
    user_symbols: dict[str, tuple[int, int]] = {}  # noqa: RUF012  (likewise)
    """How often each user token occurs in the kept sources and in the kept targets."""
    in_training: OverlapRecord | None = None
    """How much of the scored sets the training text holds."""
    not_looked: str | None = None
    """Why the overlap was not computed."""


def inspect(arguments: Arguments, windows: int | None = None) -> Inspection:
    """Read, clean, encode and cut the first epoch as a run with these arguments would, or its first `windows`."""
    data, training = arguments.data, arguments.training
    parent = start_of(arguments, Path(str(training.output_dir))).parent
    corpus = open_training_corpus(data)
    tokenizer = tokenizer_of(corpus, arguments, parent, run=None)
    stream = training_stream(corpus, tokenizer, arguments)
    dropped = Sample(corpus)
    tokens = {token: tokenizer(token).input_ids[0] for token in data.user_tokens}
    seen = count(stream, corpus.name, len(tokenizer), windows, dropped, tokens)
    seen = seen._replace(examples=read_examples(dropped, tokenizer, training_cleaning_limits(data)))
    try:
        scored = {name: read_pairs(each.data, each.split)[0] for name, each in scored_texts(data).items()}
    except ValueError as error:  # a run would end there; an inspection of the training text need not
        return seen._replace(not_looked=str(error))
    return seen._replace(
        in_training=find_test_overlap(corpus, scored, training_cleaning_limits(data), data, training.seed)
    )


def count(
    stream: TrainingStream,
    name: str,
    vocabulary: int,
    windows: int | None = None,
    dropped: Sample | None = None,
    tokens: Mapping[str, int] = MappingProxyType({}),
) -> Inspection:
    """Build the windows of the first epoch and count what is in them.

    `dropped` samples from what is not kept; `tokens` are the user's, with their ids.
    """
    total = stream.windows_an_epoch
    wanted = total if windows is None else min(windows, total)
    lengths = [np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)]
    drops, batches, places = Drops(), 0, 0
    uses = {token: [0, 0] for token in tokens}
    started = time.monotonic()
    for window in tqdm(islice(stream.windows(), wanted), total=wanted, unit=" windows", desc="Looking", disable=None):
        drops += window.drops
        if dropped is not None:
            dropped.note(window.dropped_by_group)
        batches += len(window.batches)
        places += padded_size(window.shapes)
        for side, rows in enumerate((window.sources, window.targets)):
            for token, number in tokens.items():
                uses[token][side] += int((rows.tokens == number).sum())
        for side, rows in enumerate((window.sources.lengths, window.targets.lengths)):
            found = np.bincount(rows, minlength=len(lengths[side]))
            found[: len(lengths[side])] += lengths[side]
            lengths[side] = found
    seconds = time.monotonic() - started
    return Inspection(
        name,
        vocabulary,
        (lengths[0], lengths[1]),
        drops,
        batches,
        places,
        seconds,
        (wanted, total),
        user_symbols={token: (of_sources, of_targets) for token, (of_sources, of_targets) in uses.items()},
    )


def figures(seen: Inspection, arguments: Arguments) -> dict[str, Any]:
    """Return the derived figures, as plain JSON."""
    tokens = [int(side @ np.arange(len(side))) for side in seen.lengths]
    steps = seen.batches / arguments.training.batches_per_step * seen.windows[1] / seen.windows[0]
    return {
        "name": seen.name,
        "windows": list(seen.windows),
        "vocabulary": seen.vocabulary,
        "pairs": as_json(counted(seen.drops)) | {"places": seen.drops.places},
        "examples": {reason: [each._asdict() for each in found] for reason, found in seen.examples.items()},
        "user_symbols": {token: {"source": uses[0], "target": uses[1]} for token, uses in seen.user_symbols.items()},
        "tokens": dict(zip(("source", "target"), tokens, strict=True)),
        "longest": dict(zip(("source", "target"), (len(side) - 1 for side in seen.lengths), strict=True)),
        "batches": seen.batches,
        "padding": 1 - sum(tokens) / max(seen.places, 1),
        "target_tokens_a_step": tokens[1] / max(seen.batches, 1) * arguments.training.batches_per_step,
        "steps_an_epoch": steps,
        "epochs": arguments.training.max_steps / max(steps, 1e-9),
        "pairs_a_second": seen.drops.rows / seen.seconds,
        "test_text_in_training": None if seen.in_training is None else as_json(seen.in_training),
    }


def inspection_as_text(seen: Inspection, found: dict[str, Any], arguments: Arguments) -> str:
    """Return the figures in words."""
    data, training, kept = arguments.data, arguments.training, max(seen.drops.kept, 1)
    looked, total = seen.windows
    part = "" if looked == total else f" (the first {looked} of {total} windows)"
    sides = ", ".join(
        f"{side} {tokens:,} ({tokens / kept:.1f} a pair, longest {found['longest'][side]})"
        for side, tokens in found["tokens"].items()
    )
    return "\n".join(
        [
            f"{seen.name}{part}: {seen.drops.report()}",
            *examples_as_text(seen.examples, seen.drops),
            f"Tokens of a vocabulary of {seen.vocabulary:,}, </s> included: {sides}",
            *(
                f"{token}: {uses[0]:,} times in sources, {uses[1]:,} in targets"
                + ("" if any(uses) else "; is it written so in the text?")
                for token, uses in seen.user_symbols.items()
            ),
            f"Batches: {seen.batches:,} of at most {data.tokens_per_batch:,} tokens a side, "
            f"{kept / max(seen.batches, 1):.0f} pairs each; {found['padding']:.1%} of both sides is padding",
            f"Steps: {training.batches_per_step} batch(es) each, {found['target_tokens_a_step']:,.0f} target tokens",
            f"Epochs: {found['steps_an_epoch']:,.0f} steps each, so {training.max_steps:,} steps are "
            f"{found['epochs']:.1f}",
            f"Speed: {found['pairs_a_second']:,.0f} pairs a second read, cleaned and encoded by one process",
            *(overlap_as_text(seen.in_training) if seen.in_training else []),
            *([f"Test text was not looked for: {seen.not_looked}"] if seen.not_looked else []),
        ]
    )


def write_inspection(seen: Inspection, found: dict[str, Any], folder: Path) -> None:
    """Write figures and picture into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    histogram = {"source": seen.lengths[0].tolist(), "target": seen.lengths[1].tolist()}
    write_json(folder / "inspection.json", found | {"lengths": histogram})
    sides = dict(zip(("source", "target"), seen.lengths, strict=True))
    save(draw_pair_lengths(sides, f"Lengths in {printable(seen.name)}"), folder / "lengths")
