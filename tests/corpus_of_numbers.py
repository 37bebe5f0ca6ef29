"""A corpus whose rows say who they are: any number of groups of any size, for tests of the order of training."""

import hashlib
from dataclasses import dataclass
from typing import Any, NamedTuple

from transformers import PreTrainedTokenizerFast

from vaswani.data import Pair, TokenCache, TrainingStream, fingerprint, learn_tokenizer
from vaswani.data.cleaning import CleaningLimits
from vaswani.data.glossary.glossary import Glossary
from vaswani.data.pairs import NoPair, Row
from vaswani.data.shuffling import Order
from vaswani.data.stream import MicroBatches

LIMITS = CleaningLimits(max_tokens=40, max_ratio=20)


@dataclass(frozen=True)
class NumberedCorpus:
    """`sizes[g]` rows in group g; lengths differ from row to row, and some rows are there only to be dropped."""

    sizes: tuple[int, ...]
    bad_every: int = 0
    unreadable: frozenset[tuple[int, int]] = frozenset()
    name: str = "numbers"

    @property
    def fingerprint(self) -> str:
        return f"{self.sizes} {self.bad_every} {sorted(self.unreadable)}"

    @property
    def groups(self) -> int:
        return len(self.sizes)

    @property
    def rows(self) -> int:
        return sum(self.sizes)

    def read(self, group: int) -> list[Row]:
        rows: list[Row] = []
        for row in range(self.sizes[group]):
            if (group, row) in self.unreadable:
                rows.append(NoPair("malformed", f"numbers, group {group}, row {row + 1}"))
                continue
            words = (group * 31 + row * 17) % 9 + 1
            is_bad = self.bad_every and row % self.bad_every == 0
            rows.append(
                Pair("" if is_bad else "one " * words + str(row), "two " * ((words + row) % 7 + 1) + str(group))
            )
        return rows

    def kept_rows(self) -> set[tuple[int, int]]:
        """The ids of all rows that a run must see once an epoch."""
        return {
            (group, row)
            for group, size in enumerate(self.sizes)
            for row in range(size)
            if not (self.bad_every and row % self.bad_every == 0) and (group, row) not in self.unreadable
        }


def number_tokenizer() -> PreTrainedTokenizerFast:
    """A vocabulary for the corpus of numbers."""
    return learn_tokenizer(["one two 0 1 2 3 4 5 6 7 8 9 10 20 30"] * 3, 280, show_progress=False)


def numbered_stream(
    corpus: NumberedCorpus,
    tokenizer: PreTrainedTokenizerFast,
    *,
    seed: int = 0,
    budget: int = 64,
    streams: int = 1,
    window_groups: int = 2,
    limits: CleaningLimits = LIMITS,
    cache: TokenCache | None = None,
    max_unreadable: float = 0.001,
    widths: tuple[int, ...] = (),
    bpe_dropout: float = 0.0,
    glossary: Glossary | None = None,
    term_share: float = 0.0,
) -> TrainingStream:
    """A training stream over numbers."""
    terms = None if glossary is None else glossary.fingerprint
    order = Order(seed, budget, streams, window_groups, widths, bpe_dropout, terms, term_share)
    return TrainingStream(corpus, tokenizer, fingerprint(tokenizer), limits, order, cache, max_unreadable, glossary)


class Seen(NamedTuple):
    """What a run was given in one micro-batch: its number, its epoch, the ids of its rows, a digest of its tensors."""

    number: int
    epoch: int
    rows: tuple[tuple[int, int], ...]
    tensors: str


def seen(batch: dict[str, Any]) -> Seen:
    """Take down a micro-batch."""
    place = batch["place"]
    digest = hashlib.sha256()
    for name in ("input_ids", "attention_mask", "labels"):
        digest.update(f"{name} {batch[name].dtype} {tuple(batch[name].shape)}".encode() + batch[name].numpy().tobytes())
    rows = tuple((group, row) for group, row in place.rows.tolist())
    return Seen(place.number, place.anchor.epoch, rows, digest.hexdigest()[:16])


def first(of: TrainingStream, number: int, processes: int = 1, workers: int = 1) -> list[Seen]:
    """The first micro-batches of a run, read as so many processes with so many loader workers read them."""
    parts = [
        MicroBatches(of, process, processes).part(worker, workers)
        for worker in range(workers)
        for process in range(processes)
    ]
    return [seen(next(parts[k % len(parts)])) for k in range(number)]
