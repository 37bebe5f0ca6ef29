"""OPUS-MT and its kin, as transformers keeps them: imported to equal logits, and to the same tokens by its own search.

No network of theirs is at hand, so random ones of their shape are: biases in attention, swish, a bias on the logits,
a row of zeros that pads and starts, and what their generation_config.json says.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoModelForSeq2SeqLM, GenerationConfig, MarianConfig, MarianMTModel

from vaswani.commands import main
from vaswani.modeling import VaswaniForConditionalGeneration
from vaswani.modeling.modeling_vaswani import sinusoidal_positions

Randomise = Callable[[nn.Module], None]
V, PAD, EOS = 61, 60, 0
GENERATION = {
    "bad_words_ids": [[PAD]],
    "decoder_start_token_id": PAD,
    "eos_token_id": EOS,
    "forced_eos_token_id": EOS,
    "max_length": 14,
    "num_beams": 4,
    "pad_token_id": PAD,
    "renormalize_logits": True,
}
"""As of opus-mt-en-de, but for the length and the ids."""


def opus(randomise: Randomise, seed: int = 0, **changes: Any) -> Any:
    """A MarianMTModel with everything that the paper has not, in float64."""
    torch.manual_seed(seed)
    config = MarianConfig(
        **{
            "vocab_size": V,
            "d_model": 24,
            "encoder_layers": 2,
            "decoder_layers": 3,
            "encoder_attention_heads": 3,
            "decoder_attention_heads": 3,
            "encoder_ffn_dim": 20,
            "decoder_ffn_dim": 20,
            "activation_function": "swish",
            "scale_embedding": True,
            "max_position_embeddings": 32,
            "pad_token_id": PAD,
            "eos_token_id": EOS,
            "decoder_start_token_id": PAD,
            "forced_eos_token_id": EOS,
            **changes,
        }
    )
    model: Any = MarianMTModel(config).double().eval()
    randomise(model)
    with torch.no_grad():
        model.final_logits_bias.copy_(0.3 * torch.randn_like(model.final_logits_bias))
        for table in {model.model.encoder.embed_tokens, model.model.decoder.embed_tokens}:
            table.weight[PAD] = 0
    model.generation_config = GenerationConfig(**GENERATION)
    return model


def imported(theirs: Any, folder: Path) -> Any:
    theirs.save_pretrained(folder / "marian")
    assert main(["import", str(folder / "marian"), str(folder / "ours")]) == 0
    ours: Any = AutoModelForSeq2SeqLM.from_pretrained(folder / "ours")
    assert isinstance(ours, VaswaniForConditionalGeneration)
    return ours.eval()


def sources(number: int, longest: int = 11) -> tuple[Tensor, Tensor]:
    """Random ones of unlike lengths, each with its end, padded; and their mask."""
    draw = torch.Generator().manual_seed(number)
    ids = torch.randint(1, PAD, (number, longest + 1), generator=draw)
    lengths = torch.randint(1, longest + 1, (number, 1), generator=draw)
    places = torch.arange(longest + 1)
    ids = ids.masked_fill(places == lengths, EOS).masked_fill(places > lengths, PAD)
    return ids, (places <= lengths).long()


@torch.no_grad()
def assert_same(ours: Any, theirs: Any, number: int = 200) -> None:
    """The tokens that the search of transformers finds, and logits to 1e-5: their table is rounded to float32 and ours
    computed in it. With one table for both, logits to 1e-9, in float64.
    """
    ids, mask = sources(number)
    asked: dict[str, Any] = {"attention_mask": mask, "no_repeat_ngram_size": 1}  # or random ones say one word for ever
    texts = theirs.generate(ids, **asked)
    assert torch.equal(ours.generate(ids, paper_search=False, **asked), texts)
    assert len({tuple(row) for row in texts.tolist()}) > number / 2
    target = sources(number + 1, 9)[0][:number]
    found, expected = (model(ids, mask, decoder_input_ids=target).logits for model in (ours, theirs))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    for stack in (theirs.model.encoder, theirs.model.decoder):
        table = sinusoidal_positions(torch.arange(32), ours.config.d_model)
        stack.embed_positions.weight.copy_(torch.cat([table[:, 0::2], table[:, 1::2]], 1))
    expected = theirs(ids, mask, decoder_input_ids=target).logits
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    assert expected.std() > 0.1


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"activation_function": "relu", "scale_embedding": False},
        {"activation_function": "gelu"},
        {"activation_function": "silu", "encoder_layers": 1},
    ],
    ids=["swish", "relu, unscaled", "gelu", "silu"],
)
def test_every_part_of_a_marian_is_kept(randomise: Randomise, tmp_path: Path, changes: dict[str, Any]) -> None:
    theirs = opus(randomise, **changes)
    ours = imported(theirs, tmp_path)
    config = ours.config
    activation = {"swish": "silu"}.get(theirs.config.activation_function, theirs.config.activation_function)
    assert (config.attention_bias, config.activation, config.output_bias) == (True, activation, True)
    assert config.positions == "sinusoidal"
    counted = sum(weight.numel() for name, weight in theirs.named_parameters() if "positions" not in name)
    assert ours.num_parameters() == counted + theirs.final_logits_bias.numel()
    assert_same(ours, theirs)


def test_parts_come_one_by_one(randomise: Randomise, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is zero in all of a model is no part of the imported one; what is there alone is."""
    for name, quiet in (("biases", r"final_logits_bias"), ("logits", r"proj\.bias")):
        theirs = opus(randomise, activation_function="relu")
        with torch.no_grad():
            for each, weight in [*theirs.named_parameters(), *theirs.named_buffers()]:
                if quiet.replace("\\", "") in each:
                    weight.zero_()
        ours = imported(theirs, tmp_path / name)
        assert (ours.config.attention_bias, ours.config.output_bias) == (name == "biases", name == "logits")
        assert_same(ours, theirs, 20)
        told = {"biases": "with biases in attention, which the paper", "logits": "with a bias on the logits, which the"}
        assert told[name] in capsys.readouterr().out


def test_tables_that_are_equal_are_one_however_they_are_tied(randomise: Randomise, tmp_path: Path) -> None:
    """Not shared, as a model of two vocabularies has them; and tied to nothing."""
    for name, tying in (
        ("own", {"share_encoder_decoder_embeddings": False}),
        ("free", {"share_encoder_decoder_embeddings": False, "tie_word_embeddings": False}),
        ("shared", {"tie_word_embeddings": False}),
    ):
        theirs = opus(randomise, **tying)
        table = theirs.model.encoder.embed_tokens.weight
        with torch.no_grad():
            for weight in (theirs.model.decoder.embed_tokens.weight, theirs.lm_head.weight):
                weight.copy_(table)
        assert_same(imported(theirs, tmp_path / name), theirs, 20)


def test_the_papers_search_obeys_what_the_model_is_saved_with(randomise: Randomise, tmp_path: Path) -> None:
    """The token that pads is not found, and what is longest ends."""
    theirs = opus(randomise)
    with torch.no_grad():
        theirs.final_logits_bias[0, PAD] = 9.0  # as likely as can be
    ours = imported(theirs, tmp_path)
    saved = GenerationConfig.from_pretrained(tmp_path / "ours").to_dict()
    assert {name: saved[name] for name in GENERATION} == GENERATION
    ids, mask = sources(20)
    found = ours.generate(ids, attention_mask=mask)
    for row in found[:, 1:].tolist():
        assert EOS in row
        assert PAD not in row[: row.index(EOS)]
