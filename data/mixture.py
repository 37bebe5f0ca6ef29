"""Several corpora read as one, for example small ones more often than large ones."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from .pairs import Corpus, Rows, fingerprint, read_rows


class Mixture:
    """The row groups of several corpora, one corpus after the other, each repeated as often as its weight.

    An epoch of a `TrainingStream` reads every group once, in an order of its own, and so the rows of a corpus of
    weight 3 three times. Weights are whole so that nothing is left out. Each reading is counted in `Drops`.

    Args:
        corpora: one or more, all of the same direction.
        weights: for each corpus, how often an epoch reads it, 1 or more.

    Raises:
        ValueError: there are no corpora, not one weight for each, or a weight that is not a whole number from 1 up.

    """

    def __init__(self, corpora: Sequence[Corpus], weights: Sequence[int]) -> None:
        if not corpora:
            raise ValueError("a mixture of 0 corpora has nothing to read. Give one or more.")
        if len(weights) != len(corpora):
            raise ValueError(
                f"there are {len(weights)} weights for {len(corpora)} corpora "
                f"({', '.join(each.name for each in corpora)}). Give each corpus one, in the same order."
            )
        for corpus, weight in zip(corpora, weights, strict=True):
            if weight < 1 or weight != int(weight):
                raise ValueError(
                    f"the weight of {corpus.name} is {weight}; it is how often an epoch reads the corpus. Give a whole "
                    "number from 1 up, or leave the corpus out."
                )
        self._corpora = list(corpora)
        self._ends = list(accumulate(each.groups * weight for each, weight in zip(corpora, weights, strict=True)))
        self.name = ", ".join(f"{weight} x {each.name}" for each, weight in zip(corpora, weights, strict=True))
        self.fingerprint = fingerprint("mixture", *(each.fingerprint for each in corpora), *map(str, weights))
        self.groups = self._ends[-1]
        self.rows = sum(each.rows * weight for each, weight in zip(corpora, weights, strict=True))

    def inner(self, group: int) -> tuple[Corpus, int]:
        """Return the corpus, and the group in it, behind a group of the mixture."""
        number = bisect_right(self._ends, group)
        before = self._ends[number - 1] if number else 0
        return self._corpora[number], (group - before) % self._corpora[number].groups

    def read(self, group: int) -> Rows:
        """Return the rows of one group."""
        return read_rows(*self.inner(group))
