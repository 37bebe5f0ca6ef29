"""Batches of a fixed token budget, as pure functions (section 5.1: pairs batched by approximate length).

Shapes: N sentence pairs, n of them in a batch, S and T the longest source and target among those n.
"""

from collections.abc import Sequence
from math import ceil, sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Indices = NDArray[np.int64]
Tokens = NDArray[np.int32]

IGNORED = -100
"""The label that no loss counts."""


def permutation(length: int, *key: int) -> Indices:
    """Return the numbers 0 to `length - 1` in an order drawn from `key` alone.

    The random bits are Philox's, whose stream NumPy promises not to change, so that an order outlives upgrades.
    """
    bits = np.random.Philox(np.random.SeedSequence(key)).random_raw(length)
    return np.argsort(bits, kind="stable").astype(np.int64)


def cut_batches(source_lengths: Indices, target_lengths: Indices, budget: int) -> list[Indices]:
    """Cut N pairs into batches of like length, each at most `budget` tokens a side, padding included.

    The pairs are laid out in bands of like target length. Within a band they run by source length, up and down by
    turns, so that neighbours stay alike from band to band; then the whole row is cut wherever a batch is full. With
    as many bands as a band has batches, padding is small on both sides, where a sort by one side leaves the other
    ragged.

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
    by_target = np.lexsort((source_lengths, target_lengths))
    batches = ceil(int(target_lengths.sum()) / budget)
    order: list[Indices] = []
    for number, band in enumerate(np.array_split(by_target, max(1, round(sqrt(batches))))):
        up = band[np.argsort(source_lengths[band], kind="stable")]
        order.append(up if number % 2 == 0 else up[::-1])
    return _cut(np.concatenate(order), source_lengths, target_lengths, budget)


def _cut(order: Indices, source_lengths: Indices, target_lengths: Indices, budget: int) -> list[Indices]:
    """Cut `order` where one more pair would take either side, padded, beyond the budget."""
    cuts, first, longest = [], 0, 0
    widths = np.maximum(source_lengths, target_lengths)[order].tolist()
    for position, width in enumerate(widths):
        if (position - first + 1) * max(longest, width) > budget:
            cuts.append(position)
            first, longest = position, width
        else:
            longest = max(longest, width)
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
    places = sum(len(batch) * int(source_lengths[batch].max() + target_lengths[batch].max()) for batch in batches)
    return 1 - tokens / places
