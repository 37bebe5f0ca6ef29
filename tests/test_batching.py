"""Batches: every pair once, within the budget on both sides, with little padding."""

import gzip
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vaswani.data import learn_tokenizer
from vaswani.data.batching import IGNORED, cut_batches, model_inputs, padding_share
from vaswani.data.order import permutation

MULTI30K = Path(__file__).resolve().parents[2] / "shared" / "data" / "multi30k"

lengths = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), max_size=300)


@given(lengths, st.integers(60, 500))
@settings(deadline=None)
def test_every_pair_is_in_one_batch_and_every_batch_within_its_budget(
    pairs: list[tuple[int, int]], budget: int
) -> None:
    sides = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    batches = cut_batches(sides[:, 0], sides[:, 1], budget)
    assert sorted(i for batch in batches for i in batch.tolist()) == list(range(len(pairs)))
    for batch in batches:
        assert len(batch) * sides[batch].max() <= budget


@given(lengths.filter(len), st.integers(60, 500))
@settings(deadline=None)
def test_no_batch_is_cut_while_the_next_pair_still_fits(pairs: list[tuple[int, int]], budget: int) -> None:
    sides = np.array(pairs, dtype=np.int64)
    batches = cut_batches(sides[:, 0], sides[:, 1], budget)
    for batch, following in pairwise(batches):
        longest = max(sides[batch].max(), sides[following[0]].max())
        assert (len(batch) + 1) * longest > budget


def test_a_pair_beyond_the_budget_is_an_error_with_both_numbers() -> None:
    with pytest.raises(ValueError, match="pair of 70 tokens does not fit into a batch of 64"):
        cut_batches(np.array([5, 70]), np.array([5, 5]), 64)


@given(st.integers(0, 500), st.lists(st.integers(0, 2**32), min_size=1, max_size=4))
def test_a_permutation_holds_every_number_once(length: int, key: list[int]) -> None:
    assert sorted(permutation(length, *key).tolist()) == list(range(length))


def test_permutations_outlive_upgrades() -> None:
    """These orders are part of every run that is to be resumed: a change of them is a breaking change."""
    assert permutation(8, 1, 2).tolist() == PERMUTATION_8_1_2
    assert permutation(8, 1, 3).tolist() != PERMUTATION_8_1_2


PERMUTATION_8_1_2 = [7, 1, 3, 0, 4, 2, 6, 5]


@given(
    st.lists(st.tuples(st.lists(st.integers(4, 99), min_size=1), st.lists(st.integers(4, 99), min_size=1)), min_size=1)
)
def test_padded_inputs_hold_the_rows_and_nothing_else(rows: list[tuple[list[int], list[int]]]) -> None:
    sources = [np.array(source, dtype=np.uint16) for source, _ in rows]
    targets = [np.array(target, dtype=np.uint16) for _, target in rows]
    inputs = model_inputs(sources, targets, padding=1)
    for number, (source, target) in enumerate(rows):
        real = inputs["attention_mask"][number].bool()
        assert inputs["input_ids"][number][real].tolist() == source
        assert (inputs["input_ids"][number][~real] == 1).all()
        assert inputs["labels"][number].tolist() == target + [IGNORED] * (inputs["labels"].shape[1] - len(target))
    assert all(tensor.dtype == torch.int64 for tensor in inputs.values())


@pytest.mark.parametrize(("budget", "limit"), [(4_096, 0.04), (25_000, 0.10)])
def test_padding_on_real_text_is_small(budget: int, limit: float) -> None:
    if not MULTI30K.is_dir():
        pytest.skip(f"needs the Multi30k text files in {MULTI30K.name}/")
    sides = []
    for language in ("de", "en"):
        with gzip.open(MULTI30K / f"train.{language}.gz", "rt", encoding="utf-8") as file:
            sides.append([line.rstrip("\n") for line in file])
    tokenizer = learn_tokenizer([line for side in sides for line in side], 8000, show_progress=False)
    source, target = (np.array([len(ids) for ids in tokenizer(side).input_ids]) for side in sides)
    assert padding_share(source, target, cut_batches(source, target, budget)) < limit
