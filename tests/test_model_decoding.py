"""Decoding: a cache changes the speed and nothing else, and neither does the company a sentence is translated in."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache, StaticCache
from transformers.cache_utils import EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from vaswani.modeling import VaswaniForConditionalGeneration
from vaswani.modeling.modeling_vaswani import shift_right

Batch = dict[str, Tensor]
MakeModel = Callable[..., Any]  # VaswaniForConditionalGeneration, less the types that transformers gives its methods
MakeBatch = Callable[..., Batch]

# Left alone, an untrained network repeats one token: that would prove little.
LIVELY = {"min_new_tokens": 4, "no_repeat_ngram_size": 1}


def caches(kind: str, model: VaswaniForConditionalGeneration, source_length: int) -> EncoderDecoderCache:
    if kind == "dynamic":
        return EncoderDecoderCache(DynamicCache(config=model.config), DynamicCache(config=model.config))
    return EncoderDecoderCache(
        StaticCache(config=model.config, max_cache_len=9),  # more than the target needs
        StaticCache(config=model.config, max_cache_len=source_length),
    )


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile", "ignore:_compile flag")
@pytest.mark.parametrize(
    ("attention", "cache"),
    [("eager", "dynamic"), ("eager", "static"), ("sdpa", "dynamic"), ("sdpa", "static"), ("flex_attention", "dynamic")],
)
def test_step_by_step_equals_all_at_once(
    tiny_model: MakeModel, padded_batch: MakeBatch, variant: dict[str, Any], cache: str, attention: str
) -> None:
    model, batch = tiny_model(**variant), padded_batch()
    target = shift_right(batch["labels"], start=2, padding=1)
    with torch.no_grad(), torch.compiler.set_stance("force_eager"):
        expected = model(batch["input_ids"], batch["attention_mask"], target).logits
        model.set_attn_implementation(attention)
        memory = model.get_encoder()(batch["input_ids"], batch["attention_mask"])
        past, steps = caches(cache, model, batch["input_ids"].shape[1]), []
        for part in target.split([2, 1, 1, 2], dim=1):
            output = model(
                attention_mask=batch["attention_mask"],
                decoder_input_ids=part,
                encoder_outputs=memory,
                past_key_values=past,
            )
            steps.append(output.logits)
            # From here on the source must come from the cache: what stands in its place would spoil every logit.
            memory = BaseModelOutput(last_hidden_state=torch.full_like(memory.last_hidden_state, torch.nan))
    torch.testing.assert_close(torch.cat(steps, dim=1), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile", "ignore:_compile flag")
@pytest.mark.parametrize("attention", ["eager", "sdpa", "flex_attention"])
def test_beams_share_the_source_as_if_each_had_its_own(
    tiny_model: MakeModel, padded_batch: MakeBatch, variant: dict[str, Any], attention: str
) -> None:
    """Three beams for each of two sources of unlike length: all at once, and step by step by way of a cache."""
    model, batch = tiny_model(attention=attention, **variant), padded_batch(rows=2)
    source = {name: batch[name] for name in ("input_ids", "attention_mask")}
    target = padded_batch(seed=1, rows=6)["input_ids"][:, :4]
    with torch.no_grad(), torch.compiler.set_stance("force_eager"):
        apart = {name: ids.repeat_interleave(3, 0) for name, ids in source.items()}
        expected = model(**apart, decoder_input_ids=target).logits
        shared = {"attention_mask": source["attention_mask"], "encoder_outputs": model.get_encoder()(**source)}
        found = [model(**shared, decoder_input_ids=target, use_cache=False).logits]
        past = caches("dynamic", model, source_length=7)
        steps = [model(**shared, decoder_input_ids=part, past_key_values=past).logits for part in target.split(2, 1)]
        kept: Any = past.cross_attention_cache.layers[0]
        assert len(kept.keys) == 2
    for logits in [*found, torch.cat(steps, dim=1)]:
        torch.testing.assert_close(logits, expected, rtol=1e-10, atol=1e-10)


def test_flex_attention_refuses_a_static_cache(tiny_model: MakeModel) -> None:
    """In transformers 5.23 its mask counts by a tensor that the cache moves on under it: the steps come out wrong."""
    model = tiny_model(attention="flex_attention")
    with pytest.raises(ValueError, match=r"flex_attention .* static cache; choose sdpa, or a dynamic cache"):
        model.get_decoder()(
            torch.tensor([[2]]),
            encoder_hidden_states=torch.zeros(1, 7, 16, dtype=torch.float64),
            past_key_values=caches("static", model, source_length=7),
        )


def test_a_cache_that_would_mix_source_and_target_is_refused(tiny_model: MakeModel, padded_batch: MakeBatch) -> None:
    model, ids = tiny_model(), padded_batch()["input_ids"]
    with pytest.raises(ValueError, match="past_key_values is a DynamicCache; give an EncoderDecoderCache"):
        model(ids, decoder_input_ids=ids, past_key_values=DynamicCache(config=model.config))


@pytest.mark.parametrize("beams", [1, 3])
def test_generation_is_the_same_with_any_cache(
    tiny_model: MakeModel, padded_batch: MakeBatch, variant: dict[str, Any], beams: int
) -> None:
    model, batch = tiny_model(attention="sdpa", **variant), padded_batch()
    source = {name: batch[name] for name in ("input_ids", "attention_mask")}
    outcomes = [
        model.generate(**source, num_beams=beams, max_new_tokens=10, **cache, **LIVELY)
        for cache in ({"use_cache": False}, {"use_cache": True}, {"cache_implementation": "static"})
    ]
    assert len({tuple(ids) for ids in outcomes[0].tolist()}) > 1
    assert torch.equal(outcomes[1], outcomes[0])
    assert torch.equal(outcomes[2], outcomes[0])


def test_a_used_static_cache_can_be_reset_for_the_next_batch(tiny_model: MakeModel, padded_batch: MakeBatch) -> None:
    model = tiny_model()
    past = caches("static", model, source_length=7)
    for seed in (1, 2):
        past.reset()
        batch = {**padded_batch(seed), "labels": None, "decoder_input_ids": torch.full((3, 4), 5)}
        with torch.no_grad():
            expected = model(**batch, use_cache=False).logits
            torch.testing.assert_close(model(**batch, past_key_values=past).logits, expected, rtol=1e-10, atol=1e-10)


def alone(batch: Batch, row: int) -> Batch:
    """One row of a batch without its padding, as a batch."""
    source_length = int(batch["attention_mask"][row].sum())
    target_length = int((batch["labels"][row] != -100).sum())
    return {
        "input_ids": batch["input_ids"][row : row + 1, :source_length],
        "attention_mask": batch["attention_mask"][row : row + 1, :source_length],
        "labels": batch["labels"][row : row + 1, :target_length],
    }


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_logits_of_a_padded_batch_are_those_of_its_rows_alone(
    tiny_model: MakeModel, padded_batch: MakeBatch, variant: dict[str, Any], attention: str
) -> None:
    model, batch = tiny_model(attention=attention, **variant), padded_batch(rows=5)
    together = model(**batch).logits
    for row in range(5):
        by_itself = model(**alone(batch, row)).logits[0]
        torch.testing.assert_close(together[row, : len(by_itself)], by_itself, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("beams", [1, 3])
def test_translations_of_a_padded_batch_are_those_of_its_rows_alone(
    tiny_model: MakeModel, padded_batch: MakeBatch, beams: int
) -> None:
    model, batch = tiny_model(attention="sdpa"), padded_batch(rows=5)

    def translate(batch: Batch) -> list[list[int]]:
        source = {name: batch[name] for name in ("input_ids", "attention_mask")}
        ids: list[list[int]] = model.generate(**source, num_beams=beams, max_new_tokens=12, **LIVELY).tolist()
        return ids

    def trimmed(ids: list[int]) -> list[int]:
        return ids[: ids.index(3) + 1] if 3 in ids else ids

    together = [trimmed(ids) for ids in translate(batch)]
    assert together == [trimmed(translate(alone(batch, row))[0]) for row in range(5)]
    assert len({tuple(ids) for ids in together}) > 1


def test_a_target_beyond_the_learned_positions_is_refused(tiny_model: MakeModel, padded_batch: MakeBatch) -> None:
    model, source = tiny_model(positions="learned", max_positions=8), padded_batch()["input_ids"]
    for settings in ({}, {"use_cache": False}, {"cache_implementation": "static"}):
        with pytest.raises(ValueError, match=r"position 8 is beyond the 8 learned ones; shorten .* or train with"):
            model.generate(source, min_new_tokens=12, max_new_tokens=12, **settings)


def test_sinusoids_decode_beyond_max_positions(tiny_model: MakeModel, padded_batch: MakeBatch) -> None:
    model = tiny_model(max_positions=8)
    assert model.generate(padded_batch()["input_ids"], min_new_tokens=12, max_new_tokens=12).shape == (3, 13)


def test_decoder_rows_that_cannot_be_shared_among_the_sources_are_refused(
    tiny_model: MakeModel, padded_batch: MakeBatch
) -> None:
    with pytest.raises(ValueError, match=r"1 decoder row\(s\) for 3 sources"):
        tiny_model()(**padded_batch(), decoder_input_ids=torch.tensor([[2, 5, 6]]))


def test_a_decoder_without_a_source_is_refused(tiny_model: MakeModel) -> None:
    with pytest.raises(ValueError, match="give encoder_hidden_states"):
        tiny_model().get_decoder()(torch.tensor([[2]]))
