"""The numbers that define the order of training: permutations, shares of row groups, windows."""

from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import numpy as np

from .batching import Indices
from .random_draws import random_bits


@dataclass(frozen=True)
class Order:
    """What the order of training depends on, besides the data."""

    seed: int
    tokens_per_batch: int
    """Token budget of a micro-batch, per side, padding included."""
    streams: int = 1
    """M. One suits a small corpus; 64 keep many loader workers and machines busy without reading the same rows."""
    window_groups: int = 64
    """Row groups shuffled together in one window, of about 1,000 pairs each."""
    widths: tuple[int, ...] = ()
    """Rising lengths; both sides of a batch are padded to one of them. None: as little padding as possible."""

    bpe_dropout: float = 0.0
    """The probability that a merge is left out (`bpe_dropout.py`)."""

    glossary: str | None = None
    """The fingerprint of the glossary whose terms are named in sources (`glossary/annotation.py`)."""

    term_share: float = 0.0
    """The share of the pairs with such terms that get them."""

    def __post_init__(self) -> None:
        if not 0 <= self.bpe_dropout <= 1:
            raise ValueError(
                f"bpe_dropout is {self.bpe_dropout}; give a probability, 0 to 1 (0.1 in the paper of BPE-dropout)"
            )
        if not 0 <= self.term_share <= 1:
            raise ValueError(f"term_share is {self.term_share}; give a share, 0 to 1 (0.1 in its paper)")
        for name in ("tokens_per_batch", "streams", "window_groups"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        widths = " ".join(map(str, self.widths))
        if any(after <= before for before, after in pairwise((0, *self.widths))):
            raise ValueError(f"widths are {widths}; give positive numbers of tokens, each larger than the one before")
        if self.widths and self.widths[-1] > self.tokens_per_batch:
            raise ValueError(
                f"widths are {widths}, and a batch has {self.tokens_per_batch} tokens a side: not even one pair of the "
                "last width would fit; lower it, or raise tokens_per_batch"
            )


def permutation(length: int, *key: int) -> Indices:
    """Return the numbers 0 to `length - 1` in an order drawn from `key` alone."""
    return np.argsort(random_bits(*key).random_raw(length), kind="stable").astype(np.int64)


def groups_of_stream(order: Order, groups: int, epoch: int, stream: int) -> Indices:
    """Return the row groups that a stream reads in an epoch, in order; the streams' shares make up all groups."""
    return permutation(groups, order.seed, epoch)[stream :: order.streams]


def window_starts(order: Order, groups: int, stream: int) -> Indices:
    """Return where in a stream's share of `groups` row groups each window of an epoch begins, and where the last ends.

    Streams begin with windows of different sizes, from one M-th of `window_groups` upwards, so that the first batch
    comes early and later the streams do not all need their next window at the same time.
    """
    share = len(range(stream, groups, order.streams))
    first = ceil(order.window_groups * (stream + 1) / order.streams)
    return np.array([0, *range(first, share, order.window_groups), share], dtype=np.int64)
