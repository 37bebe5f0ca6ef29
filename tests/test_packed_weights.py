"""Matrices laid out once for translating on a CPU: the same products, the same translations, nothing else touched."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from transformers import MarianConfig, MarianMTModel, PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from vaswani.modeling import VaswaniForConditionalGeneration
from vaswani.translation.forced import log_probabilities
from vaswani.translation.models import load_model
from vaswani.translation.packed_weights import PackedLinear, pack_weights

CPU = torch.device("cpu")
SOURCES = torch.tensor([[9, 40, 77, 130, 2], [31, 8, 2, 0, 0], [200, 201, 60, 61, 2]])


def packed(model: Any) -> Any:
    """Return a copy with packed matrices."""
    other = copy.deepcopy(model)
    pack_weights(other)
    return other


def plain_layers(model: nn.Module) -> list[str]:
    return [name for name, layer in model.named_modules() if type(layer) is nn.Linear]


@given(
    sizes=st.tuples(st.integers(16, 80), st.integers(16, 80)),  # smaller products torch makes by other code
    leading=st.lists(st.integers(0, 5), max_size=3),
    has_bias=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_a_product_is_that_of_the_plain_layer(
    sizes: tuple[int, int], leading: list[int], has_bias: bool, seed: int
) -> None:
    """Of any shape and layout of the input: in bfloat16 to the bit, in float32 but for the order of its sums."""
    torch.manual_seed(seed)
    layer = nn.Linear(*sizes, bias=has_bias)
    rows = torch.randn(*leading, sizes[0])
    with torch.inference_mode():
        torch.testing.assert_close(PackedLinear(layer, False)(rows), layer(rows), atol=1e-5, rtol=1e-5)
        if torch.ops.mkldnn._is_mkldnn_bf16_supported():
            layer, rows = layer.bfloat16(), rows.bfloat16()
            assert torch.equal(PackedLinear(layer, False)(rows), layer(rows))
            if len(leading) > 1:  # torch adds the bias to a rounded product where rows do not follow one another
                turned = rows.transpose(0, 1)
                torch.testing.assert_close(PackedLinear(layer, False)(turned), layer(turned), atol=0.02, rtol=0.02)


@pytest.mark.parametrize("changes", [{}, {"norm": "pre", "attention_bias": True, "output_bias": True}])
def test_translations_and_scores_are_those_of_the_plain_network(
    talker: Callable[..., VaswaniForConditionalGeneration], changes: dict[str, Any]
) -> None:
    model = talker(3, **changes)
    asked = {"num_beams": 4, "max_new_tokens": 20, "return_dict_in_generate": True, "attention_mask": SOURCES.ne(0)}
    for dtype in (torch.float32, torch.bfloat16):
        plain: Any = copy.deepcopy(model)
        plain.to(dtype)
        before, after = (each.generate(SOURCES, **asked) for each in (plain, packed(plain)))
        torch.testing.assert_close(after.sequences, before.sequences)
        assert len({tuple(row) for row in after.sequences.tolist()}) == len(SOURCES)
        tolerance = 0.0 if dtype == torch.bfloat16 else 1e-4
        torch.testing.assert_close(after.sequences_scores, before.sequences_scores, atol=tolerance, rtol=0.0)


def test_every_matrix_is_packed_and_the_table_stays(talker: Callable[..., VaswaniForConditionalGeneration]) -> None:
    plain = talker(1).float()
    other = packed(plain)
    assert plain_layers(plain)
    assert not plain_layers(other)
    assert torch.equal(other.get_input_embeddings().weight, plain.get_input_embeddings().weight)
    assert other.num_parameters() == plain.num_parameters()
    assert {each.dtype for each in other.parameters()} == {torch.float32}
    assert not [name for name, each in other.named_parameters() if each.is_mkldnn and "tokens" in name]


def test_types_without_kernels_stay_as_they_are(talker: Callable[..., VaswaniForConditionalGeneration]) -> None:
    model = talker(1).double()
    assert plain_layers(packed(model)) == plain_layers(model)


def test_probabilities_of_given_translations(
    talker: Callable[..., VaswaniForConditionalGeneration], toy_tokenizer: PreTrainedTokenizerFast
) -> None:
    """They ask the projection for its loss, too."""
    model = talker(2).float()
    sources, targets = [[9, 40, 2], [31, 8, 77, 2]], [[5, 6, 7, 2], [8, 2]]
    with torch.inference_mode():
        before, after = (log_probabilities(each, toy_tokenizer, sources, targets) for each in (model, packed(model)))
    torch.testing.assert_close(after, before, atol=1e-4, rtol=0.0)


@pytest.mark.parametrize("kind", ["marian", "t5"])
def test_networks_of_other_packages(kind: str) -> None:
    """Where the projection is tied to the table, and where the network looks at the type of a matrix."""
    torch.manual_seed(5)
    sizes: dict[str, Any] = {"vocab_size": 280, "pad_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 0}
    model: Any
    if kind == "marian":
        parts: dict[str, Any] = {
            "encoder_layers": 2,
            "decoder_layers": 2,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
        }
        model = MarianMTModel(
            MarianConfig(
                d_model=16, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=64, **parts, **sizes
            )
        ).eval()
    else:
        model = T5ForConditionalGeneration(
            T5Config(d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, **sizes)
        ).eval()
    other = packed(model)
    assert not plain_layers(other)
    assert torch.equal(other.get_input_embeddings().weight, model.get_input_embeddings().weight)
    asked = {"num_beams": 3, "max_new_tokens": 12, "attention_mask": SOURCES.ne(0)}
    assert torch.equal(other.generate(SOURCES, **asked), model.generate(SOURCES, **asked))


def test_a_loaded_model_is_packed(
    talker: Callable[..., VaswaniForConditionalGeneration], toy_tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    talker(1).float().save_pretrained(tmp_path)
    toy_tokenizer.save_pretrained(tmp_path)
    for dtype in ("float32", "bfloat16"):
        model, _ = load_model(tmp_path, CPU, dtype)
        assert isinstance(model.model.decoder.layers[0].feed_forward.w_1, PackedLinear)
        assert "logits" in vars(model.lm_head)
