"""Batches of a fixed token budget, as pure functions (section 5.1: pairs batched by approximate length).

Shapes: N sentence pairs, n of them in a batch, S and T the longest source and target among those n.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Indices = NDArray[np.int64]
Tokens = NDArray[np.unsignedinteger[Any]]
"""Token ids, in the narrowest type that holds the vocabulary."""

IGNORED = -100
"""The label that the loss ignores."""


class Shape(NamedTuple):
    """The size of a batch, padding included."""

    rows: int
    source: int
    target: int


def cut_batches(source_lengths: Indices, target_lengths: Indices, budget: int) -> list[Indices]:
    """Cut N pairs into batches of similar length, each at most `budget` tokens per side, padding included.

    The pairs are sorted by width, the tokens of the longer side, which is what the budget counts. Within one width
    those with the shorter target come first and those with the shorter source last, and within the next width the other
    way round, so that neighbours are alike on both sides. Then the sequence is cut wherever a batch is full. (Sorting
    by one side leaves the other uneven: on Multi30k at 25,000 tokens 20% padding, and 9% this way.)

    Args:
        source_lengths: `[N]`, tokens with the end token.
        target_lengths: `[N]`, likewise.
        budget: tokens a side and batch.

    Returns:
        For each batch the indices `[n]` of its pairs; every index is in one batch.

    Raises:
        ValueError: a single pair is larger than the budget.

    """
    if len(source_lengths) == 0:
        return []
    longest = int(max(source_lengths.max(), target_lengths.max()))
    if longest > budget:
        raise ValueError(
            f"a pair of {longest} tokens does not fit into a batch of {budget}; raise tokens_per_batch, or lower "
            "max_tokens so that such pairs are dropped and counted"
        )
    width = np.maximum(source_lengths, target_lengths)
    lean = np.where(width % 2 == 0, 1, -1) * (target_lengths - source_lengths)
    order = np.lexsort((lean, width))
    cuts, first = [], 0
    for position, widest in enumerate(width[order].tolist()):
        if (position - first + 1) * widest > budget:
            cuts.append(position)
            first = position
    return np.split(order, cuts)


def cut_to_widths(
    source_lengths: Indices, target_lengths: Indices, budget: int, widths: Sequence[int]
) -> list[Indices]:
    """Cut N pairs into batches for which `shape_of` gives at most one shape per width.

    The widest remaining pair decides the width of the next batch, which then takes the widest pairs until it is full.
    So a batch may hold narrower pairs, but only the last one, of the narrowest, may have empty rows.

    Args:
        source_lengths: `[N]`, tokens with the end token.
        target_lengths: `[N]`, likewise.
        budget: tokens a side and batch.
        widths: rising; the last holds every pair and is within the budget.

    Returns:
        For each batch the indices `[n]` of its pairs; every index is in one batch.

    """
    width = np.maximum(source_lengths, target_lengths)
    order = np.argsort(-width, kind="stable")
    batches, first = [], 0
    while first < len(order):
        rows = budget // _holding(int(width[order[first]]), widths)
        batches.append(order[first : first + rows])
        first += rows
    return batches


def shape_of(source_lengths: Indices, target_lengths: Indices, budget: int, widths: Sequence[int] = ()) -> Shape:
    """Return the shape of a batch of n pairs: the smallest possible, or the fixed shape of its width."""
    source, target = int(source_lengths.max()), int(target_lengths.max())
    if not widths:
        return Shape(len(source_lengths), source, target)
    width = _holding(max(source, target), widths)
    return Shape(budget // width, width, width)


def _holding(tokens: int, widths: Sequence[int]) -> int:
    """Return the narrowest width that holds so many tokens."""
    return next(width for width in widths if width >= tokens)


def pad(rows: Sequence[Tokens], value: int, height: int, width: int) -> Tensor:
    """Stack rows into `[height, width]` int64, padded on the right and below with `value`."""
    padded = np.full((height, width), value, dtype=np.int64)
    for line, row in zip(padded, rows, strict=False):
        line[: len(row)] = row
    return torch.from_numpy(padded)


def model_inputs(
    sources: Sequence[Tokens], targets: Sequence[Tokens], padding: int, shape: Shape | None = None
) -> dict[str, Tensor]:
    """Return `input_ids` and `attention_mask` `[n, S]` and `labels` `[n, T]` of a batch; labels are padded with -100.

    A `shape` may be larger than the pairs need. Rows without a pair are ignored, since all of their labels are -100;
    one of their padding tokens is attended to, or a softmax would have no input.
    """
    lengths = torch.tensor([len(row) for row in sources])
    if shape is None:
        shape = Shape(len(sources), int(lengths.max()), max(len(row) for row in targets))
    lengths = torch.cat([lengths, lengths.new_ones(shape.rows - len(sources))])
    return {
        "input_ids": pad(sources, padding, shape.rows, shape.source),
        "attention_mask": (torch.arange(shape.source) < lengths[:, None]).long(),
        "labels": pad(targets, IGNORED, shape.rows, shape.target),
    }


def padding_share(source_lengths: Indices, target_lengths: Indices, shapes: Iterable[Shape]) -> float:
    """Return the share of padding among all positions of both sides."""
    return 1 - int(source_lengths.sum() + target_lengths.sum()) / padded_size(shapes)


def padded_size(shapes: Iterable[Shape]) -> int:
    """Return the positions of both sides of all batches, padding included."""
    return sum(shape.rows * (shape.source + shape.target) for shape in shapes)
