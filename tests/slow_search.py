"""The search of section 6.1 written from its definition, one hypothesis at a time, to compare the fast one with."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

Log = Callable[[tuple[int, ...]], list[float]]

START, END = 2, 3


class Hypothesis(NamedTuple):
    tokens: tuple[int, ...]
    log_p: float
    score: float


def gnmt(log_p: float, length: int, alpha: float) -> float:
    return log_p / ((5 + length) / 6) ** alpha


def slow_search(
    log_p_of: Log, beams: int, alpha: float, limit: int, early: bool = False, ends_among: int | None = None
) -> list[Hypothesis]:
    """Beam search with lists: unless `early`, no early stop, so that it also proves that stopping loses nothing.

    Ends count among the best `ends_among` continuations of a step; None: among all 2K, as in the paper's search.
    """
    running = [Hypothesis((), 0.0, 0.0)]
    ended: list[Hypothesis] = []
    for length in range(1, limit + 1):
        grown = [
            Hypothesis((*each.tokens, token), each.log_p + log_p, gnmt(each.log_p + log_p, length, alpha))
            for each in running
            for token, log_p in enumerate(log_p_of(each.tokens))
        ]
        best = sorted(grown, key=lambda each: -each.log_p)[: 2 * beams]
        ends = [each for each in best[:ends_among] if each.tokens[-1] == END]
        ended = sorted(ended + ends, key=lambda each: -each.score)[:beams]
        running = [each for each in best if each.tokens[-1] != END][:beams]
        if early and len(ended) == beams:
            return ended
    cut = [each._replace(score=gnmt(each.log_p, limit, alpha)) for each in running]
    return ended + sorted(cut, key=lambda each: -each.score)


def translations(output: Any, wanted: int) -> list[list[tuple[int, ...]]]:
    """The tokens of each hypothesis after the start, to its end token, by sentence."""
    rows = []
    for row in output.sequences[:, 1:].tolist():
        end = row.index(END) + 1 if END in row else len(row)
        rows.append(tuple(row[:end]))
    return [rows[first : first + wanted] for first in range(0, len(rows), wanted)]


def probabilities(model: Any, source: Tensor) -> Log:
    """log P of the next token, from the whole prefix each time."""
    known: dict[tuple[int, ...], list[float]] = {}

    def log_p(prefix: tuple[int, ...]) -> list[float]:
        if prefix not in known:
            with torch.no_grad():
                logits = model(source[None], decoder_input_ids=torch.tensor([[START, *prefix]])).logits[0, -1]
            known[prefix] = logits.log_softmax(-1).tolist()
        return known[prefix]

    return log_p
