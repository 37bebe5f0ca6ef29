"""The moving average of weights: by hand, in checkpoints, resumed to the same bits, and a candidate at the end."""

import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from forked_python import ForkedPopen
from safetensors.torch import load_file
from test_experiment import TINY, one_thread, recipe, run, toy_text
from torch import nn

from vaswani.publishing import read_metrics
from vaswani.training import VaswaniTrainingArguments
from vaswani.training.exceptions import StartupError
from vaswani.training.moving_average import FOLDER, MovingAverage


def in_floats(decay: float, weights: list[float]) -> float:
    """The average after the last of these weights, the first of which are those before step 1."""
    average, *steps = weights
    for step, weight in enumerate(steps, 1):
        stays = min(decay, (1 + step) / (10 + step))
        average = stays * average + (1 - stays) * weight
    return average


@pytest.mark.parametrize("decay", [0.5, 0.999])
def test_it_is_the_average_by_hand_and_goes_on_from_a_file(decay: float, tmp_path: Path) -> None:
    model, average = nn.Linear(1, 1), MovingAverage(decay)
    numbers = [float(each) for each in torch.randn(40, generator=torch.Generator().manual_seed(1))]

    def set_to(number: float) -> None:
        with torch.no_grad():
            model.weight.fill_(number)
            model.bias.fill_(-number)

    set_to(numbers[0])
    average.begin(model, None)
    for step, number in enumerate(numbers[1:], 1):
        set_to(number)
        average.update(model, step)
        if step == 20:
            average.save(tmp_path)
            average = MovingAverage(decay)
            average.begin(model, tmp_path)
    (tmp_path / "end").mkdir()
    average.save(tmp_path / "end")
    found = load_file(tmp_path / "end" / FOLDER / "model.safetensors")
    assert float(found["weight"]) == pytest.approx(in_floats(decay, numbers), abs=1e-6)
    assert float(found["bias"]) == pytest.approx(-in_floats(decay, numbers), abs=1e-6)
    assert model.weight.item() == pytest.approx(numbers[-1])  # the network is only read


def test_a_checkpoint_without_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="holds no moving average: its run began without --ema_decay"):
        MovingAverage(0.9).begin(nn.Linear(1, 1), tmp_path)


@pytest.mark.parametrize("value", [0.0, 1.0, 1.5])
def test_what_is_no_decay_is_refused(value: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"--ema_decay is {value}; give more than 0 and less than 1"):
        VaswaniTrainingArguments(output_dir=str(tmp_path), ema_decay=value)


@pytest.mark.slow
def test_killed_it_resumes_to_the_same_average_and_the_best_is_chosen(tmp_path: Path) -> None:
    text = toy_text(tmp_path)

    def flags(folder: Path, *more: str) -> list[str]:
        steps = ["--max_steps", "120", "--eval_steps", "120", "--save_steps", "20", "--average_checkpoints", "1"]
        where = ["--data_dir", str(text), "--direction", "en-nds", "--output_dir", str(folder)]
        return [*where, *TINY, *steps, *more]

    whole, cut, plain = (tmp_path / name for name in ("whole", "cut", "plain"))
    said = run(*flags(whole, "--ema_decay", "0.95")).stdout
    assert "moving average of the weights: validation" in said
    candidates = read_metrics(whole).candidates
    assert list(candidates) == ["last checkpoint", "moving average of the weights"]
    assert read_metrics(whole).chosen == max(candidates, key=lambda name: candidates[name]["bleu"])
    command = recipe(*flags(cut, "--ema_decay", "0.95"))
    with ForkedPopen[bytes](command, env=one_thread(), stdout=subprocess.DEVNULL) as started:
        while not (cut / "checkpoint-20" / "manifest.json").exists() and started.poll() is None:
            time.sleep(0.01)
        started.send_signal(signal.SIGKILL)
    assert not (cut / "metrics.json").exists()
    run(*flags(cut, "--ema_decay", "0.95", "--resume"))
    last = Path("checkpoint-120", FOLDER, "model.safetensors")
    assert (cut / last).read_bytes() == (whole / last).read_bytes()
    assert (cut / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    run(*flags(plain))
    weights = Path("checkpoint-120", "model.safetensors")
    assert (plain / weights).read_bytes() == (whole / weights).read_bytes()  # training does not read the average
    refused = run(*flags(plain, "--ema_decay", "0.95", "--resume", "--max_steps", "140"), check=False)
    assert refused.returncode != 0
    assert "holds no moving average" in refused.stdout + refused.stderr
