"""Batches of a fixed token budget, as pure functions (section 5.1: pairs batched by approximate length).

Shapes: N sentence pairs, n of them in a batch, S and T the longest source and target among those n.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Indices = NDArray[np.int64]
Tokens = NDArray[np.unsignedinteger[Any]]
"""Token ids, in the narrowest type that holds the vocabulary."""

IGNORED = -100
"""The label that no loss counts."""


def cut_batches(source_lengths: Indices, target_lengths: Indices, budget: int) -> list[Indices]:
    """Cut N pairs into batches of like length, each at most `budget` tokens a side, padding included.

    The pairs are laid out by width, the tokens of the longer side, which is what the budget counts. Among pairs of one
    width those with the shorter target come first and those with the shorter source last, and at the next width the
    other way round, so that neighbours are alike on both sides. Then the row is cut wherever a batch is full. (A sort
    by one side leaves the other ragged: on Multi30k at 25,000 tokens 20% padding, and 9% this way.)

    Args:
        source_lengths: `[N]`, tokens with the end symbol.
        target_lengths: `[N]`, likewise.
        budget: tokens a side and batch.

    Returns:
        For each batch the indices `[n]` of its pairs; every index is in one batch.

    Raises:
        ValueError: a pair alone is larger than the budget.

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


def pad(rows: Sequence[Tokens], value: int) -> Tensor:
    """Stack n rows into `[n, longest]` int64, filled up on the right with `value`."""
    longest = max(len(row) for row in rows)
    padded = np.full((len(rows), longest), value, dtype=np.int64)
    for line, row in zip(padded, rows, strict=True):
        line[: len(row)] = row
    return torch.from_numpy(padded)


def model_inputs(sources: Sequence[Tokens], targets: Sequence[Tokens], padding: int) -> dict[str, Tensor]:
    """Return `input_ids` and `attention_mask` `[n, S]` and `labels` `[n, T]` of a batch; labels are padded by -100."""
    input_ids = pad(sources, padding)
    lengths = torch.tensor([len(row) for row in sources])
    attention_mask = (torch.arange(input_ids.shape[1]) < lengths[:, None]).long()
    return {"input_ids": input_ids, "attention_mask": attention_mask, "labels": pad(targets, IGNORED)}


def padding_share(source_lengths: Indices, target_lengths: Indices, batches: Sequence[Indices]) -> float:
    """Return the share of padding among all positions of both sides."""
    tokens = int(source_lengths.sum() + target_lengths.sum())
    return 1 - tokens / padded_size(source_lengths, target_lengths, batches)


def padded_size(source_lengths: Indices, target_lengths: Indices, batches: Sequence[Indices]) -> int:
    """Return the positions of both sides of all batches, padding included."""
    return sum(len(batch) * int(source_lengths[batch].max() + target_lengths[batch].max()) for batch in batches)
