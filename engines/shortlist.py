"""Vocabulary shortlists: the target tokens that a translation of given source tokens may need, for CTranslate2.

The engine then scores those alone, in each step of the search. They are learned from text: the network reads each pair
once, and each target token counts for the source token that the decoder looks at most just before it writes it, by the
same weights as `vaswani translate --align`. A source token gets the targets that count most for it, and itself, as
names and numbers are copied; every sentence also gets the most frequent tokens of the target side.

Shapes: B pairs, S source and T target tokens.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch

from vaswani.storage import write_text
from vaswani.storage.records import read_record, write_record
from vaswani.translation.alignment import layer
from vaswani.translation.attention import attending, source_attention
from vaswani.translation.batches import batches, encode, search_lines
from vaswani.translation.hypotheses import BeamSettings
from vaswani.translation.models import SHORTLIST
from vaswani.translation.search import evaluating, positions

from .engine import by_engine, engine_module
from .threads import threads

FREQUENT = 100
"""How many of the most frequent target tokens every translation may have."""
BEST = 100
"""How many target tokens each source token brings at most."""
TOKENS_PER_BATCH = 4096
"""Most tokens in a batch on the longer side, padding counted."""
RECORD = "shortlist.json"


class Shortlist(NamedTuple):
    """What translations may consist of."""

    always: list[int]
    """Tokens that every translation may have."""
    of_source: dict[int, list[int]]
    """Those that each source token brings, the most frequent first."""
    pairs: int
    """How many it was learned from."""


@dataclass(frozen=True)
class ShortlistRecord:
    """What shortlist.json holds: how the shortlist was learned, and what it costs and gains on a validation set."""

    VERSION: ClassVar[int] = 1

    pairs: int
    """That it was learned from."""
    always: int
    """Tokens that every translation may have."""
    mean_of_source: float
    """Tokens that a source token brings, on average."""
    metric: str | None = None
    """Of the validation set; None where none was given."""
    sentences: int | None = None
    beams: int | None = None
    without: float | None = None
    """The figure of the translations without the shortlist, and with it."""
    with_it: float | None = None
    same: int | None = None
    """Sentences whose translation it does not change."""
    speed: float | None = None
    """Processor time of the translation without it over that with it."""
    version: int = VERSION


def learn_shortlist(
    model: Any,
    tokenizer: Any,
    sources: Sequence[str],
    targets: Sequence[str],
    say: Callable[[str], object] = lambda _: None,
) -> Shortlist:
    """Return the shortlist that a text gives, read by a network.

    Args:
        model: an encoder-decoder, on any device; it is not changed.
        tokenizer: its own.
        sources: what it was trained on, or text of the same kind.
        targets: their translations.
        say: hears of each tenth of the text.

    Raises:
        ValueError: there is no pair.

    """
    ids, labels = encode(tokenizer, sources), encode(tokenizer, targets)
    most = positions(model)
    lengths = [
        max(len(source), len(target)) if source and target and max(len(source), len(target)) <= most else 0
        for source, target in zip(ids, labels, strict=True)
    ]
    if not any(lengths):
        raise ValueError("the text of the shortlist has no pair that the model can read; give its training text")
    links: Counter[tuple[int, int]] = Counter()
    number, done, told = layer(len(attending(model))), 0, 0
    with evaluating(model), torch.inference_mode():
        for places in batches(lengths, TOKENS_PER_BATCH):
            read, written = [ids[at] for at in places], [labels[at] for at in places]
            looked = source_attention(model, tokenizer, read, written, number).argmax(-1).tolist()  # (B, T)
            for source, target, row in zip(read, written, looked, strict=True):
                links.update((source[min(at, len(source) - 1)], token) for at, token in zip(row, target, strict=False))
            done += len(places)
            if done * 10 // len(lengths) > told:
                told = done * 10 // len(lengths)
                say(f"{done:,} of {len(lengths):,} pairs aligned")
    return from_links(links, Counter(token for target in labels for token in target), sum(map(bool, lengths)))


def from_links(links: Counter[tuple[int, int]], frequencies: Counter[int], pairs: int) -> Shortlist:
    """Return the shortlist that counted links of a source and a target token give."""
    of_source: dict[int, list[int]] = {}
    for (source, target), _ in sorted(links.items(), key=lambda each: (each[0][0], -each[1], each[0][1])):
        known = of_source.setdefault(source, [source])
        if target != source and len(known) < BEST:
            known.append(target)
    always = sorted(frequencies, key=lambda token: (-frequencies[token], token))[:FREQUENT]
    return Shortlist(always, of_source, pairs)


def vmap(shortlist: Shortlist, tokens: Sequence[str]) -> str:
    r"""Return a shortlist as CTranslate2 reads it: lines of a source token, "\t" and target tokens; first those always.

    Args:
        shortlist: of ids.
        tokens: of the vocabulary, by id.

    Raises:
        ValueError: a token holds white space, which the format cannot write.

    """
    rows = [("", shortlist.always), *((tokens[source], found) for source, found in shortlist.of_source.items())]
    used = {*(tokens[token] for _, found in rows for token in found), *(source for source, _ in rows if source)}
    if faults := sorted(token for token in used if token.split() != [token]):
        raise ValueError(f"the vocabulary has {faults[0]!r}, and a shortlist cannot hold tokens with white space")
    return "".join(f"{source}\t{' '.join(tokens[token] for token in found)}\n" for source, found in rows)


def write_shortlist(folder: Path, shortlist: Shortlist, tokens: Sequence[str]) -> None:
    """Write a shortlist into the folder of an export, and its record."""
    write_text(folder / SHORTLIST, vmap(shortlist, tokens))
    sizes = [len(found) for found in shortlist.of_source.values()]
    record = ShortlistRecord(shortlist.pairs, len(shortlist.always), round(sum(sizes) / max(1, len(sizes)), 1))
    write_record(folder / RECORD, record)


def judge_shortlist(folder: Path, tokenizer: Any, beams: int, validation: Any) -> ShortlistRecord:
    """Translate a validation set with the shortlist and without, in turn; add the figures to the record, and return it.

    Args:
        folder: of an export that has a shortlist.
        tokenizer: its own.
        beams: of the search.
        validation: a `Validation` of `native`; None changes nothing.

    """
    record = read_record(ShortlistRecord, folder / RECORD)
    if validation is None:
        return record
    engine = engine_module("ctranslate2").Engine(folder, "cpu", threads())
    search = by_engine(engine, tokenizer, BeamSettings(beams))
    found, seconds = {}, {True: 0.0, False: 0.0}
    for uses in (True, False, False, True):  # in turn, so that a machine that is warm or busy favours neither
        engine.uses_shortlist = uses
        started = time.process_time()
        rows = search_lines(search, tokenizer, validation.sources, beams, TOKENS_PER_BATCH)
        seconds[uses] += time.process_time() - started
        found[uses] = [row[0].text for row in rows]
    judged = replace(
        record,
        metric=validation.metric,
        sentences=len(validation.sources),
        beams=beams,
        without=validation.figure(found[False]),
        with_it=validation.figure(found[True]),
        same=sum(a == b for a, b in zip(found[True], found[False], strict=True)),
        speed=seconds[False] / seconds[True],
    )
    write_record(folder / RECORD, judged)
    return judged


def describe(record: ShortlistRecord) -> str:
    """Return what a shortlist is and does, in a line."""
    text = (
        f"shortlist of {record.pairs:,} pairs: {record.always} tokens for every sentence, and on average "
        f"{record.mean_of_source:g} for each source token"
    )
    if record.metric is None:
        return f"{text}; --validation measures what it costs and gains"
    return (
        f"{text}; {record.metric} {record.with_it:.2f} with it and {record.without:.2f} without, {record.same:,} of "
        f"{record.sentences:,} sentences the same, {record.speed:.2f} times the speed, {record.beams} beam(s)"
    )
