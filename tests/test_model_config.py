"""The configuration: the paper's base by default, every field kept on disk, and every mistake explained."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub.errors import StrictDataclassFieldValidationError
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoModelForSeq2SeqLM

from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration


def test_defaults_are_the_base_model() -> None:
    config = VaswaniConfig()
    assert (config.encoder_layers, config.decoder_layers, config.d_model, config.d_ff) == (6, 6, 512, 2048)
    assert (config.num_heads, config.d_k, config.d_v) == (8, 64, 64)
    assert (config.dropout, config.label_smoothing, config.vocab_size) == (0.1, 0.1, 37000)
    assert (config.attention_dropout, config.activation_dropout) == (0.0, 0.0)
    assert (config.positions, config.norm) == ("sinusoidal", "post")


UNLIKE_THE_DEFAULTS: dict[str, Any] = {
    "vocab_size": 101,
    "d_model": 24,
    "d_ff": 50,
    "num_heads": 3,
    "d_k": 5,
    "d_v": 7,
    "encoder_layers": 2,
    "decoder_layers": 4,
    "dropout": 0.25,
    "label_smoothing": 0.05,
    "positions": "learned",
    "norm": "pre",
    "attention_dropout": 0.15,
    "activation_dropout": 0.35,
    "max_positions": 77,
    "attention_bias": True,
    "activation": "gelu",
    "output_bias": True,
    "is_encoder_decoder": True,
    "tie_word_embeddings": True,
    "use_cache": False,
    "pad_token_id": 11,
    "bos_token_id": 12,
    "eos_token_id": 13,
    "decoder_start_token_id": 14,
}
FIXED = {"is_encoder_decoder", "tie_word_embeddings"}  # what the network is, not a choice


def test_every_field_survives_the_disk(tmp_path: Path) -> None:
    fields = {name for name in VaswaniConfig.__annotations__ if not name.startswith("_")} - {"model_type"}
    assert set(UNLIKE_THE_DEFAULTS) == fields
    config = VaswaniConfig(**UNLIKE_THE_DEFAULTS)
    config.save_pretrained(tmp_path)
    for loaded in (VaswaniConfig.from_pretrained(tmp_path), AutoConfig.from_pretrained(tmp_path)):
        assert {name: getattr(loaded, name) for name in fields} == UNLIKE_THE_DEFAULTS
    default = VaswaniConfig()
    assert {name for name in fields if getattr(default, name) == UNLIKE_THE_DEFAULTS[name]} == FIXED


def test_head_widths_follow_from_the_model_unless_given() -> None:
    assert (VaswaniConfig(d_model=24, num_heads=3).d_k, VaswaniConfig(d_model=24, num_heads=3).d_v) == (8, 8)
    one = VaswaniConfig(d_k=16)
    assert (one.d_k, one.d_v) == (16, 64)
    both = VaswaniConfig(d_model=16, num_heads=3, d_k=4, d_v=5)
    assert (both.d_k, both.d_v) == (4, 5)
    assert VaswaniConfig(d_model=15, num_heads=3, positions="learned").d_k == 5


def test_libraries_find_the_dimensions_under_their_usual_names() -> None:
    config = VaswaniConfig(d_model=24, num_heads=3, encoder_layers=2, decoder_layers=4)
    assert (config.hidden_size, config.num_attention_heads, config.head_dim) == (24, 3, 8)
    renamed = VaswaniConfig(hidden_size=256)  # type: ignore[call-arg]
    assert (renamed.d_model, renamed.d_k) == (256, 32)
    assert config.get_text_config(encoder=True).num_hidden_layers == 2
    assert config.get_text_config(decoder=True).num_hidden_layers == 4  # what sizes a cache


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ({"d_model": 15, "num_heads": 3}, "d_model is 15; sinusoids come in pairs, so give an even one"),
        ({"num_heads": 3}, "num_heads=3 does not divide d_model=512; choose another .* or give both d_k and d_v"),
        ({"num_heads": 3, "d_k": 64}, "num_heads=3 does not divide d_model=512"),
        *(
            ({name: value}, rf"{name} is {value}; a probability in \[0, 1\) is needed")
            for name in ("dropout", "label_smoothing", "attention_dropout", "activation_dropout")
            for value in (-0.1, 1.0, 1.5)
        ),
        *(
            ({name: value}, f"{name} is {value}; it must be at least 1")
            for name in (
                "vocab_size",
                "d_model",
                "d_ff",
                "num_heads",
                "d_k",
                "d_v",
                "encoder_layers",
                "decoder_layers",
                "max_positions",
            )
            for value in (0, -3)
        ),
        ({"tie_word_embeddings": False}, "tie_word_embeddings is False; .* one matrix"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_the_reason(mistake: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VaswaniConfig(**mistake)


@pytest.mark.parametrize(
    "mistake",
    [
        {"positions": "rotary"},
        {"norm": "sandwich"},
        {"activation": "swish"},
        {"d_model": "512"},
        {"dropout": "0.1"},
        {"d_ff": 2048.0},
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_by_its_name(mistake: dict[str, Any]) -> None:
    with pytest.raises(StrictDataclassFieldValidationError, match=f"field '{next(iter(mistake))}'"):
        VaswaniConfig(**mistake)


@pytest.mark.parametrize(
    "mistake", [{"tie_word_embeddings": False}, {"dropout": 2.0}, {"label_smoothing": -1}, {"encoder_layers": 0}]
)
def test_what_a_model_cannot_be_is_refused_wherever_it_is_said(
    tiny_model: Callable[..., Any], tmp_path: Path, mistake: dict[str, Any]
) -> None:
    """A field can be set after the configuration was read, and what is then saved could not be loaded again."""
    model = tiny_model()
    model.save_pretrained(tmp_path / "model")
    [(name, value)] = mistake.items()
    for kind in (VaswaniForConditionalGeneration, AutoModelForSeq2SeqLM, AutoModel):
        with pytest.raises(ValueError, match=f"{name} is {value}"):
            kind.from_pretrained(tmp_path / "model", **mistake)
    setattr(model.config, name, value)
    for each in (model, model.model, model.config):
        with pytest.raises(ValueError, match=f"{name} is {value}"):
            each.save_pretrained(tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_whole_number_is_a_probability_too() -> None:
    assert VaswaniConfig(dropout=0, label_smoothing=0).dropout == 0


@pytest.mark.parametrize("where", ["configuration", "call"])
def test_outputs_come_as_tuples_on_request(
    tiny_model: Callable[..., VaswaniForConditionalGeneration],
    padded_batch: Callable[..., dict[str, Tensor]],
    where: str,
) -> None:
    model, batch = tiny_model(), padded_batch()
    expected = model(**batch)
    if where == "configuration":
        model.config.return_dict = False
        loss, logits, *_ = model(**batch)
    else:
        loss, logits, *_ = model(**batch, return_dict=False)
    assert torch.equal(loss, expected.loss)
    assert torch.equal(logits, expected.logits)


@pytest.mark.parametrize("name", ["pad_token_id", "decoder_start_token_id"])
def test_labels_without_the_ids_to_shift_them_are_refused(
    tiny_model: Callable[..., VaswaniForConditionalGeneration],
    padded_batch: Callable[..., dict[str, Tensor]],
    name: str,
) -> None:
    model = tiny_model()
    setattr(model.config, name, None)
    with pytest.raises(ValueError, match=f"{name} is None.*give decoder_input_ids"):
        model(**padded_batch())
