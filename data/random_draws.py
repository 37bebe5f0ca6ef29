"""Random numbers that a key of numbers decides alone: seed, epoch, row group, row.

They come from Philox, whose stream NumPy promises not to change, so that an order of training survives upgrades; a
draw does not depend on what was drawn before it, so it is the same on any number of processes and after any resume.
"""

from collections.abc import Iterator

import numpy as np

_BLOCK = 256
"""Numbers that are drawn at a time."""


def random_bits(*key: int) -> np.random.Philox:
    """Return the generator of 64-bit numbers that belongs to a key."""
    return np.random.Philox(np.random.SeedSequence(key))


def chances(probability: float, *key: int) -> Iterator[bool]:
    """Yield, for ever, whether something happens: true with a probability, by a key alone."""
    bits = random_bits(*key)
    while True:
        yield from ((bits.random_raw(_BLOCK) >> 11) * 2.0**-53 < probability).tolist()
