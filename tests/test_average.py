"""Averages of checkpoints: which are taken, how much each counts, and a model folder that everyone can load."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModel, AutoModelForSeq2SeqLM, AutoTokenizer, PreTrainedTokenizerFast

from vaswani.commands import main
from vaswani.data.tokenizer import learn_tokenizer
from vaswani.publishing.run_record import DataRecord, NetworkRecord, RunRecord, TrainingRecord, write_run
from vaswani.training.checkpointing.averaging import average_weights, moving
from vaswani.training.checkpointing.checkpoints import seal
from vaswani.translation.translate import translate

MakeModel = Callable[..., Any]

STEPS = (10, 20, 30, 40)
BLEU = {10: 31.0, 20: 12.0, 40: 25.5}
"""Validation of the checkpoints but one, and of a step at which nothing was saved."""


@pytest.fixture(scope="module")
def finished(
    talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run as training leaves it, but for what is only needed to go on."""
    run = tmp_path_factory.mktemp("runs") / "toy"
    for step in STEPS:
        folder = run / f"checkpoint-{step}"
        model = talker(step).float()
        model.generation_config.num_beams = 3
        model.save_pretrained(folder)
        toy_tokenizer.save_pretrained(folder)
        history = [
            {"step": at, "eval_bleu": bleu, "eval_f1": -bleu, "eval_loss": -bleu, "eval_perplexity": 1.0}
            for at, bleu in (*BLEU.items(), (25, 99.0))
        ]
        state = json.dumps({"log_history": [each for each in history if each["step"] <= step]})
        (folder / "trainer_state.json").write_text(state)
        seal(folder)
    return run


def double(run: Path, shares: dict[int, float]) -> dict[str, Tensor]:
    """The weighted mean in float64."""
    parts = {step: load_file(run / f"checkpoint-{step}" / "model.safetensors") for step in shares}
    total = sum(shares.values())
    return {
        name: torch.stack([parts[step][name].double() * share / total for step, share in shares.items()]).sum(0)
        for name in parts[max(shares)]
    }


CHOICES: list[tuple[list[str], dict[int, float]]] = [
    (["--last", "3"], {20: 1, 30: 1, 40: 1}),
    (["--best", "2"], {10: 1, 40: 1}),
    (["--best", "2", "--metric", "loss"], {10: 1, 40: 1}),
    (["--best", "2", "--metric", "f1"], {20: 1, 40: 1}),
    (["--best", "2", "--metric", "perplexity"], {10: 1, 40: 1}),  # it is the same in all: the loss decides
    (["--best", "1", "--ema", "0.3"], {10: 1}),
    (["--last", "4", "--ema", "0.5"], {10: 1 / 8, 20: 1 / 4, 30: 1 / 2, 40: 1}),
]


@pytest.mark.parametrize(("asked", "shares"), CHOICES, ids=[" ".join(asked) for asked, _ in CHOICES])
def test_the_mean_of_what_was_chosen(
    finished: Path, tmp_path: Path, asked: list[str], shares: dict[int, float]
) -> None:
    out = tmp_path / "mean"
    assert main(["average", str(finished), *asked, "--output", str(out)]) == 0
    found, expected = load_file(out / "model.safetensors"), double(finished, shares)
    assert found.keys() == expected.keys()
    for name, weight in found.items():
        assert weight.dtype == torch.float32
        torch.testing.assert_close(weight.double(), expected[name], rtol=1e-6, atol=1e-7)
    record = json.loads((out / "average.json").read_text())
    assert [each["checkpoint"] for each in record] == [str(finished / f"checkpoint-{step}") for step in shares]
    assert [each["share"] for each in record] == pytest.approx([n / sum(shares.values()) for n in shares.values()])
    if asked == ["--best", "2"]:
        assert [each["validation_bleu"] for each in record] == [31.0, 25.5]


def test_the_average_is_a_model_for_everyone(
    finished: Path, toy_tokenizer: PreTrainedTokenizerFast, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here and in a process without this package; the three uses of the embeddings are one table."""
    out, lines = tmp_path / "mean", ["the cat", "x y"]
    assert main(["average", str(finished), "--last", "2", "--output", str(out)]) == 0
    assert f"50.0%  {finished / 'checkpoint-30'}\n 50.0%  {finished / 'checkpoint-40'}\n" in capsys.readouterr().out
    model = AutoModelForSeq2SeqLM.from_pretrained(out)
    assert model.generation_config.num_beams == 3
    assert model.model.encoder.tokens.weight is model.model.tokens.weight is model.model.decoder.tokens.weight
    tables = [w for w in load_file(out / "model.safetensors").values() if len(w) == len(toy_tokenizer)]
    assert [torch.equal(table, model.model.tokens.weight) for table in tables] == [True]
    assert type(AutoModel.from_pretrained(out)).__name__ == "VaswaniModel"
    expected = translate(model, toy_tokenizer, lines, num_beams=3)
    assert len(set(expected)) == 2
    script = (
        "import sys; sys.modules['vaswani'] = None\n"
        "from transformers import pipeline\n"
        "translate = pipeline('translation', model=sys.argv[1], trust_remote_code=True)\n"
        "print(*(each['translation_text'] for each in translate(sys.argv[2:])), sep='\\n', end='')\n"
    )
    environment = os.environ | {"HF_MODULES_CACHE": str(tmp_path / "modules"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script, out, *lines], env=environment, cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode() == "\n".join(expected)
    assert AutoTokenizer.from_pretrained(out).get_vocab() == toy_tokenizer.get_vocab()


def test_checkpoints_may_be_named(finished: Path, tmp_path: Path) -> None:
    names = [str(finished / f"checkpoint-{step}") for step in (10, 40)]
    assert main(["average", *names, "--output", str(tmp_path / "mean")]) == 0
    expected = double(finished, {10: 1, 40: 1})
    for name, weight in load_file(tmp_path / "mean" / "model.safetensors").items():
        torch.testing.assert_close(weight.double(), expected[name], rtol=1e-6, atol=1e-7)


def test_models_cut_into_several_files_are_averaged_as_whole_ones(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Transformers cuts up what is large."""
    names = [finished / f"checkpoint-{step}" for step in (10, 40)]
    cut_up = [tmp_path / name.name for name in names]
    for name, folder in zip(names, cut_up, strict=True):
        AutoModelForSeq2SeqLM.from_pretrained(name).save_pretrained(folder, max_shard_size="20KB")
        AutoTokenizer.from_pretrained(name).save_pretrained(folder)
        assert len(list(folder.glob("model-*-of-*.safetensors"))) > 1
    for folders, mean in ((names, "of whole"), (cut_up, "of cut up")):
        assert main(["average", *map(str, folders), "--output", str(tmp_path / mean)]) == 0
    whole, other = (load_file(tmp_path / mean / "model.safetensors") for mean in ("of whole", "of cut up"))
    torch.testing.assert_close(other, whole, rtol=0, atol=0)
    index = cut_up[1] / "model.safetensors.index.json"
    index.write_text("{}")
    assert main(["average", *map(str, cut_up), "--output", str(tmp_path / "none")]) == 2
    assert f"{index} is damaged ('weight_map'); copy it again" in capsys.readouterr().err


def test_what_cannot_be_averaged_is_told_and_nothing_is_written(
    finished: Path, talker: MakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = tmp_path / "run", tmp_path / "mean"
    shutil.copytree(finished, run)
    weights = run / "checkpoint-20" / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    shutil.copytree(finished / "checkpoint-40", unsealed := tmp_path / "unsealed")
    (unsealed / "manifest.json").unlink()
    talker(d_ff=48).save_pretrained(other := tmp_path / "other")
    good = run / "checkpoint-10"
    for asked, message in (
        ([run], "has 4, and 5 cannot be averaged; choose from 1 to that number"),
        ([run, "--best", "4"], "has 4 checkpoint(s), and validation bleu of 3, and 4 cannot be averaged"),
        ([run, "--last", "3"], "checkpoint-20 cannot be trusted: model.safetensors was changed after it was saved"),
        ([run, "--best", "3"], "checkpoint-20 cannot be trusted"),
        ([good, unsealed], "unsealed cannot be trusted: it was not saved to the end"),
        ([good, other], f"{other} has d_ff 48 and {good} has 32"),
        ([good, "--last", "2"], "name the run, or leave them out"),
        ([tmp_path / "none"], "none is not a folder"),
        ([unsealed.parent], "has 0, and 5 cannot be averaged"),
        ([good, "--output", other], f"{other} exists already"),
    ):
        assert main(["average", "--output", str(out), *map(str, asked)]) == 2, asked
        assert message in capsys.readouterr().err
        assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "run", "unsealed"]


def test_the_best_is_not_taken_for_one_of_the_last(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of four that lie there, three were kept as the last; the record is that of a run."""
    run = shutil.copytree(finished, tmp_path / "run")
    training = TrainingRecord(40, 4, 1e-3, seed=1, batches_per_step=1, save_total_limit=3)
    record = RunRecord(
        command="python recipe.py",
        model=NetworkRecord(280, 16, 32, 2, 1, 1),
        data=DataRecord("en-de"),
        training=training,
        versions={},
    )
    write_run(run, record)
    assert main(["average", str(run), "--last", "4", "--output", str(tmp_path / "four")]) == 2
    assert (
        "--save_total_limit 3, and its last 4 checkpoints cannot be averaged: give --last 3" in capsys.readouterr().err
    )
    assert main(["average", str(run), "--last", "3", "--output", str(tmp_path / "three")]) == 0
    write_run(run, replace(record, training=replace(training, save_total_limit=None)))
    assert main(["average", str(run), "--last", "4", "--output", str(tmp_path / "four")]) == 0


@pytest.mark.parametrize(("spoil", "words"), [("heads", "has num_heads 4 and "), ("words", "has another vocabulary")])
def test_models_of_like_shapes_that_are_not_alike_are_not_averaged(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: str, words: str
) -> None:
    one, other = finished / "checkpoint-10", shutil.copytree(finished / "checkpoint-20", tmp_path / "other")
    (other / "manifest.json").unlink()
    (other / "trainer_state.json").unlink()
    if spoil == "heads":
        config = json.loads((other / "config.json").read_text())
        (other / "config.json").write_text(json.dumps(config | {"num_heads": 4, "d_k": 4, "d_v": 4}))
    else:
        text = "the cat sat on the mat and the dog sat by the floor"
        learn_tokenizer([text] * 3, 280, show_progress=False).save_pretrained(other)
    assert main(["average", str(one), str(other), "--output", str(tmp_path / "out")]) == 2
    assert words in capsys.readouterr().err


def test_half_precision_is_summed_in_float32(tmp_path: Path) -> None:
    """Fifty checkpoints in bfloat16: the mean is the exact one, rounded once."""
    torch.manual_seed(0)
    stack = (1 + torch.rand(50, 300)).bfloat16()
    for number, row in enumerate(stack):
        (tmp_path / str(number)).mkdir()
        save_file({"w": row.clone()}, tmp_path / str(number) / "model.safetensors")
    mean = average_weights([tmp_path / str(number) for number in range(50)])["w"]
    assert mean.dtype == torch.bfloat16
    assert (mean.double() - stack.double().mean(0)).abs().max() <= 2**-8 + 1e-6  # half of what lies between two numbers


@given(decay=st.floats(0.01, 0.99), values=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=12))
def test_shares_are_those_of_a_moving_average_without_bias(decay: float, values: list[float]) -> None:
    """As Adam keeps its moments: from zero, then divided by what a series of ones would have come to."""
    average = ones = 0.0
    for value in values:
        average = decay * average + (1 - decay) * value
        ones = decay * ones + (1 - decay)
    shares = moving(len(values), decay)
    found = sum(share * value for share, value in zip(shares, values, strict=True)) / sum(shares)
    assert found == pytest.approx(average / ones, rel=1e-9, abs=1e-6)
