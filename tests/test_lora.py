"""LoRA trains thin products beside weights that stay, and leaves a network like any other."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from forked_python import ForkedPopen
from safetensors.torch import load_file
from test_experiment import one_thread, recipe, run, toy_text
from test_init_from import WITHOUT_NETWORK, saved
from torch import nn

from vaswani.modeling import VaswaniForConditionalGeneration
from vaswani.publishing.run_record import read_run
from vaswani.training import VaswaniTrainingArguments
from vaswani.training.lora import (
    ALPHA_OVER_RANK,
    LAYERS,
    LORA,
    add_adapters,
    has_adapters,
    load_adapters,
    merged_copy,
    save_adapters,
)

Model = Callable[..., VaswaniForConditionalGeneration]
RANK = 3


def drawn(model: nn.Module) -> None:
    """Give B other values than zeros, as training does."""
    draw = torch.Generator().manual_seed(5)
    for name, weight in model.named_parameters():
        if ".lora_B." in name:
            weight.data.normal_(std=0.1, generator=draw)


def batch(model: VaswaniForConditionalGeneration) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    size = int(model.config.vocab_size)
    return {name: torch.randint(5, size, (3, 7), generator=draw) for name in ("input_ids", "decoder_input_ids")}


@torch.no_grad()
def test_the_network_begins_as_its_parent_and_merges_to_what_it_computes(talker: Model, tmp_path: Path) -> None:
    parent, model = talker().float().eval(), talker().float().eval()
    assert not has_adapters(model)
    add_adapters(model, RANK)
    assert has_adapters(model)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert {name.split(".")[-4] for name in trained} == set(LAYERS)
    assert torch.equal(model(**batch(model)).logits, parent(**batch(model)).logits)

    drawn(model)
    expected = model(**batch(model)).logits
    whole = merged_copy(model, type(parent), torch.device("cpu"))
    torch.testing.assert_close(whole(**batch(model)).logits, expected, atol=1e-5 * float(expected.abs().max()), rtol=0)
    assert whole.state_dict().keys() == parent.state_dict().keys()
    for name, weight in whole.state_dict().items():
        before = parent.state_dict()[name]
        if name.split(".")[-2] in LAYERS and name.endswith("weight"):
            layer: Any = model.get_submodule(name.removesuffix(".weight"))
            a, b = (each["default"].weight for each in (layer.lora_A, layer.lora_B))
            torch.testing.assert_close(weight, before + ALPHA_OVER_RANK * b @ a)
            assert torch.linalg.matrix_rank(weight - before, atol=1e-4) == RANK
        else:
            assert torch.equal(weight, before), name

    save_adapters(model, tmp_path)
    again = talker(seed=1).float().eval()  # other weights, as those of a run that resumes
    add_adapters(again, RANK)
    load_adapters(again, tmp_path)
    for name, weight in again.state_dict().items():
        if ".lora_" in name or ".base_layer." in name:
            assert torch.equal(weight, model.state_dict()[name]), name


def flags(text: Path, folder: Path, parent: str, *more: str) -> list[str]:
    every = ["--eval_steps", "20", "--save_steps", "5", "--logging_steps", "5", "--average_checkpoints", "2"]
    of_run = ["--data_dir", str(text), "--direction", "en-nds", "--output_dir", str(folder), "--init_from", parent]
    return [*of_run, *WITHOUT_NETWORK, *every, "--max_steps", "20", "--lora_rank", str(RANK), *more]


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--bf16_throughout", "--gradient_checkpointing")])
def test_killed_it_resumes_to_the_same_bits_and_leaves_a_plain_network(
    more: tuple[str, ...], talker: Model, toy_tokenizer: Any, tmp_path: Path
) -> None:
    text, given = toy_text(tmp_path), saved(talker().float(), toy_tokenizer, tmp_path / "parent")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    done = run(*flags(text, whole, given, *more))
    assert "10 times the rate of all weights" in done.stdout
    command = recipe(*flags(text, cut, given, *more))
    with ForkedPopen[bytes](command, env=one_thread(), stdout=subprocess.DEVNULL) as started:
        while not (cut / "checkpoint-5" / "manifest.json").exists() and started.poll() is None:
            time.sleep(0.01)
        started.send_signal(signal.SIGKILL)
    if not (cut / "metrics.json").exists():
        assert "Resuming from checkpoint-" in run(*flags(text, cut, given, *more), "--resume").stdout
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (cut, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    before = load_file(Path(given) / "model.safetensors")
    assert ours.keys() == before.keys()
    changed = {name for name in ours if not torch.equal(ours[name], before[name])}
    assert changed == {name for name in ours if name.split(".")[-2] in LAYERS and name.endswith("weight")}
    assert load_file(cut / "checkpoint-20" / "model.safetensors").keys() == before.keys()
    assert (cut / "checkpoint-20" / LORA).is_file()
    assert read_run(cut).training.lora_rank == RANK

    done = run(*flags(text, cut, given, *more, "--lora_rank", "2", "--max_steps", "30"), "--resume", check=False)
    assert done.returncode == 2
    assert "was started with --lora_rank 3 and is resumed with --lora_rank 2" in done.stderr


def test_what_it_cannot_go_with_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for values, what in (
        ({"lora_rank": 0}, "--lora_rank is 0; give at least 1"),
        ({"lora_rank": 4}, "add --init_from MODEL"),
        ({"lora_rank": 4, "init_from": "x", "new_vocabulary": True}, "does not train embeddings"),
    ):
        with pytest.raises(ValueError, match=what):
            VaswaniTrainingArguments(output_dir=str(tmp_path), **values)
    assert VaswaniTrainingArguments(output_dir=str(tmp_path), lora_rank=4, init_from="x").lora_rank == 4
    monkeypatch.setattr("vaswani.training.argument_checks.find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"needs peft; pip install 'vaswani\[lora\]'"):
        VaswaniTrainingArguments(output_dir=str(tmp_path), lora_rank=4, init_from="x")
