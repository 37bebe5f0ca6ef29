"""Row groups as token ids: cleaned, encoded, and stored compactly.

Shapes: n pairs of a group are kept.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from .batching import Indices, Tokens
from .cleaning import CleaningLimits, Dropped, Drops, length_fault, readable
from .pairs import Corpus, Pair, Rows, read_rows


class Ragged(NamedTuple):
    """n rows of token ids of different lengths, end to end."""

    tokens: Tokens  # [total]
    starts: Indices  # [n + 1], where each row begins, and the end

    @property
    def lengths(self) -> Indices:
        """Tokens of each row, `[n]`."""
        return np.diff(self.starts)

    def row(self, number: int) -> Tokens:
        """Return the ids of one row."""
        return self.tokens[self.starts[number] : self.starts[number + 1]]

    def keep(self, which: NDArray[np.bool_]) -> "Ragged":
        """Return the rows for which `which` `[n]` holds."""
        lengths = self.lengths
        starts = np.concatenate([[0], np.cumsum(lengths[which])])
        return Ragged(self.tokens[np.repeat(which, lengths)], starts)


def ragged(rows: Sequence[list[int]], dtype: np.dtype[np.unsignedinteger[Any]]) -> Ragged:
    """Concatenate rows of ids."""
    starts = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, rows), np.int64, len(rows)), out=starts[1:])
    return Ragged(np.fromiter(chain.from_iterable(rows), dtype, int(starts[-1])), starts)


def join(parts: Sequence[Ragged]) -> Ragged:
    """Concatenate the rows of several parts."""
    ends = np.cumsum([0] + [len(part.tokens) for part in parts])
    starts = [part.starts[:-1] + end for part, end in zip(parts, ends, strict=False)]
    return Ragged(np.concatenate([part.tokens for part in parts]), np.concatenate([*starts, ends[-1:]]))


class EncodedGroup(NamedTuple):
    """The pairs of one row group that are kept, and what was dropped."""

    rows: Indices  # [n], position in the group
    sources: Ragged
    targets: Ragged
    drops: Drops


Encode = Callable[[Iterable[str]], Ragged]
"""Encodes texts, each with </s>."""

Segment = Callable[[int, Pair], tuple[list[int], list[int]]]
"""Encodes a pair, given its row in the group: source and target, each with </s>."""


def encode(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> Ragged:
    """Return the token ids of each text, with </s>."""
    encodings = tokenizer.backend_tokenizer.encode_batch_fast(list(texts))
    return ragged([encoding.ids for encoding in encodings], np.min_scalar_type(len(tokenizer)))


def encode_group(
    corpus: Corpus,
    group: int,
    encode_texts: Encode,
    limits: CleaningLimits,
    segment: Segment | None = None,
) -> EncodedGroup:
    """Read, clean and encode one row group: a pure function of its arguments."""
    return encode_rows(read_rows(corpus, group), encode_texts, limits, segment=segment)


def encode_rows(
    rows: Rows,
    encode_texts: Encode,
    limits: CleaningLimits,
    dropped: list[Dropped] | None = None,
    segment: Segment | None = None,
) -> EncodedGroup:
    """Clean and encode the rows of a group.

    Args:
        rows: of the group.
        encode_texts: decides which pairs are too long or too unlike in length.
        limits: of the cleaning.
        dropped: dropped rows are added to it, if it is given.
        segment: encodes the pairs that are kept in another way, if it is given; one that it would make too long, or too
            unlike, stays as the tokenizer encodes it.

    """
    drops = Drops()
    pairs = list(readable(rows, limits, drops, dropped))
    sources = encode_texts(pair.source for _, pair in pairs)
    targets = encode_texts(pair.target for _, pair in pairs)
    kept = np.ones(len(pairs), dtype=np.bool_)
    for number, lengths in enumerate(zip(sources.lengths.tolist(), targets.lengths.tolist(), strict=True)):
        if reason := length_fault(*lengths, limits):
            position = pairs[number][0]
            drops.add(reason, rows.where(position))
            if dropped is not None:
                dropped.append(Dropped(position, reason))
            kept[number] = False
    drops.kept = int(kept.sum())
    positions = np.array([position for position, _ in pairs], dtype=np.int64)
    group = EncodedGroup(positions[kept], sources.keep(kept), targets.keep(kept), drops)
    if segment is None:
        return group
    return segmented(group, [pair for (_, pair), is_kept in zip(pairs, kept, strict=True) if is_kept], segment, limits)


def segmented(group: EncodedGroup, pairs: Sequence[Pair], segment: Segment, limits: CleaningLimits) -> EncodedGroup:
    """Return a group whose pairs are encoded by `segment`, where that keeps within the limits."""
    sides: tuple[list[list[int]], list[list[int]]] = ([], [])
    for number, (row, pair) in enumerate(zip(group.rows.tolist(), pairs, strict=True)):
        ids = segment(row, pair)
        if length_fault(len(ids[0]), len(ids[1]), limits):
            ids = (group.sources.row(number).tolist(), group.targets.row(number).tolist())
        for side, of_side in zip(sides, ids, strict=True):
            side.append(of_side)
    dtype = group.sources.tokens.dtype
    return group._replace(sources=ragged(sides[0], dtype), targets=ragged(sides[1], dtype))
