"""Sections 3.4 and 3.5: one embedding table in three places, positions added to it, and how both begin."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration, VaswaniModel
from vaswani.modeling.modeling_vaswani import PositionalEmbedding, shift_right, sinusoidal_positions

Batch = dict[str, Tensor]
MakeConfig = Callable[..., VaswaniConfig]
MakeModel = Callable[..., Any]  # VaswaniForConditionalGeneration, less the types that transformers gives its methods
MakeBatch = Callable[..., Batch]


def formula(position: int, dimension: int, d_model: int) -> float:
    """Section 3.5, in Python's own arithmetic."""
    angle = position / 10000 ** (dimension // 2 * 2 / d_model)
    return math.cos(angle) if dimension % 2 else math.sin(angle)


@pytest.mark.parametrize("d_model", [2, 16, 512])
def test_sinusoids_follow_the_formula(d_model: int) -> None:
    positions = [0, 1, 2, 17, 300, 1023]
    table = sinusoidal_positions(torch.tensor(positions), d_model)
    assert table.dtype == torch.float32
    for row, position in zip(table.tolist(), positions, strict=True):
        expected = [formula(position, dimension, d_model) for dimension in range(d_model)]
        assert row == pytest.approx(expected, abs=1e-6 + 4e-7 * position)  # an angle in float32 has 24 bits


def test_positions_are_exact_beside_bfloat16_embeddings(tiny_config: MakeConfig) -> None:
    """Counted in bfloat16, position 301 would be 302, and its sine another one."""
    encoding = PositionalEmbedding(tiny_config()).eval()(torch.zeros(1, 302, 16, dtype=torch.bfloat16))
    assert encoding.dtype == torch.bfloat16
    expected = [formula(301, dimension, 16) for dimension in range(16)]
    assert encoding[0, 301].tolist() == pytest.approx(expected, abs=2**-8)


def test_embeddings_given_in_place_of_ids_make_no_difference(tiny_model: MakeModel, padded_batch: MakeBatch) -> None:
    model, batch = tiny_model(), padded_batch()
    target = shift_right(batch["labels"], start=2, padding=1)
    source_rows, target_rows = (model.get_input_embeddings()(ids) for ids in (batch["input_ids"], target))
    expected = model(**batch)
    for changes in (
        {"input_ids": None, "inputs_embeds": source_rows},
        {"decoder_inputs_embeds": target_rows},
        {"input_ids": None, "inputs_embeds": source_rows, "decoder_inputs_embeds": target_rows},
    ):
        output = model(**{**batch, **changes})
        assert torch.equal(output.logits, expected.logits)
        assert torch.equal(output.loss, expected.loss)


def test_ids_and_embeddings_both_or_neither_are_refused(tiny_model: MakeModel, padded_batch: MakeBatch) -> None:
    model, batch = tiny_model(), padded_batch()
    rows = model.get_input_embeddings()(batch["input_ids"])
    for changes in (
        {"inputs_embeds": rows},
        {"input_ids": None},
        {"labels": None},
        {"decoder_input_ids": batch["input_ids"], "decoder_inputs_embeds": rows},
    ):
        with pytest.raises(ValueError, match=r"give exactly one of input_ids and inputs_embeds \(.* decoder_\*\)"):
            model(**{**batch, **changes})


def assert_tied(model: VaswaniModel) -> None:
    """One module object, so that whatever shards, resizes or saves it meets it once."""
    assert model.tokens is model.encoder.tokens is model.decoder.tokens is model.get_input_embeddings()


def test_one_table_embeds_the_source_embeds_the_target_and_projects(
    tiny_model: MakeModel, padded_batch: MakeBatch
) -> None:
    model, batch = tiny_model(), padded_batch()
    assert_tied(model.model)
    assert [name for name, p in model.named_parameters(remove_duplicate=False) if p.shape[0] == 29] == [
        "model.tokens.weight",
        "model.encoder.tokens.weight",
        "model.decoder.tokens.weight",
        "lm_head.weight",
    ]
    states = model.model(batch["input_ids"], batch["attention_mask"], batch["input_ids"]).last_hidden_state
    logits = model(batch["input_ids"], batch["attention_mask"], batch["input_ids"]).logits
    torch.testing.assert_close(logits, states @ model.get_input_embeddings().weight.T)


@pytest.mark.parametrize("size", [29 + 8, 29 - 4])
def test_another_vocabulary_keeps_the_old_logits_and_the_tie(
    tiny_model: MakeModel, padded_batch: MakeBatch, size: int
) -> None:
    kept = min(size, 29)
    model, batch = tiny_model(), padded_batch(vocab_size=kept)
    with torch.no_grad():
        before = model(**batch).logits
        model.resize_token_embeddings(size, mean_resizing=False)
        after = model(**batch).logits
    assert_tied(model.model)
    assert model.config.vocab_size == after.shape[-1] == size
    torch.testing.assert_close(after[..., :kept], before[..., :kept], rtol=1e-12, atol=1e-12)
    model(**batch).loss.backward()
    assert model.get_input_embeddings().weight.grad.shape == (size, 16)


def test_a_table_that_is_set_is_set_in_all_places(tiny_model: MakeModel, padded_batch: MakeBatch) -> None:
    model = tiny_model()
    table = nn.Embedding(29, 16, dtype=torch.float64)
    model.set_input_embeddings(table)
    assert_tied(model.model)
    assert model.model.tokens is table
    assert model.get_output_embeddings() is model.lm_head
    assert model.lm_head.weight is table.weight
    model.set_output_embeddings(model.lm_head)
    with pytest.raises(ValueError, match=r"matrix is the embedding table .*set_input_embeddings"):
        model.set_output_embeddings(nn.Linear(16, 29))
    model(**padded_batch()).loss.backward()
    assert table.weight.grad is not None


def test_a_source_or_target_beyond_the_learned_positions_is_refused(tiny_model: MakeModel) -> None:
    model = tiny_model(positions="learned", max_positions=8)
    fits, too_long = torch.full((1, 8), 5), torch.full((1, 9), 5)
    assert model(fits, decoder_input_ids=fits).logits.shape == (1, 8, 29)
    for source, target in ((too_long, fits), (fits, too_long)):
        with pytest.raises(ValueError, match=r"position 8 is beyond the 8 learned ones; shorten .* or train with"):
            model(source, decoder_input_ids=target)


def test_a_fresh_network_begins_at_the_right_scale(tiny_config: MakeConfig) -> None:
    torch.manual_seed(0)
    model = VaswaniForConditionalGeneration(tiny_config(vocab_size=5000, d_model=64, d_ff=256, positions="learned"))
    embedded = model.model.tokens.weight * math.sqrt(64)
    assert embedded.std().item() == pytest.approx(1, rel=0.02)
    assert embedded.mean().item() == pytest.approx(0, abs=0.02)
    for module in model.modules():
        if type(module) is nn.Linear:  # Glorot and Bengio (2010), uniform
            bound = math.sqrt(6 / sum(module.weight.shape))
            assert module.weight.abs().max() <= bound
            assert module.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
            assert module.bias is None or not module.bias.any()
        if isinstance(module, nn.LayerNorm):
            assert module.weight.eq(1).all()
            assert not module.bias.any()
