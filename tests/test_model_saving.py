"""A saved network comes back to the bit, through every Auto class, in this process and in one without this package."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoModelForSeq2SeqLM

from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration, VaswaniModel

Batch = dict[str, Tensor]
MakeModel = Callable[..., Any]  # VaswaniForConditionalGeneration, less the types that transformers gives its methods
MakeBatch = Callable[..., Batch]

# Not to the bit, as the weights are: equal numbers elsewhere in memory may be added up in another order.
assert_close = partial(torch.testing.assert_close, rtol=1e-12, atol=1e-12)


@pytest.fixture
def _poisoned_memory() -> Iterator[None]:
    """Fill what torch allocates uninitialised with not-a-number, so that nothing can pass by a lucky zero."""
    torch.use_deterministic_algorithms(True)
    assert torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("_poisoned_memory")
def test_every_auto_class_loads_it_to_the_bit(
    tiny_model: MakeModel, padded_batch: MakeBatch, tmp_path: Path, variant: dict[str, Any]
) -> None:
    model, batch = tiny_model(**variant), padded_batch()
    model.save_pretrained(tmp_path)
    config = AutoConfig.from_pretrained(tmp_path)
    loaded = AutoModelForSeq2SeqLM.from_pretrained(tmp_path, attn_implementation="eager")
    bare = AutoModel.from_pretrained(tmp_path, attn_implementation="eager")
    assert (type(config), type(loaded), type(bare)) == (VaswaniConfig, VaswaniForConditionalGeneration, VaswaniModel)
    assert config.to_diff_dict() == loaded.config.to_diff_dict()
    assert not loaded.training
    for name, tensor in [*loaded.named_parameters(), *loaded.named_buffers()]:
        assert torch.equal(tensor, model.get_parameter(name)), name
    assert_close(loaded(**batch).logits, model(**batch).logits)
    ids = {"input_ids": batch["input_ids"], "decoder_input_ids": batch["input_ids"]}
    assert_close(bare(**ids).last_hidden_state, model.model(**ids).last_hidden_state)


def test_the_bare_model_and_the_whole_one_load_each_other(
    tiny_model: MakeModel, padded_batch: MakeBatch, tmp_path: Path
) -> None:
    model = tiny_model()
    model.model.save_pretrained(tmp_path)
    whole = AutoModelForSeq2SeqLM.from_pretrained(tmp_path, attn_implementation="eager")
    assert_close(whole(**padded_batch()).logits, model(**padded_batch()).logits)


def test_the_tie_is_stored_once_and_holds_after_loading(tiny_model: MakeModel, tmp_path: Path) -> None:
    model = tiny_model()
    model.save_pretrained(tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    assert [name for name, tensor in stored.items() if tensor.shape[0] == 29] == ["model.tokens.weight"]
    assert sum(tensor.numel() for tensor in stored.values()) == model.num_parameters()
    loaded = AutoModelForSeq2SeqLM.from_pretrained(tmp_path).model
    assert loaded.tokens is loaded.encoder.tokens is loaded.decoder.tokens
    assert loaded.tokens.weight is loaded.encoder.tokens.weight is loaded.decoder.tokens.weight


@pytest.mark.parametrize("half", ["encoder", "decoder"])
def test_half_of_a_model_is_neither_saved_nor_loaded(tiny_model: MakeModel, tmp_path: Path, half: str) -> None:
    """Its folder would be taken for a whole model, and all that is missing drawn at random."""
    model = tiny_model()
    stack = getattr(model, f"get_{half}")()
    with pytest.raises(ValueError, match=r"cannot be saved to .*half by itself.*save the whole model"):
        stack.save_pretrained(tmp_path / "half")
    assert not (tmp_path / "half").exists()
    model.save_pretrained(tmp_path / "whole")
    with pytest.raises(ValueError, match=rf"load the whole model, AutoModel.*whole.*get_{half}"):
        type(stack).from_pretrained(tmp_path / "whole")


def test_a_resized_network_is_saved_with_its_new_vocabulary(
    tiny_model: MakeModel, padded_batch: MakeBatch, tmp_path: Path
) -> None:
    model = tiny_model()
    model.resize_token_embeddings(40, mean_resizing=False)
    model.save_pretrained(tmp_path)
    loaded = AutoModelForSeq2SeqLM.from_pretrained(tmp_path, attn_implementation="eager")
    assert_close(loaded(**padded_batch()).logits, model(**padded_batch()).logits)


def test_a_missing_weight_is_named_and_drawn_like_a_fresh_one(tiny_model: MakeModel, tmp_path: Path) -> None:
    tiny_model().save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    name = "model.decoder.layers.1.cross_attention.w_v.weight"
    kept = {key: tensor for key, tensor in weights.items() if key != name}
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    loaded, report = AutoModelForSeq2SeqLM.from_pretrained(tmp_path, output_loading_info=True)
    assert report["missing_keys"] == {name}
    assert 0 < loaded.get_parameter(name).abs().max() <= (6 / (16 + 16)) ** 0.5
    for key, tensor in kept.items():
        assert torch.equal(loaded.get_parameter(key), tensor), key


def test_a_missing_table_is_named_and_drawn_like_a_fresh_one(tiny_model: MakeModel, tmp_path: Path) -> None:
    tiny_model().save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    table = weights.pop("model.tokens.weight")
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    for load, prefix in ((AutoModelForSeq2SeqLM.from_pretrained, "model."), (AutoModel.from_pretrained, "")):
        loaded, report = load(tmp_path, output_loading_info=True)
        assert f"{prefix}tokens.weight" in report["missing_keys"]
        drawn = loaded.get_input_embeddings().weight
        assert not torch.equal(drawn, table)
        assert drawn.std().item() == pytest.approx(loaded.config.d_model**-0.5, rel=0.2)
        assert drawn is loaded.get_encoder().tokens.weight


ELSEWHERE = """
import sys, torch
from transformers import AutoConfig, AutoModel, AutoModelForSeq2SeqLM
folder = sys.argv[1]
config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
ids = torch.tensor([[5, 6, 7, 3]])
whole = AutoModelForSeq2SeqLM.from_pretrained(folder, trust_remote_code=True)
bare = AutoModel.from_pretrained(folder, trust_remote_code=True)
assert config.model_type == "vaswani" and type(bare).__name__ == "VaswaniModel"
assert not any(name.split(".")[0] == "vaswani" for name in sys.modules)
with torch.no_grad():
    logits = whole(ids, decoder_input_ids=ids).logits
    states = bare(ids, decoder_input_ids=ids).last_hidden_state
sources, mask = torch.load(sys.argv[3])
found = whole.generate(sources, attention_mask=mask, num_beams=3, num_return_sequences=2, length_penalty=0.6,
                       return_dict_in_generate=True, output_scores=True)
torch.save((logits, states, found.sequences, found.sequences_scores), sys.argv[2])
"""


def test_the_folder_carries_its_code_to_where_this_package_is_not(
    tiny_model: MakeModel, padded_batch: MakeBatch, tmp_path: Path
) -> None:
    """The network, and the paper's search, which `generate` makes without being asked."""
    model, ids, batch = tiny_model(attention="sdpa"), torch.tensor([[5, 6, 7, 3]]), padded_batch()
    model.model.tokens.weight.data[3] *= 1.5  # or nothing would end before its limit
    model.save_pretrained(tmp_path / "model")
    torch.save((batch["input_ids"], batch["attention_mask"]), tmp_path / "source.pt")
    environment = {**os.environ, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    environment.pop("HF_MODULES_CACHE", None)
    subprocess.run(
        [sys.executable, "-c", ELSEWHERE, tmp_path / "model", tmp_path / "out.pt", tmp_path / "source.pt"],
        check=True,
        env=environment,
        cwd=tmp_path,
    )
    logits, states, sequences, scores = torch.load(tmp_path / "out.pt")
    with torch.no_grad():
        assert_close(logits, model(ids, decoder_input_ids=ids).logits)
        expected = model.model(ids, decoder_input_ids=ids).last_hidden_state
        assert_close(states, expected)
    here = model.generate(
        batch["input_ids"],
        attention_mask=batch["attention_mask"],
        num_beams=3,
        num_return_sequences=2,
        length_penalty=0.6,
        return_dict_in_generate=True,
        output_scores=True,
    )
    assert torch.equal(sequences, here.sequences)
    assert_close(scores, here.sequences_scores)
    assert not torch.equal(
        sequences, model.generate(batch["input_ids"], num_beams=3, num_return_sequences=2, paper_search=False)
    )
