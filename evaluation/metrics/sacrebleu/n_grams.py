"""How many n-grams lines have in common with their references: the counts of BLEU and chrF, many lines at a time.

A line is a row of symbols (words, or characters), and a symbol a number. An n-gram of a block of lines is then one
integer too, and counting is sorting: equal n-grams of a line stand side by side. Nothing is hashed, so nothing can
collide.

Shapes: L lines, S symbols in them, n orders. This file travels with the module beside it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


class Symbols(NamedTuple):
    """Lines as numbers."""

    flat: Integers
    """`[S]`, from 0, of all lines, one behind the other."""
    lengths: Integers
    """`[L]`, symbols of each line."""


def of_characters(lines: Sequence[str]) -> Symbols:
    """Return the code points of lines."""
    flat = np.frombuffer("".join(lines).encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))
    return Symbols(flat.astype(np.int64), np.array([len(line) for line in lines], np.int64))


def of_words(lines: Sequence[str], numbers: dict[str, int]) -> Symbols:
    """Return the numbers of the words between white space; a word that has none yet gets the next one."""
    rows = [line.split() for line in lines]
    flat = [numbers.setdefault(word, len(numbers)) for row in rows for word in row]
    return Symbols(np.array(flat, np.int64), np.array([len(row) for row in rows], np.int64))


def n_grams(lengths: Integers, orders: int) -> Integers:
    """Return how many n-grams of each order, from 1, lines of these lengths have: `[L]` to `[L, n]`."""
    return np.maximum(lengths[:, None] - np.arange(orders), 0)


def n_grams_in_common(one: Symbols, other: Symbols, orders: int) -> Integers:
    """Return how many n-grams each line has in common with its counterpart, each as often as both have it.

    Args:
        one: L lines.
        other: as many.
        orders: the highest n.

    Returns:
        `[L, n]`.

    """
    lines = len(one.lengths)
    found = np.zeros((lines, orders), np.int64)
    numbers, symbols = numbered(np.concatenate([one.flat, other.flat]))
    side = np.repeat([0, 1], [len(one.flat), len(other.flat)])
    line = np.concatenate([np.repeat(np.arange(lines), each.lengths) for each in (one, other)])
    left = np.concatenate([_places_left(each.lengths) for each in (one, other)])
    kinds, grams, starts = numbers, symbols, np.arange(len(symbols))
    for order in range(orders):
        if order:
            stays = left[starts] > order
            starts, grams = starts[stays], grams[stays]
            if kinds * numbers * lines * 2 >= 2**63:
                kinds, grams = numbered(grams)
            grams = grams * numbers + symbols[starts + order]
            kinds *= numbers
        keys = np.sort((line[starts] * kinds + grams) * 2 + side[starts])
        found[:, order] = _in_common(keys, kinds, lines)
    return found


def numbered(values: Integers) -> tuple[int, Integers]:
    """Return how many distinct values there are, and for each value its number among them."""
    distinct, numbers = np.unique(values, return_inverse=True)
    return max(1, len(distinct)), numbers


def _places_left(lengths: Integers) -> Integers:
    """Return for each symbol how many the rest of its line has, with itself."""
    ends = np.repeat(np.cumsum(lengths), lengths)
    return ends - np.arange(len(ends))


def _in_common(keys: Integers, kinds: int, lines: int) -> Integers:
    """Return how often each line has n-grams on both sides; sorted keys are (line * kinds + n-gram) * 2 + side."""
    pairs = keys >> 1
    firsts = np.flatnonzero(np.diff(pairs, prepend=-1))
    of_both = np.diff(firsts, append=len(keys))
    of_other = np.add.reduceat(keys & 1, firsts) if len(keys) else firsts
    return np.bincount(pairs[firsts] // kinds, np.minimum(of_other, of_both - of_other), lines).astype(np.int64)
