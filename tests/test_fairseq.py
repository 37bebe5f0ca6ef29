"""Checkpoints that fairseq itself wrote, in each form: read without it, to its logits, and nothing in them runs."""

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForSeq2SeqLM

from vaswani.commands import main

FAIRSEQ = Path(__file__).parent / "fairseq"


@pytest.mark.parametrize("name", ["today.pt", "averaging.pt", "dictconfig.pt"])
def test_what_fairseq_wrote_gives_the_logits_that_fairseq_computed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Settings in a Namespace in a dict, as of today, and in one in a DictConfig, without omegaconf."""
    known = json.loads((FAIRSEQ / "logits.json").read_text())
    assert main(["import", str(FAIRSEQ / name), str(tmp_path / "ours")]) == 0
    said = capsys.readouterr().out
    assert ("Note: the weights are those of the last step; their moving average" in said) == (name == "averaging.pt")
    ours: Any = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "ours").eval()
    expected = torch.tensor(known["logits"][name])
    with torch.no_grad():
        found = ours(torch.tensor(known["source"]), decoder_input_ids=torch.tensor(known["target"])).logits
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert expected.std() > 1
    learned = (ours.config.dropout, ours.config.attention_dropout, ours.config.activation_dropout)
    assert learned == ((0.3, 0.05, 0.15) if name == "averaging.pt" else (0.1, 0, 0))
    assert ours.config.label_smoothing == 0.2


@pytest.mark.parametrize(("name", "activation"), [("biased.pt", "relu"), ("gelu.pt", "gelu")])
def test_biases_and_gelu_of_fairseqs_own_are_kept(tmp_path: Path, name: str, activation: str) -> None:
    """Its attention always has biases, here all of them unlike zero; the second is pre-norm, learned and unscaled."""
    known = json.loads((FAIRSEQ / "logits.json").read_text())
    assert main(["import", str(FAIRSEQ / name), str(tmp_path / "ours")]) == 0
    ours: Any = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "ours").eval()
    assert (ours.config.attention_bias, ours.config.activation, ours.config.output_bias) == (True, activation, False)
    with torch.no_grad():
        found = ours(torch.tensor(known["source"]), decoder_input_ids=torch.tensor(known["target"])).logits
    torch.testing.assert_close(found, torch.tensor(known["logits"][name]), rtol=1e-5, atol=1e-5)


def fairseq_settings(**changes: Any) -> dict[str, Any]:
    """What today.pt holds, with other settings of its model."""
    with torch.serialization.safe_globals([argparse.Namespace]):
        content: dict[str, Any] = torch.load(FAIRSEQ / "today.pt", weights_only=True)
    content["cfg"]["model"] = argparse.Namespace(**vars(content["cfg"]["model"]) | changes)
    return content


@pytest.mark.parametrize(
    "change",
    [
        lambda content: vars(content["cfg"]["model"]).pop("encoder_normalize_before"),
        lambda content: content["cfg"].update(model=vars(content["cfg"]["model"])),
        lambda content: content["cfg"].update(model=nested(vars(content["cfg"]["model"]))),
        lambda content: content.update(args=content["cfg"]["model"], cfg=None),
        lambda content: content.update(task_state={"scores": np.float64(31.5)}, criterion={}),
        lambda content: content.update(model=by_old_names(content["model"])),
        lambda content: content["model"].pop("decoder.output_projection.weight"),
    ],
    ids=["a setting left out", "a dict", "by stacks", "args alone", "a score of numpy", "old names", "no projection"],
)
def test_the_forms_of_fairseqs_checkpoints_give_one_network(tmp_path: Path, change: Callable[[Any], None]) -> None:
    content = fairseq_settings()
    change(content)
    torch.save(content, tmp_path / "model.pt")
    assert main(["import", str(FAIRSEQ / "today.pt"), str(tmp_path / "expected")]) == 0
    assert main(["import", str(tmp_path / "model.pt"), str(tmp_path / "found")]) == 0
    expected, found = (load_file(tmp_path / name / "model.safetensors") for name in ("expected", "found"))
    assert all(torch.equal(expected[name], found[name]) for name in expected.keys() | found.keys())
    configs = [json.loads((tmp_path / name / "config.json").read_text()) for name in ("expected", "found")]
    assert configs[0] == configs[1]


def nested(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as the dataclass TransformerConfig has them, some of them by reference."""
    stacks = ("encoder_", "decoder_")
    found = {name: value for name, value in settings.items() if not name.startswith(stacks)}
    for stack in stacks:
        found[stack[:-1]] = {name[8:]: value for name, value in settings.items() if name.startswith(stack)}
    found["decoder"]["input_dim"] = "${model.decoder.embed_dim}"
    return found


def by_old_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights as fairseq named them before its version 0.9, by which it still reads them."""
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        stem = re.sub(r"[qkv]_proj", "in_proj_", name).replace("in_proj_.", "in_proj_")
        norms = ["self_attn_layer_norm", "final_layer_norm"]
        if name.startswith("decoder"):
            norms.insert(1, "encoder_attn_layer_norm")
        if "in_proj" in stem:
            found[stem] = torch.cat([state[re.sub("[qkv]_proj", f"{part}_proj", name)] for part in "qkv"])
        elif match := re.search(r"\w+_layer_norm", name):
            found[name.replace(match[0], f"layer_norms.{norms.index(match[0])}")] = tensor
        else:
            found[name] = tensor
    found["encoder.embed_positions.weights"] = torch.zeros(1)
    return found


def test_weights_in_16_bits_stay_in_16_bits(tmp_path: Path) -> None:
    content = fairseq_settings(fp16=True)
    content["model"] = {name: tensor.half() for name, tensor in content["model"].items()}
    torch.save(content, tmp_path / "model.pt")
    assert main(["import", str(tmp_path / "model.pt"), str(tmp_path / "ours")]) == 0
    assert AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "ours").dtype == torch.float16


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation_fn": "gelu_fast"}, "compute gelu_fast, and ours relu, silu, swish, gelu alone"),
        ({"layernorm_embedding": True}, "it was trained with --layernorm-embedding, which has no place here"),
        ({"no_token_positional_embeddings": True}, "--no-token-positional-embeddings, which has"),
        ({"adaptive_softmax_cutoff": "10,20"}, "--adaptive-softmax-cutoff 10,20, which has"),
        ({"adaptive_input": True}, "--adaptive-input, which has"),
        ({"cross_self_attention": True}, "--cross-self-attention, which has"),
        ({"no_cross_attention": True}, "--no-cross-attention, which has"),
        ({"no_decoder_final_norm": True}, "--no-decoder-final-norm, which has"),
        ({"quant_noise_pq": 0.1}, "--quant-noise-pq 0.1, which has"),
        ({"quant_noise_scalar": 0.5}, "--quant-noise-scalar 0.5, which has"),
        ({"base_layers": 1}, "--base-layers 1, which has"),
        ({"decoder_layers_to_keep": "0,1"}, "--decoder-layers-to-keep 0,1, which has"),
        ({"encoder_xformers_att_config": '{"name": "linformer"}'}, "--encoder-xformers-att-config {"),
        ({"scale_heads": True}, "--scale-heads, which has"),
        ({"model_parallel_size": 2}, "one of 2 parts (--model-parallel-size)"),
        ({"decoder_embed_dim": 6}, "decoder_embed_dim is 6 and its embeddings have 8"),
        ({"decoder_output_dim": 4}, "decoder_output_dim is 4 and its embeddings have 8"),
        ({"decoder_normalize_before": True}, "encoder_normalize_before is False and decoder_normalize_before is True"),
        (
            {"encoder_normalize_before": True, "decoder_normalize_before": True},
            "it lacks model.decoder.final_norm.bias",
        ),
        ({"decoder_attention_heads": None}, "encoder_attention_heads is 2 and decoder_attention_heads is 8"),
        ({"encoder_layers": 2}, "it lacks model.encoder.layers.1."),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_fairseq_computes_and_the_paper_does_not_is_refused_with_its_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], message: str
) -> None:
    torch.save(fairseq_settings(**changes), tmp_path / "model.pt")
    assert main(["import", str(tmp_path / "model.pt"), str(tmp_path / "ours")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "ours").exists()


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(fairseq_settings() | {"task_state": Runs(tmp_path / "ran")}, tmp_path / "model.pt")
    assert main(["import", str(tmp_path / "model.pt"), str(tmp_path / "ours")]) == 2
    assert "and loading that could run code" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()


class Runs:
    """When it is unpickled, code runs."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"model": {"flat_param_0": torch.zeros(3)}, "args": argparse.Namespace()},
            "is one of several parts (--use-sh",
        ),
        (
            {"model": {"encoder.lstm.weight_ih_l0": torch.zeros(2, 2)}, "cfg": {"model": {"_name": "lstm_luong"}}},
            "its network is lstm_luong, and only fairseq's transformer is read: it lacks encoder.layers.0.self_attn",
        ),
        (
            {"model": {}, "cfg": {"model": None}, "args": None},
            'has no "args"; a checkpoint of fairseq has its settings',
        ),
    ],
    ids=["a part", "another network", "no settings"],
)
def test_what_is_no_whole_transformer_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: Any, message: str
) -> None:
    torch.save(content, tmp_path / "model.pt")
    assert main(["import", str(tmp_path / "model.pt"), str(tmp_path / "ours")]) == 2
    assert message in capsys.readouterr().err
