"""The best translations of a batch, with their scores.

Shapes: B sentences, L symbols of the longest translation, V = vocab_size.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList, PreTrainedModel, PreTrainedTokenizerBase

from vaswani.modeling.generation_vaswani import EXTRA_SYMBOLS, penalty

from .translate import evaluating, limits_itself, one_line, search_batch


class Hypothesis(NamedTuple):
    """One translation."""

    symbols: list[int]
    """Its ids, without the start symbol, with the end symbol if it has ended."""
    score: float
    """log P / ((5 + length) / 6)^alpha (Wu et al. 2016, equation 14); 0 is certain."""


Search = Callable[[list[list[int]], int, int], list[list[Hypothesis]]]
"""What an engine does: token ids of B sentences, beams, hypotheses wanted of each; these, best first."""


def torch_search(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, length_penalty: float = 0.6) -> Search:
    """Return the search of any encoder-decoder that has `generate`; 1 beam is greedy.

    Args:
        model: on any device, in either mode; it is left in the mode it came in.
        tokenizer: knows what fills up a batch and what ends a sentence.
        length_penalty: alpha; larger favours longer translations.

    """
    padding, end = int(tokenizer.pad_token_id), int(tokenizer.eos_token_id)

    def search(sources: list[list[int]], num_beams: int, wanted: int) -> list[list[Hypothesis]]:
        settings: dict[str, Any] = {"num_beams": num_beams, "do_sample": False, "return_dict_in_generate": True}
        greedy = GreedyLogP()
        if num_beams > 1:
            settings |= {"length_penalty": length_penalty, "num_return_sequences": wanted}
            settings |= {"output_scores": not limits_itself(model, num_beams)}  # only transformers' own needs it
        else:
            settings |= {"logits_processor": LogitsProcessorList([greedy])}
        with evaluating(model), torch.inference_mode():
            output = search_batch(model, padding, sources, settings)
        rows = [
            up_to(end, row, len(sources[place // wanted]) + EXTRA_SYMBOLS)
            for place, row in enumerate(output.sequences[:, 1:].tolist())
        ]
        scores = output.sequences_scores.tolist() if num_beams > 1 else greedy.scores(rows, length_penalty)
        found = [Hypothesis(row, score) for row, score in zip(rows, scores, strict=True)]
        return [found[first : first + wanted] for first in range(0, len(found), wanted)]

    return search


def up_to(end: int, row: list[int], limit: int) -> list[int]:
    """Return a row of a batch without what fills it up: to its end symbol, or to the limit that cut it off."""
    return row[: min(row.index(end) + 1 if end in row else len(row), limit)]


class GreedyLogP(LogitsProcessor):
    """Takes down log P of each symbol of a greedy search, B numbers a step in place of B * V."""

    def __init__(self) -> None:
        self.steps: list[Tensor] = []  # of each step [B]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002 - called by name
        """Change nothing of the logits `[B, V]`, the best of which will be taken."""
        self.steps.append(scores.log_softmax(-1).amax(-1))
        return scores

    def scores(self, rows: list[list[int]], alpha: float) -> list[float]:
        """Return the score of each of B translations."""
        log_p = torch.stack(self.steps, dim=1).tolist()  # [B, L]
        return [
            sum(steps[: len(row)]) / float(penalty(len(row), alpha)) for steps, row in zip(log_p, rows, strict=True)
        ]


def text_of(tokenizer: PreTrainedTokenizerBase, hypothesis: Hypothesis) -> str:
    """Return a hypothesis as a line of text."""
    return one_line(
        str(tokenizer.decode(hypothesis.symbols, skip_special_tokens=True, clean_up_tokenization_spaces=False))
    )
