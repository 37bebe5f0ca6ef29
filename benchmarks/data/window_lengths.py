"""The windows of a training stream by the lengths of their pairs alone: what is in each batch, without its text.

Windows are built by `vaswani.data.stream.build_window` itself, from row groups whose tokens are all zero, so whatever
is counted here (batches before a position, padding) is what training would see.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm
from transformers import PreTrainedTokenizerFast

from vaswani.data import CleaningLimits, Corpus, Drops, Order, Pair, fingerprint
from vaswani.data.batching import padded_size
from vaswani.data.cleaning import length_fault
from vaswani.data.encoding import EncodedGroup, Ragged, encode, encode_group
from vaswani.data.shuffling import window_starts
from vaswani.data.stream import Window, build_window

from .wmt14_corpus import open_written
from .wmt14_tokenizer import open_tokenizer

_SENTENCE = re.compile(r"(?<=[.?!]) ")


@dataclass(frozen=True)
class GroupLengths:
    """The lengths of the kept pairs of the counted row groups; calling it gives a group with tokens of zero."""

    lengths: NDArray[np.uint16]  # [N, 2], source and target
    starts: NDArray[np.int64]  # [counted groups + 1]
    groups: int

    def __call__(self, group: int) -> EncodedGroup:
        """Return one row group."""
        counted = group % (len(self.starts) - 1)
        lengths = self.lengths[self.starts[counted] : self.starts[counted + 1]].astype(np.int64)
        sources, targets = (_zeros(column) for column in lengths.T)
        # Which rows are kept plays no part in the order, only how many there are.
        return EncodedGroup(np.arange(len(lengths)), sources, targets, Drops(len(lengths)))


def _zeros(lengths: NDArray[np.int64]) -> Ragged:
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return Ragged(np.zeros(int(starts[-1]), dtype=np.uint8), starts)


def group_lengths(folder: Path, most: int) -> GroupLengths:
    """Return the lengths under the tokenizer in FOLDER/tokenizer; counts them once and keeps the result.

    Only the first `most` row groups are counted, and the others take the lengths of these by turns: all rows of a
    generated corpus are drawn alike. Rows are made of a limited number of sentences, and a byte-level vocabulary never
    joins across a space, so each sentence is encoded once and the rows are sums.

    Raises:
        ValueError: a row group has other lengths when it is encoded as training does it.

    """
    tokenizer = open_tokenizer(folder / "tokenizer")
    path = folder / f"lengths-{fingerprint(tokenizer)[:8]}-{most}.npz"
    corpus = open_written(folder)
    if not path.exists():
        known: dict[str, int] = {}
        parts = []
        for group in tqdm(range(min(most, corpus.groups)), "Counting tokens", unit=" groups"):
            parts.append(_lengths(corpus, group, tokenizer, known))
            if group % 50 == 0:
                encoded = encode_group(corpus, group, partial(encode, tokenizer), CleaningLimits())
                if not np.array_equal(parts[-1], np.stack([encoded.sources.lengths, encoded.targets.lengths], 1)):
                    raise ValueError(f"row group {group} of {folder} is not made of sentences as wmt14_corpus.py does")
        np.savez(path, lengths=np.concatenate(parts), starts=np.cumsum([0] + [len(part) for part in parts]))
    with np.load(path) as file:
        return GroupLengths(file["lengths"], file["starts"], corpus.groups)


def _lengths(
    corpus: Corpus, group: int, tokenizer: PreTrainedTokenizerFast, known: dict[str, int]
) -> NDArray[np.uint16]:
    """Return the lengths of the kept pairs of a row group, `[n, 2]`; `known` has tokens by sentence, and grows."""
    pairs = [row for row in corpus.read(group) if isinstance(row, Pair)]
    sides = []
    for texts in zip(*pairs, strict=True):
        rows = [_SENTENCE.split(text) for text in texts]
        new = list({sentence for row in rows for sentence in row} - known.keys())
        known |= zip(new, (encode(tokenizer, new).lengths - 1).tolist(), strict=True)
        sides.append([1 + sum(known[sentence] for sentence in row) for row in rows])
    kept = [pair for pair in zip(*sides, strict=True) if not length_fault(pair[0], pair[1], CleaningLimits())]
    return np.array(kept, dtype=np.uint16)


def windows_of(order: Order, lengths: GroupLengths, stream: int, epochs: int) -> Iterator[tuple[int, int, Window]]:
    """Yield (epoch, number, window) of a stream, in the order of training."""
    count = len(window_starts(order, lengths.groups, stream)) - 1
    for epoch in range(epochs):
        for number in range(count):
            yield epoch, number, build_window(lengths, lengths.groups, order, stream, epoch, number)


def position(order: Order, lengths: GroupLengths, share: float) -> dict[str, Any]:
    """Return the saved position, without its identity, of a run that has done `share` of its second epoch."""
    counted = [
        [(epoch, number, len(window.batches), window.drops.kept) for epoch, number, window in walk]
        for walk in (windows_of(order, lengths, stream, 2) for stream in range(order.streams))
    ]
    batches = [sum(count for walk in counted for e, _, count, _ in walk if e == epoch) for epoch in range(2)]
    turns = round((batches[0] + share * batches[1]) / order.streams)
    anchors = []
    for walk in counted:
        before = 0
        for epoch, number, count, _ in walk:
            if turns - 1 < before + count:  # the window of the last batch that was trained on
                anchors.append([epoch, number, before])
                break
            before += count
        else:
            raise ValueError(f"a stream ends before {share:.0%} of its second epoch; take fewer streams")
    return {
        "consumed": turns * order.streams,
        "anchors": anchors,
        "first_epoch": [
            [stream, number, kept, {}, {}]
            for stream, walk in enumerate(counted)
            for epoch, number, _, kept in walk
            if epoch == 0
        ],
    }


def padding(order: Order, lengths: GroupLengths, most: int = 60) -> dict[str, float]:
    """Return the share of padding among all positions of the first windows of an epoch, and the pairs of a batch.

    The windows are taken as training meets them: the first of every stream, the second of every stream, and so on.
    """
    counts = [len(window_starts(order, lengths.groups, stream)) - 1 for stream in range(order.streams)]
    met = (
        (stream, number) for number in range(max(counts)) for stream in range(order.streams) if number < counts[stream]
    )
    tokens = places = pairs = batches = windows = 0
    for stream, number in islice(met, most):
        window: Window = build_window(lengths, lengths.groups, order, stream, 0, number)
        sources, targets = window.sources.lengths, window.targets.lengths
        tokens += int(sources.sum() + targets.sum())
        places += padded_size(window.shapes)
        pairs, batches, windows = pairs + len(sources), batches + len(window.batches), windows + 1
    return {"padding": 1 - tokens / places, "pairs_per_batch": pairs / batches, "windows": windows}
