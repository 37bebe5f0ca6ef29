"""What the comparison asks of `generate`: CTranslate2's rule for ends, and each sentence to its own limit."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from slow_search import END, probabilities, slow_search

from benchmarks.decoding.compare_engines import Torch
from benchmarks.decoding.ends import ends_among_k
from vaswani.translation.hypotheses import BeamSettings

MakeModel = Callable[..., Any]


@pytest.mark.parametrize("seed", range(6))
def test_ends_count_among_the_best_k_inside_and_nowhere_else(tiny_model: MakeModel, seed: int) -> None:
    model, draw = tiny_model(seed, vocab_size=9), random.Random(seed)
    model.model.tokens.weight.data[END] *= 2
    model.generation_config.max_new_tokens = 6
    sources = [[*(draw.randrange(4, 9) for _ in range(length)), END] for length in (2, 5, 3)]
    beams = BeamSettings(2 + seed % 3, 0.6)
    with ends_among_k():
        inside = Torch(model).search(sources, beams)
    outside = Torch(model).search(sources, beams)
    for source, *found in zip(sources, inside, outside, strict=True):
        log_p_of = probabilities(model, torch.tensor(source))
        for [best], ends_among in zip(found, (beams.number, None), strict=True):
            expected = slow_search(log_p_of, beams.number, 0.6, 6, ends_among=ends_among)[0]
            assert tuple(best.tokens) == expected.tokens
            assert best.score == pytest.approx(expected.score, abs=1e-9)


@pytest.mark.parametrize("beams", [1, 3])
def test_what_never_ends_is_as_long_as_its_own_limit(tiny_model: MakeModel, beams: int) -> None:
    model = tiny_model(5, norm="pre").float()
    away = torch.randn(16, generator=torch.Generator().manual_seed(0))
    model.model.decoder.final_norm.bias.data += 3 * away
    model.model.tokens.weight.data[END] = -3 * away
    sources = [[5, 6, END], [7, 8, 9, 10, 11, END]]
    assert [len(best.tokens) for [best] in Torch(model).search(sources, BeamSettings(beams))] == [53, 56]
