"""The order of training as a function of data, seed and position, and of nothing else.

Micro-batch number k is one batch of a fixed token budget. A step of B micro-batches takes k in [sB, (s+1)B), and
process r of w takes those with k mod w = r. The batches come from M streams: k is the (k div M)-th batch of stream
k mod M. In every epoch a stream walks its share of the row groups in an order drawn from (seed, epoch), a window of
groups at a time; a window's rows are shuffled and cut into batches of similar length, and the batches are shuffled. So
a window is a pure function of (data, seed, epoch, stream, window number), and the same batches come out whatever the
number of processes or loader workers and wherever training stopped: nothing is lost or repeated.

A position is therefore small: the micro-batches consumed, and for each stream where its current window began.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import MISSING, asdict, fields
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from vaswani.storage.records import as_json, from_json

from .batching import Indices, Shape, Tokens, cut_batches, cut_to_widths, model_inputs, shape_of
from .bpe_dropout import BpeDropout
from .cleaning import CleaningLimits, Drops
from .encoding import EncodedGroup, Ragged, join
from .glossary.annotation import Annotator
from .glossary.glossary import Glossary
from .pairs import Corpus, CorpusError
from .position import PositionRecord
from .segmentation import Segmentation
from .shuffling import Order, groups_of_stream, permutation, window_starts
from .token_cache import GroupReader, TokenCache

_READERS = 4
"""Row groups of a window that are read at the same time, because reading over a network is mostly waiting."""


class Anchor(NamedTuple):
    """Where a stream's window begins: its epoch, its number in the epoch, and the stream's batches before it."""

    epoch: int
    window: int
    batches_before: int


class Batch(NamedTuple):
    """n encoded pairs, their ids `[n, 2]`: (row group, row in the group), and the shape of the batch."""

    sources: list[Tokens]
    targets: list[Tokens]
    rows: Indices
    shape: Shape


class Window(NamedTuple):
    """The N pairs of one window, its batches in the order of training, and what was dropped."""

    sources: Ragged
    targets: Ragged
    ids: Indices  # [N, 2], (row group, row in the group)
    batches: list[Indices]
    shapes: list[Shape]  # of the batches
    drops: Drops
    dropped_by_group: list[tuple[int, Drops]]  # row groups in the order of reading

    def batch(self, number: int) -> Batch:
        """Return one batch."""
        pairs = self.batches[number]
        rows = pairs.tolist()
        sources, targets = [self.sources.row(n) for n in rows], [self.targets.row(n) for n in rows]
        return Batch(sources, targets, self.ids[pairs], self.shapes[number])


class Place(NamedTuple):
    """Where a micro-batch came from: its number k, its stream, its window, the ids of its pairs.

    Also the windows without a batch between the reader's previous micro-batch and this one.
    """

    number: int
    stream: int
    anchor: Anchor
    rows: Indices
    drops: Drops
    barren: tuple[tuple[Anchor, Drops], ...]


class StreamMismatchError(ValueError):
    """A saved position belongs to other data, another tokenizer or another order of training.

    Attributes:
        changed: names of what differs.

    """

    def __init__(self, message: str, changed: Collection[str] = ()) -> None:
        super().__init__(message)
        self.changed = changed


class TooManyUnreadableError(CorpusError):
    """More rows of an epoch are unreadable than allowed."""


def build_window(
    read: Callable[[int], EncodedGroup], groups: int, order: Order, stream: int, epoch: int, window: int
) -> Window:
    """Read, shuffle and cut one window: a pure function of its arguments. `read` gives a row group by its number."""
    starts = window_starts(order, groups, stream)
    numbers = groups_of_stream(order, groups, epoch, stream)[starts[window] : starts[window + 1]]
    with ThreadPoolExecutor(_READERS) as readers:
        parts = list(readers.map(read, numbers.tolist()))
    sources, targets = join([part.sources for part in parts]), join([part.targets for part in parts])
    ids = np.concatenate(
        [np.stack([np.full_like(part.rows, n), part.rows], 1) for n, part in zip(numbers, parts, strict=True)]
    )
    drops = sum((part.drops for part in parts), Drops())
    key = (order.seed, epoch, stream, window)
    mixed = permutation(len(ids), *key, 0)
    of_source, of_target = sources.lengths[mixed], targets.lengths[mixed]
    budget, widths = order.tokens_per_batch, order.widths
    cuts = cut_to_widths(of_source, of_target, budget, widths) if widths else cut_batches(of_source, of_target, budget)
    turned = [cuts[number] for number in permutation(len(cuts), *key, 1).tolist()]
    shapes = [shape_of(of_source[cut], of_target[cut], budget, widths) for cut in turned]
    by_group = [(number, part.drops) for number, part in zip(numbers.tolist(), parts, strict=True)]
    return Window(sources, targets, ids, [mixed[cut] for cut in turned], shapes, drops, by_group)


def segmentation(
    tokenizer: PreTrainedTokenizerBase, order: Order, glossary: Glossary | None, cache: TokenCache | None
) -> Segmentation | None:
    """Return how each epoch encodes its pairs anew, or None if all encode them alike.

    Raises:
        ValueError: a packed cache, which keeps one encoding, is to be used too.

    """
    assert order.glossary == (None if glossary is None else glossary.fingerprint)
    asked = {"bpe_dropout": order.bpe_dropout, "glossary": glossary is not None and order.term_share}
    given = [f"--{name}" for name, value in asked.items() if value]
    if given and cache is not None:
        raise ValueError(
            f"{' and '.join(given)} encodes each epoch anew, and a packed cache keeps one encoding; leave out one of "
            f"{given[0]} and --packed_cache"
        )
    if not given:
        return None
    dropout = None
    if order.bpe_dropout:
        assert isinstance(tokenizer, PreTrainedTokenizerFast)
        dropout = BpeDropout(tokenizer, order.bpe_dropout)
    annotator = Annotator(glossary, order.term_share) if glossary is not None and order.term_share else None
    return Segmentation(tokenizer, dropout, annotator)


class StreamReader:
    """Gives the batches of one stream by number, in rising order, starting at an anchor.

    Holds one window and builds the next one in the background, so that training need not wait at the end of a window.
    """

    def __init__(
        self, name: str, build: Callable[[int, int], Window], windows: int, anchor: Anchor, ahead: Executor
    ) -> None:
        self._name = name
        self._build = build
        self._windows = windows
        self._ahead = ahead
        self._anchor = anchor
        self._window: Window | None = None
        self._next: Future[Window] | None = None

    def batch(self, number: int) -> tuple[Batch, Anchor, Drops, tuple[tuple[Anchor, Drops], ...]]:
        """Return the stream's batch `number`, counted over all epochs, the window it is in, and its drops.

        Also the windows without a batch that were passed, with their drops, which are reported only here.

        Raises:
            CorpusError: a whole epoch gave no batch.

        """
        barren: list[tuple[Anchor, Drops]] = []
        while True:
            epoch, window, before = self._anchor
            if self._window is None:
                self._window = self._next.result() if self._next else self._build(epoch, window)
                self._next = None
            elif self._next is None:
                # Not before the second batch: after a start or a resume every stream gets its own window first.
                self._next = self._ahead.submit(self._build, *self._following())
            if number < before + len(self._window.batches):
                return self._window.batch(number - before), self._anchor, self._window.drops, tuple(barren)
            if not self._window.batches:
                barren.append((self._anchor, self._window.drops))
            before += len(self._window.batches)
            if before == 0 and window + 1 == self._windows:
                passed = sum((drops for _, drops in barren), Drops())
                raise CorpusError(
                    f"no pair of {self._name} is left to train on; fix the data, or lower --streams. {passed.report()}"
                )
            self._anchor = Anchor(*self._following(), before)
            self._window = None

    def _following(self) -> tuple[int, int]:
        """Epoch and window after the present one."""
        epoch, window, _ = self._anchor
        return (epoch + 1, 0) if window + 1 == self._windows else (epoch, window + 1)


class MicroBatches(IterableDataset[dict[str, Any]]):
    """The endless micro-batches of one process, starting at a position; splits itself among loader workers.

    Args:
        stream: where they come from, and the position.
        process: r, 0 <= r < `processes`.
        processes: w; it divides the position.

    """

    def __init__(self, stream: "TrainingStream", process: int, processes: int) -> None:
        self._stream = stream
        self._process = process
        self._processes = processes

    def __iter__(self) -> Iterator[dict[str, Any]]:
        info = get_worker_info()
        return self.part(info.id, info.num_workers) if info else self.part(0, 1)

    def part(self, worker: int, workers: int) -> Iterator[dict[str, Any]]:
        """Return what one of the loader workers yields.

        A DataLoader takes from its workers in turn, so worker j of n has every n-th micro-batch of the process.
        """
        number = self._stream.consumed + self._process + worker * self._processes
        while True:
            yield self._stream.micro_batch(number)
            number += self._processes * workers


class TrainingStream:
    """Endless training batches with a known position: the state is a few integers and is checked when restored."""

    def __init__(
        self,
        corpus: Corpus,
        tokenizer: PreTrainedTokenizerBase,
        tokenizer_id: str,
        limits: CleaningLimits,
        order: Order,
        cache: TokenCache | None = None,
        max_unreadable: float = 0.001,
        glossary: Glossary | None = None,
    ) -> None:
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
        if order.widths and limits.max_tokens > order.widths[-1]:
            raise ValueError(
                f"a pair may have {limits.max_tokens} tokens a side and the last of --widths is {order.widths[-1]}; "
                f"lower --max_tokens, or add the width {limits.max_tokens}"
            )
        padding = tokenizer.pad_token_id
        assert isinstance(padding, int)
        self._padding = padding
        self._corpus = corpus
        self._order = order
        self._read = GroupReader(corpus, tokenizer, limits, cache, segmentation(tokenizer, order, glossary, cache))
        self._identity = _as_saved(
            {"data": corpus.fingerprint, "tokenizer": tokenizer_id, **asdict(order), **asdict(limits)}
        )
        self._edition = limits.edition
        self._anchors = {stream: Anchor(0, 0, 0) for stream in range(order.streams)}
        self._readers: dict[int, StreamReader] = {}
        self._ahead: Executor | None = None
        self._max_unreadable = max_unreadable
        self._unreadable: Counter[int] = Counter()  # rows, by epoch
        self._rows: Counter[int] = Counter()  # all rows that were read, by epoch
        self._entered: dict[int, Anchor] = {}  # by stream, the last window whose unreadable rows were counted
        self._first_epoch: dict[tuple[int, int], Drops] = {}
        self._had: set[int] = set()  # streams from which this process had micro-batches before a resume
        self.consumed = 0

    # --- reading ---

    def micro_batch(self, number: int) -> dict[str, Any]:
        """Return micro-batch k as model inputs, and its `Place` under "place"."""
        stream, index = number % self._order.streams, number // self._order.streams
        if stream not in self._readers:
            self._readers[stream] = self._reader(stream)
        batch, anchor, drops, barren = self._readers[stream].batch(index)
        inputs: dict[str, Any] = dict(model_inputs(batch.sources, batch.targets, self._padding, batch.shape))
        return inputs | {"place": Place(number, stream, anchor, batch.rows, drops, barren)}

    def _reader(self, stream: int) -> StreamReader:
        # Created here, in the process that reads: threads and windows do not survive a fork.
        self._ahead = self._ahead or ThreadPoolExecutor(1)
        name = f"{self._corpus.name} (stream {stream} of {self._order.streams})"
        windows = self._windows_of(stream)
        return StreamReader(name, self._builder(stream), windows, self._anchors[stream], self._ahead)

    def _builder(self, stream: int) -> Callable[[int, int], Window]:
        return partial(self._build, stream)

    def _build(self, stream: int, epoch: int, window: int) -> Window:
        def read(group: int) -> EncodedGroup:
            return self._read(group, self._order.seed, epoch)

        return build_window(read, self._corpus.groups, self._order, stream, epoch, window)

    def _windows_of(self, stream: int) -> int:
        return len(window_starts(self._order, self._corpus.groups, stream)) - 1

    @property
    def shapes(self) -> int | None:
        """The most shapes that batches have; None: any number."""
        return len(self._order.widths) or None

    @property
    def windows_an_epoch(self) -> int:
        """Windows of all streams together."""
        return sum(self._windows_of(stream) for stream in range(self._order.streams))

    def windows(self, epoch: int = 0) -> Iterator[Window]:
        """Yield the windows of an epoch, stream after stream, to inspect what will be trained on."""
        for stream in range(self._order.streams):
            for window in range(self._windows_of(stream)):
                yield self._builder(stream)(epoch, window)

    def loader(self, process: int, processes: int, workers: int, pin_memory: bool) -> DataLoader[dict[str, Any]]:
        """Return the loader of one of `processes` processes, starting at the present position."""
        # Tokenizers' own threads do not work in forked workers, and the workers already run in parallel.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        streams = self._order.streams
        self._had = {number % streams for number in range(process, min(self.consumed, streams * processes), processes)}
        return DataLoader(
            MicroBatches(self, process, processes),
            batch_size=None,
            num_workers=workers,
            pin_memory=pin_memory,
            generator=torch.Generator(),  # a loader draws a seed at its start, not from dropout's generator
        )

    # --- position ---

    def note(self, place: Place) -> None:
        """Record that this process consumed a micro-batch.

        Raises:
            TooManyUnreadableError: more than the allowed share of the corpus could not be read in this epoch.

        """
        self._anchors[place.stream] = place.anchor
        for anchor, drops in (*place.barren, (place.anchor, place.drops)):
            if place.stream in self._entered and anchor <= self._entered[place.stream]:
                continue
            self._entered[place.stream] = anchor
            if anchor.epoch == 0:
                self._first_epoch[place.stream, anchor.window] = drops
            self._unreadable[anchor.epoch] += drops.unreadable
            self._rows[anchor.epoch] += drops.rows
            self._limit(self._unreadable[anchor.epoch], self._rows[anchor.epoch], drops)

    def _limit(self, unreadable: int, read: int, drops: Drops) -> None:
        rows = max(self._corpus.rows, read)  # for some formats the number of rows is a guess
        if unreadable > self._max_unreadable * rows:
            raise TooManyUnreadableError(
                f"{unreadable:,} rows of {self._corpus.name} could not be read in this epoch, more than "
                f"{self._max_unreadable:.2%} of {rows:,}; fix the source, or allow more with --max_unreadable. Latest: "
                f"{drops.report()}"
            )

    def notes(self) -> dict[str, Any]:
        """Return what this process recorded, to be gathered from all processes."""
        entered = sorted(self._entered.keys() | self._had)
        return {"anchors": self._anchors, "first_epoch": self._first_epoch, "entered": entered}

    def state(self, consumed: int, notes: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the position after `consumed` micro-batches, from the notes of all processes, as plain JSON.

        Raises:
            TooManyUnreadableError: in the first epoch, all processes together could not read more rows than allowed.

        """
        drops = self.drops(notes)
        self._limit(drops.unreadable, drops.rows, drops)
        windows = first_epoch_windows(notes)
        position = PositionRecord(
            identity=self._identity,
            edition=self._edition,
            consumed=consumed,
            anchors=tuple((each.epoch, each.window, each.batches_before) for each in furthest_anchors(notes)),
            first_epoch=tuple(
                (*key, drops.kept, dict(drops.dropped), drops.places, drops.joined) for key, drops in windows
            ),
        )
        return dict(as_json(position))

    def restore(self, state: dict[str, Any]) -> None:
        """Go to a saved position.

        Raises:
            ValueError: it is not a position, or was saved by a newer version.
            StreamMismatchError: the position was saved with other data, tokenizer, seed, budget or limits.

        """
        position = from_json(PositionRecord, state, "the position in the data (stream.json)")
        # A position from before a field existed was saved with its default.
        known = (each for kind in (Order, CleaningLimits) for each in fields(kind))
        defaults = _as_saved({each.name: each.default for each in known if each.default is not MISSING})
        # Versions without an option for line breaks dropped some kinds, kept others, and recognised fewer blank texts.
        then = defaults | {"line_breaks": "of an earlier version"} | dict(position.identity)
        changed = {
            name: f"{name} was {then.get(name)!r} and is {value!r}"
            for name, value in self._identity.items()
            if then.get(name) != value
        }
        edition = position.edition
        if None not in (edition, self._edition) and edition != self._edition:
            changed["edition"] = (
                f"--drop_html and --check_script used edition {edition} of their rules and now use {self._edition}"
            )
        if changed:
            raise StreamMismatchError(
                f"the saved position does not fit this run: {'; '.join(changed.values())}. Resume with what the run "
                "was started with, or start a new one in another --output_dir",
                changed.keys(),
            )
        self.consumed = position.consumed
        self._anchors = {stream: Anchor(*anchor) for stream, anchor in enumerate(position.anchors)}
        self._first_epoch = {
            (stream, window): Drops(kept, Counter(dropped), places, *joined)
            for stream, window, kept, dropped, places, *joined in position.first_epoch
        }
        self._readers, self._entered, self._unreadable, self._rows = {}, {}, Counter(), Counter()

    def drops(self, notes: list[dict[str, Any]]) -> Drops:
        """Return what the consumed part of the first epoch kept and dropped."""
        return sum((drops for _, drops in first_epoch_windows(notes)), Drops())

    def epoch(self, notes: list[dict[str, Any]]) -> int:
        """Return the epoch, from 0, of the slowest stream among those with batches in the notes.

        If there are none since the start, of all streams.
        """
        anchors = furthest_anchors(notes)
        # In one process's notes the streams of the others stay where they were restored.
        entered = {stream for note in notes for stream in note["entered"]}
        return min(anchors[stream].epoch for stream in entered or range(len(anchors)))


def furthest_anchors(notes: list[dict[str, Any]]) -> list[Anchor]:
    """Return, for each stream, the latest window that any process has reached."""
    return [max(note["anchors"][stream] for note in notes) for stream in sorted(notes[0]["anchors"])]


def first_epoch_windows(notes: list[dict[str, Any]]) -> list[tuple[tuple[int, int], Drops]]:
    """Return (stream, window) and drops of every window of the first epoch that any process has reached, each once."""
    windows: dict[tuple[int, int], Drops] = {}
    for note in notes:
        windows |= note["first_epoch"]
    return sorted(windows.items(), key=lambda item: item[0])


def _as_saved(values: dict[str, Any]) -> dict[str, Any]:
    """Return values as they are read back from a file, so that both can be compared: JSON turns tuples into lists."""
    found: dict[str, Any] = json.loads(json.dumps(values))
    return found
