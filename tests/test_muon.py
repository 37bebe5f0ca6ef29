"""Muon beside Adam: the matrices and the rest, the steps of torch's own optimizers, resumed to the same bits."""

import copy
import io
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from forked_python import ForkedPopen
from test_experiment import TINY, one_thread, recipe, run, toy_text
from torch import nn
from torch.optim import Adam, Muon

from vaswani.experiment.timing import optimizer_of
from vaswani.training import VaswaniTrainingArguments
from vaswani.training.muon import MuonWithAdam, bytes_of_moments, split

MakeModel = Callable[..., Any]


def with_gradients(model: nn.Module, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        weight.grad = torch.randn(weight.shape, generator=draw)


@pytest.mark.parametrize(("asked", "made"), [("adam", torch.optim.AdamW), ("muon", MuonWithAdam)])
def test_the_time_of_a_step_is_taken_with_the_optimizer_of_the_run(
    tiny_model: MakeModel, tmp_path: Path, asked: str, made: type
) -> None:
    arguments = VaswaniTrainingArguments(output_dir=str(tmp_path), optimizer=asked)
    assert type(optimizer_of(tiny_model(), arguments)) is made


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_matrices_are_those_of_linear_layers_alone(tiny_model: MakeModel, positions: str) -> None:
    model = tiny_model(positions=positions, attention_bias=True)
    matrices, others = split(model)
    named = {id(weight): name for name, weight in model.named_parameters()}
    assert {named[id(each)] for each in matrices} == {
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module.weight is not model.get_input_embeddings().weight
    }
    assert len(matrices) + len(others) == len(named)
    assert all(weight.ndim == 2 for weight in matrices)
    tables = [module.weight for module in model.modules() if isinstance(module, nn.Embedding)]
    assert len(tables) == (1 if positions == "sinusoidal" else len(tables))
    assert all(any(table is other for other in others) for table in tables)


def test_steps_are_those_of_both_optimizers_apart_and_go_on_from_a_file(tiny_model: MakeModel) -> None:
    ours = tiny_model().float()
    theirs = copy.deepcopy(ours)
    optimizer = MuonWithAdam(ours, 0.01, (0.9, 0.98), 1e-9)
    matrices, others = split(theirs)
    muon = Muon(matrices, lr=0.01, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    adam = Adam(others, lr=0.01, betas=(0.9, 0.98), eps=1e-9)
    for step in range(6):
        for model in (ours, theirs):
            with_gradients(model, step)
        optimizer.step()
        muon.step()
        adam.step()
        assert all(torch.equal(one, other) for one, other in zip(ours.parameters(), theirs.parameters(), strict=True))
        if step == 2:
            file = io.BytesIO()
            torch.save(optimizer.state_dict(), file)
            file.seek(0)
            optimizer = MuonWithAdam(ours, 0.5, (0.0, 0.0), 1.0)  # what the file holds counts
            optimizer.load_state_dict(torch.load(file, weights_only=True))
    assert len(optimizer.state) == len(list(ours.parameters()))


def test_the_memory_of_both_parts_is_what_they_keep(tiny_model: MakeModel) -> None:
    model = tiny_model(attention_bias=True).float()
    optimizer = MuonWithAdam(model, 0.01, (0.9, 0.98), 1e-9)
    with_gradients(model, 1)
    optimizer.step()
    kept = [
        each for state in optimizer.state.values() for each in state.values() if torch.is_tensor(each) and each.dim()
    ]
    assert bytes_of_moments(model) == sum(each.nbytes for each in kept)


def test_one_schedule_sets_both_rates_and_weights_without_gradients_stay(tiny_model: MakeModel) -> None:
    model = tiny_model().float()
    optimizer = MuonWithAdam(model, 1.0, (0.9, 0.98), 1e-9)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (step + 1))
    before = copy.deepcopy(model.state_dict())
    optimizer.step()
    schedule.step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.5]
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    for values, what in (
        ({"optimizer": "sgd"}, "--optimizer is sgd; give adam or muon"),
        ({"optimizer": "muon", "weight_decay": 0.1}, "--weight_decay 0.1 is of Adam"),
        (
            {"optimizer": "muon", "optim": "sgd"},
            "--optim sgd has no part in --optimizer muon: leave it out, or give --optimizer adam",
        ),
    ):
        with pytest.raises(ValueError, match=what):
            VaswaniTrainingArguments(output_dir=str(tmp_path), **values)


@pytest.mark.slow
def test_killed_it_resumes_to_the_same_bits(tmp_path: Path) -> None:
    text, whole, cut = toy_text(tmp_path), tmp_path / "whole", tmp_path / "cut"

    def flags(folder: Path) -> list[str]:
        every = ["--max_steps", "60", "--eval_steps", "60", "--save_steps", "10", "--average_checkpoints", "1"]
        of_run = ["--data_dir", str(text), "--direction", "en-nds", "--output_dir", str(folder), "--dropout", "0.2"]
        return [*of_run, *TINY, *every, "--optimizer", "muon"]

    run(*flags(whole))
    refused = run(*flags(whole), "--resume", "--max_steps", "80", "--optimizer", "adam", check=False)
    assert refused.returncode == 2
    assert "--optimizer is adam, and the run began with muon" in refused.stdout + refused.stderr
    records = {name: (whole / name).read_bytes() for name in ("run.json", "metrics.json")}
    refused = run(*flags(whole), "--resume", "--max_steps", "80", "--optimizer", "muon", "--optim", "sgd", check=False)
    assert refused.returncode == 2
    assert {name: (whole / name).read_bytes() for name in records} == records
    with ForkedPopen[bytes](recipe(*flags(cut)), env=one_thread(), stdout=subprocess.DEVNULL) as started:
        while not (cut / "checkpoint-10" / "manifest.json").exists() and started.poll() is None:
            time.sleep(0.01)
        started.send_signal(signal.SIGKILL)
    assert not (cut / "metrics.json").exists()
    assert "Resuming from checkpoint-" in run(*flags(cut), "--resume").stdout
    for name in ("model.safetensors", "optimizer.pt"):
        assert (cut / "checkpoint-60" / name).read_bytes() == (whole / "checkpoint-60" / name).read_bytes()
