"""The order of training as a function of data, seed and position, and of nothing else.

Micro-batch number k is one batch of a fixed token budget. A step of B micro-batches takes k in [sB, (s+1)B), and
process r of w takes those with k mod w = r. The batches come from M streams: k is the (k div M)-th batch of stream
k mod M. In every epoch a stream walks its share of the row groups in an order drawn from (seed, epoch), a window of
groups at a time; a window's rows are shuffled, cut into batches of like length, and these are shuffled. So a window is
a pure function of (data, seed, epoch, stream, window number), and the same batches come out whatever the number of
processes or loader workers and wherever training stopped: nothing is lost and nothing comes twice.

A position is therefore small: the micro-batches consumed, and for each stream where its current window began.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from transformers import PreTrainedTokenizerBase

from .batching import Indices, Tokens, cut_batches, model_inputs, permutation
from .cleaning import Drops, Limits, length_fault, readable_rows, row_name
from .pairs import Corpus


@dataclass(frozen=True)
class Order:
    """What the order of training depends on, beside the data."""

    seed: int
    tokens_per_batch: int
    """Token budget of a micro-batch, a side, padding included."""
    streams: int = 1
    """M. One suits a small corpus; 64 keep many loader workers and machines busy without reading the same rows."""
    window_groups: int = 64
    """Row groups mixed in one window, of about 1,000 pairs each."""

    def __post_init__(self) -> None:
        for name in ("tokens_per_batch", "streams", "window_groups"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")


class Anchor(NamedTuple):
    """Where a stream's window begins: its epoch, its number in the epoch, and the stream's batches before it."""

    epoch: int
    window: int
    batches_before: int


class Batch(NamedTuple):
    """n encoded pairs and their ids `[n, 2]`: (row group, row in the group)."""

    sources: list[Tokens]
    targets: list[Tokens]
    rows: Indices


class Window(NamedTuple):
    """The batches of one window in the order of training, and what was dropped on the way."""

    batches: list[Batch]
    drops: Drops


class Place(NamedTuple):
    """Where a micro-batch came from: its number k, its stream, its window, the ids of its pairs."""

    number: int
    stream: int
    anchor: Anchor
    rows: Indices
    drops: Drops


class StreamMismatchError(ValueError):
    """A saved position belongs to other data, another tokenizer or another order of training."""


def groups_of_stream(order: Order, groups: int, epoch: int, stream: int) -> Indices:
    """Return the row groups that a stream reads in an epoch, in order; the streams' shares make up all groups."""
    return permutation(groups, order.seed, epoch)[stream :: order.streams]


def build_window(
    corpus: Corpus, tokenizer: PreTrainedTokenizerBase, limits: Limits, order: Order, stream: int, anchor: Anchor
) -> Window:
    """Read, clean, encode, shuffle and cut one window: a pure function of its arguments."""
    first = anchor.window * order.window_groups
    groups = groups_of_stream(order, corpus.groups, anchor.epoch, stream)[first : first + order.window_groups]
    drops = Drops()
    rows = list(readable_rows(corpus, groups.tolist(), limits, drops))
    if not rows:
        return Window([], drops)
    sources = encode(tokenizer, [pair.source for _, _, pair in rows])
    targets = encode(tokenizer, [pair.target for _, _, pair in rows])
    kept: list[int] = []
    for number, (source, target) in enumerate(zip(sources, targets, strict=True)):
        if reason := length_fault(len(source), len(target), limits):
            drops.add(reason, row_name(corpus, *rows[number][:2]))
        else:
            drops.kept += 1
            kept.append(number)
    key = (order.seed, anchor.epoch, stream, anchor.window)
    mixed = np.asarray(kept, dtype=np.int64)[permutation(len(kept), *key, 0)]
    lengths = np.array([[len(sources[i]), len(targets[i])] for i in mixed], dtype=np.int64).reshape(-1, 2)
    cuts = cut_batches(lengths[:, 0], lengths[:, 1], order.tokens_per_batch)
    batches = []
    for number in permutation(len(cuts), *key, 1).tolist():
        chosen = mixed[cuts[number]].tolist()
        ids = np.array([rows[i][:2] for i in chosen], dtype=np.int64)
        batches.append(Batch([sources[i] for i in chosen], [targets[i] for i in chosen], ids))
    return Window(batches, drops)


def encode(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[Tokens]:
    """Return the token ids of each text, with </s>."""
    return [np.asarray(ids, dtype=np.int32) for ids in tokenizer(texts, return_attention_mask=False)["input_ids"]]


class StreamReader:
    """Gives the batches of one stream by number, in rising order, from an anchor on; holds one window at a time."""

    def __init__(
        self,
        corpus: Corpus,
        tokenizer: PreTrainedTokenizerBase,
        limits: Limits,
        order: Order,
        stream: int,
        anchor: Anchor,
    ) -> None:
        self._source = (corpus, tokenizer, limits, order, stream)
        share = len(groups_of_stream(order, corpus.groups, 0, stream))
        self._windows_an_epoch = -(-share // order.window_groups)
        self._anchor = anchor
        self._window: Window | None = None

    def batch(self, number: int) -> tuple[Batch, Anchor, Drops]:
        """Return the stream's batch `number`, counted over all epochs, the window it is in, and its drops."""
        passed = Drops()
        while True:
            if self._window is None:
                self._window = build_window(*self._source, self._anchor)
            epoch, window, before = self._anchor
            if number < before + len(self._window.batches):
                return self._window.batches[number - before], self._anchor, self._window.drops
            passed += self._window.drops
            before += len(self._window.batches)
            is_last = window + 1 == self._windows_an_epoch
            if is_last and before == 0:
                raise ValueError(
                    f"no pair of {self._source[0].name} is left to train on in stream {self._source[4]} of "
                    f"{self._source[3].streams}; mend the data, or lower --streams. {passed.report()}"
                )
            self._anchor = Anchor(epoch + 1, 0, before) if is_last else Anchor(epoch, window + 1, before)
            self._window = None


class MicroBatches(IterableDataset[dict[str, Any]]):
    """The endless micro-batches of one process, from a position on; splits itself among loader workers."""

    def __init__(self, stream: "TrainingStream", process: int, processes: int) -> None:
        self._stream = stream
        self._process = process
        self._processes = processes

    def __iter__(self) -> Iterator[dict[str, Any]]:
        # A DataLoader takes from its workers by turns, so worker j of n yields every n-th batch of the process.
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        number = self._stream.consumed + self._process + worker * self._processes
        while True:
            yield self._stream.micro_batch(number)
            number += self._processes * workers


class TrainingStream:
    """Endless training batches that know where they are: the state is a few integers and is checked when restored."""

    def __init__(self, corpus: Corpus, tokenizer: PreTrainedTokenizerBase, tokenizer_id: str, limits: Limits,
                 order: Order) -> None:  # fmt: skip
        if order.streams > corpus.groups:
            raise ValueError(
                f"{corpus.name} has {corpus.groups} row groups, too few for {order.streams} streams; "
                f"lower --streams to {corpus.groups} or less"
            )
        if limits.max_tokens > order.tokens_per_batch:
            raise ValueError(
                f"a pair may have {limits.max_tokens} tokens a side and a batch {order.tokens_per_batch}; "
                "lower --max_tokens or raise --tokens_per_batch"
            )
        self._source = (corpus, tokenizer, limits, order)
        self._identity = {"data": corpus.fingerprint, "tokenizer": tokenizer_id, **asdict(order), **asdict(limits)}
        self._anchors = {stream: Anchor(0, 0, 0) for stream in range(order.streams)}
        self._readers: dict[int, StreamReader] = {}
        self._first_epoch: dict[tuple[int, int], Drops] = {}
        self.consumed = 0

    # --- reading ---

    def micro_batch(self, number: int) -> dict[str, Any]:
        """Return micro-batch k as model inputs, and its `Place` under "place"."""
        corpus, tokenizer, limits, order = self._source
        stream, index = number % order.streams, number // order.streams
        if stream not in self._readers:
            self._readers[stream] = StreamReader(corpus, tokenizer, limits, order, stream, self._anchors[stream])
        batch, anchor, drops = self._readers[stream].batch(index)
        padding = tokenizer.pad_token_id
        assert isinstance(padding, int)
        inputs: dict[str, Any] = dict(model_inputs(batch.sources, batch.targets, padding))
        return inputs | {"place": Place(number, stream, anchor, batch.rows, drops)}

    def loader(self, process: int, processes: int, workers: int, pin_memory: bool) -> DataLoader[dict[str, Any]]:
        """Return the loader of one of `processes` processes, from the present position on."""
        # Tokenizers' own threads and forked workers do not go together, and the workers already run side by side.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        return DataLoader(
            MicroBatches(self, process, processes),
            batch_size=None,
            num_workers=workers,
            pin_memory=pin_memory,
            generator=torch.Generator(),  # a loader draws a seed when it starts; dropout's generator must not feel it
        )

    # --- position ---

    def note(self, place: Place) -> None:
        """Take down that this process consumed a micro-batch."""
        self._anchors[place.stream] = place.anchor
        if place.anchor.epoch == 0:
            self._first_epoch[place.stream, place.anchor.window] = place.drops

    def notes(self) -> dict[str, Any]:
        """Return what this process took down, to be gathered from all processes."""
        return {"anchors": self._anchors, "first_epoch": self._first_epoch}

    def state(self, consumed: int, notes: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the position after `consumed` micro-batches, from the notes of all processes, as plain JSON."""
        return {
            "identity": self._identity,
            "consumed": consumed,
            "anchors": [list(anchor) for anchor in furthest_anchors(notes)],
            "first_epoch": [[*key, drops.kept, dict(drops.dropped), drops.places]
                            for key, drops in first_epoch_windows(notes)],
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """Go to a saved position.

        Raises:
            StreamMismatchError: the position was saved under other data, tokenizer, seed, budget or limits.

        """
        changed = [
            f"{name} was {state['identity'].get(name)!r} and is {value!r}"
            for name, value in self._identity.items()
            if state["identity"].get(name) != value
        ]
        if changed:
            raise StreamMismatchError(
                "the saved position does not fit this run: " + "; ".join(changed) + ". Resume with what the run was "
                "started with, or start a new one in another --output_dir"
            )
        self.consumed = state["consumed"]
        self._anchors = {stream: Anchor(*anchor) for stream, anchor in enumerate(state["anchors"])}
        self._first_epoch = {
            (stream, window): Drops(kept, Counter(dropped), places)
            for stream, window, kept, dropped, places in state["first_epoch"]
        }
        self._readers = {}

    def drops(self, notes: list[dict[str, Any]]) -> Drops:
        """Return what the first epoch, as far as it was consumed, kept and dropped."""
        return sum((drops for _, drops in first_epoch_windows(notes)), Drops())

    def epoch(self, notes: list[dict[str, Any]]) -> int:
        """Return the epoch, from 0, that the slowest stream is in."""
        return min(anchor.epoch for anchor in furthest_anchors(notes))


def furthest_anchors(notes: list[dict[str, Any]]) -> list[Anchor]:
    """Return for each stream the latest window that any process was in."""
    return [max(note["anchors"][stream] for note in notes) for stream in sorted(notes[0]["anchors"])]


def first_epoch_windows(notes: list[dict[str, Any]]) -> list[tuple[tuple[int, int], Drops]]:
    """Return (stream, window) and drops of every window of the first epoch that any process was in, each once."""
    windows: dict[tuple[int, int], Drops] = {}
    for note in notes:
        windows |= note["first_epoch"]
    return sorted(windows.items(), key=lambda item: item[0])
