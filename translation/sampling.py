"""Translations drawn by their probability instead of searched for, each line's from random numbers of its own.

A token is drawn as the largest of log p + g, with g of Gumbel's distribution (Gumbel 1954; Maddison et al. 2014): that
is greedy search over disturbed scores. The disturbance is a function of seed, source and position alone, so the
translation of a line does not depend on its batch, its place in the text, or the number of processes.

Shapes: B sentences, L tokens so far, V tokens.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList, PreTrainedModel, PreTrainedTokenizerBase

from .hypotheses import BatchSearch, BeamSettings
from .search import by_generate


class Sampling(NamedTuple):
    """How tokens are drawn."""

    seed: int = 0
    temperature: float = 1.0
    """Scores are divided by it: below 1 nearer to the most probable translation."""
    top_k: int | None = None
    """Draw among so many of the most probable tokens; None: among all."""


def check_sampling(sampling: Sampling) -> None:
    """Raise ValueError if a number is out of range."""
    if not (0 < sampling.temperature < math.inf):
        raise ValueError(f"--temperature is {sampling.temperature}; give a number above 0 (1: as probable as they are)")
    if sampling.top_k is not None and sampling.top_k < 1:
        raise ValueError(f"--top_k is {sampling.top_k}; give 1 or more")
    if sampling.seed < 0:
        raise ValueError(f"--seed is {sampling.seed}; give 0 or more")


def by_sampling(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, sampling: Sampling) -> BatchSearch:
    """Return a search that draws one translation of each source, without a score."""

    def search(sources: list[list[int]]) -> Any:
        noise = LogitsProcessorList([GumbelNoise(sources, sampling)])
        return by_generate(model, tokenizer, BeamSettings(1), scores=False, logits_processor=noise)(sources)

    return search


class GumbelNoise(LogitsProcessor):
    """Disturbs scores so that the largest is a draw; for one batch, whose rows stay where they are."""

    def __init__(self, sources: list[list[int]], sampling: Sampling) -> None:
        self.sampling = sampling
        self._draws = [np.random.Generator(np.random.Philox(np.random.SeedSequence([sampling.seed, *source])))
                       for source in sources]  # fmt: skip

    def __call__(self, input_ids: Any, scores: Any) -> Any:  # noqa: ARG002 - called by name
        """Return `(B, V)` scores, of which the largest of each row is the token that is drawn."""
        kept: Tensor = scores / self.sampling.temperature
        if self.sampling.top_k is not None and self.sampling.top_k < kept.shape[1]:
            least = kept.topk(self.sampling.top_k).values[:, -1:]
            kept = kept.masked_fill(kept < least, -math.inf)
        noise = torch.from_numpy(np.stack([draw.gumbel(size=kept.shape[1]) for draw in self._draws]))
        return kept + noise.to(kept)
