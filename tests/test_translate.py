"""translate(): a line in, a line out, in order, and no line depends on its neighbours."""

import copy
from itertools import pairwise
from typing import Any

import pytest
import torch
from conftest import outspoken
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import MarianConfig, MarianMTModel, PreTrainedModel, PreTrainedTokenizerFast

from vaswani.data.tokenizer import learn_tokenizer
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.translation.batches import batches
from vaswani.translation.hypotheses import BeamSettings
from vaswani.translation.search import by_generate, evaluating
from vaswani.translation.translate import translate

BLANK = st.sampled_from(["", " ", "\t", "\u00a0", "\u3000 "])
LINES = st.lists(BLANK | st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=8)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return learn_tokenizer(["the cat sat on the mat and the dog sat by the door"] * 3, 280, show_progress=False)


def vaswani(vocab_size: int) -> PreTrainedModel:
    config = VaswaniConfig(vocab_size=vocab_size, d_model=16, d_ff=32, num_heads=2, encoder_layers=1, decoder_layers=1)
    return outspoken(VaswaniForConditionalGeneration(config))


def marian(vocab_size: int) -> PreTrainedModel:
    config = MarianConfig(
        vocab_size=vocab_size,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        init_std=1.0,
        pad_token_id=1,
        eos_token_id=3,
        decoder_start_token_id=2,
        forced_eos_token_id=None,
    )
    return MarianMTModel(config)


@pytest.fixture(scope="module", params=[vaswani, marian])
def model(request: Any, tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    torch.manual_seed(0)
    return request.param(len(tokenizer)).double()  # float64: no near tie is decided by the shape of a batch


@pytest.mark.parametrize("num_beams", [1, 3])
@given(lines=LINES, budget=st.integers(1, 400))
@settings(max_examples=8, deadline=None)
def test_batched_equals_one_by_one(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, lines: list[str], num_beams: int, budget: int
) -> None:
    together = translate(model, tokenizer, lines, num_beams=num_beams, tokens_per_batch=budget)
    assert together == [translate(model, tokenizer, [line], num_beams=num_beams)[0] for line in lines]
    for line, translation in zip(lines, together, strict=True):
        assert "\n" not in translation
        assert "\r" not in translation
        if not line.strip():
            assert translation == ""


def test_lines_come_back_in_their_order(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    lines = ["what is this long line about then", "a dog", "", "the cat sat on the mat", "über 12", "x", "the door"]
    there = translate(model, tokenizer, lines, num_beams=1)
    assert len(set(there)) > 4  # or order would prove nothing
    assert translate(model, tokenizer, lines[::-1], num_beams=1) == there[::-1]


@pytest.fixture
def endless(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    """A model that never ends and writes a letter with each token."""
    endless = copy.deepcopy(model)
    letters = list(range(4 + ord("a") - ord("!"), 4 + ord("z") - ord("!") + 1))
    assert tokenizer.decode(letters) == "abcdefghijklmnopqrstuvwxyz"
    endless.generation_config.suppress_tokens = sorted(set(range(len(tokenizer))) - set(letters))
    return endless


def test_each_sentence_stops_at_its_own_input_plus_50_tokens(
    endless: PreTrainedModel, tokenizer: PreTrainedTokenizerFast
) -> None:
    lines = ["a dog", "the cat sat on the mat", "", "what is this long line about then"]
    for num_beams in (1, 3):
        output = translate(endless, tokenizer, lines, num_beams=num_beams)
        limits = [len(ids) + 50 for ids in tokenizer(lines).input_ids]
        assert [len(text) for text in output] == [limits[0], limits[1], 0, limits[3]]


def test_extra_tokens_that_are_null_are_not_given(endless: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    expected = translate(endless, tokenizer, ["a dog"])
    endless.generation_config.update(extra_tokens=None, allow_custom_entries=True)
    assert endless.generation_config.to_dict()["extra_tokens"] is None
    assert translate(endless, tokenizer, ["a dog"]) == expected


@pytest.mark.parametrize("num_beams", [1, 3])
@pytest.mark.parametrize(
    ("saved", "most"),
    [({"max_new_tokens": 7}, 7), ({"max_length": 8}, 7), ({"max_length": 90, "max_new_tokens": 7}, 7)],
    ids=str,
)
def test_no_translation_is_longer_than_the_model_is_saved_with(
    endless: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, num_beams: int, saved: dict[str, int], most: int
) -> None:
    """As many tokens as `generate` would write by itself, for which the start token counts in max_length."""
    endless.generation_config.update(**saved)
    output = translate(endless, tokenizer, ["a dog", "the cat sat on the mat"], num_beams=num_beams)
    source = tokenizer(["a dog"], return_tensors="pt").input_ids
    assert endless.generate(source, num_beams=num_beams).shape == (1, 1 + most)  # type: ignore[operator]
    assert [len(text) for text in output] == [most] * 2


def test_a_limit_that_leaves_no_symbol_is_refused(endless: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    endless.generation_config.update(max_length=1)
    with pytest.raises(
        ValueError, match="max_length is 1, which leaves no token for a translation; set 2 or more in gen"
    ):
        translate(endless, tokenizer, ["a dog"])


def test_a_translation_is_one_line_whatever_the_model_says(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast
) -> None:
    ends = tokenizer("\r\n").input_ids[1:3]
    assert str(tokenizer.decode([5, *ends])).endswith("\r\n")
    only_ends = copy.deepcopy(model)
    only_ends.generation_config.suppress_tokens = sorted(set(range(len(tokenizer))) - set(ends))
    (translation,) = translate(only_ends, tokenizer, ["a dog"], num_beams=1)
    assert translation
    assert set(translation) == {" "}


def test_no_score_is_kept_where_none_is_told(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    """Transformers' own search would keep those of every token of the vocabulary, for every beam and step."""
    watched: Any = copy.copy(model)
    given, generate = list[Any](), watched.generate

    def watch(**how: Any) -> Any:
        given.append(generate(**how))
        return given[-1]

    watched.generate = watch
    lines = ["the cat sat on the mat", "a dog"]
    texts = translate(watched, tokenizer, lines, num_beams=3)
    assert [each.scores for each in given] == [None]
    search = by_generate(model, tokenizer, BeamSettings(3))
    with evaluating(model), torch.no_grad():
        found = search(tokenizer(lines).input_ids)
    assert [best.text for [best] in found] == texts
    assert all(best.score is not None and best.score < 0 for [best] in found)


def test_the_model_is_left_as_it_was(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    fresh = copy.deepcopy(model).train()
    fresh.get_encoder().eval()  # a part that its owner has frozen
    before = [module.training for module in fresh.modules()]
    first = translate(fresh, tokenizer, ["the cat"], num_beams=1)
    assert [module.training for module in fresh.modules()] == before
    assert translate(fresh, tokenizer, ["the cat"], num_beams=1) == first  # no dropout
    ids = torch.tensor([[5, 6, 3]])
    fresh(input_ids=ids, labels=ids).loss.backward()  # and it can still be trained
    fresh.register_forward_pre_hook(stop)
    with pytest.raises(RuntimeError, match="stop"):
        translate(fresh, tokenizer, ["the cat"])
    assert [module.training for module in fresh.modules()] == before


def stop(*_: Any) -> None:
    raise RuntimeError("stop")


def test_blank_lines_never_reach_the_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    closed = copy.deepcopy(model)
    closed.register_forward_pre_hook(stop)
    assert translate(closed, tokenizer, ["", " \t", "\u3000"]) == ["", "", ""]
    assert translate(closed, tokenizer, []) == []


@pytest.mark.parametrize("wrong", [{"num_beams": 0}, {"tokens_per_batch": 0}])
def test_counts_are_positive(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        translate(model, tokenizer, ["a"], **wrong)  # type: ignore[arg-type]


@given(lengths=st.lists(st.integers(1, 50)), budget=st.integers(0, 200))
def test_batches_hold_every_place_once_within_the_budget(lengths: list[int], budget: int) -> None:
    cut = list(batches(lengths, budget))
    assert sorted(place for batch in cut for place in batch) == list(range(len(lengths)))
    for batch in cut:
        assert len(batch) == 1 or len(batch) * max(lengths[place] for place in batch) <= budget
    longest = [lengths[place] for batch in cut for place in batch]
    assert longest == sorted(longest, reverse=True)
    for batch, _ in pairwise(cut):  # no batch closes while another line fits
        assert (len(batch) + 1) * lengths[batch[0]] > budget
