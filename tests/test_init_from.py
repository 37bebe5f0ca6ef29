"""A run that starts from a model has its network, weights and vocabulary, and looks at it once alone."""

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from forked_python import ForkedPopen
from safetensors.torch import load_file, save_file
from test_experiment import FLAGS, ROOT, TINY, one_thread, recipe, run, toy_text
from transformers import AutoTokenizer, MarianConfig, MarianMTModel

from vaswani.commands import main
from vaswani.data.tokenizer import learn_tokenizer
from vaswani.experiment.parent import SLOWEST, find_parent, last_learning_rate, load_weights_of, suitable_rate
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.publishing.run_record import read_run

Model = Callable[..., VaswaniForConditionalGeneration]
NETWORK = ("vocab_size", "d_model", "d_ff", "num_heads", "encoder_layers", "decoder_layers")
WITHOUT_NETWORK = [
    word for name, value in FLAGS.items() if name not in (*NETWORK, "peak_learning_rate", "warmup_steps")
    for word in (f"--{name}", str(value))
]  # fmt: skip


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_text(tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="module")
def parent(text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 150 steps, pre-norm, whose recipe has another network."""
    folder = tmp_path_factory.mktemp("runs") / "parent"
    schedule = ["--max_steps", "150", "--eval_steps", "150", "--save_steps", "150", "--norm", "pre"]
    run("--data_dir", text, "--direction", "en-nds", "--output_dir", folder, *TINY, *schedule)
    return folder


def flags(text: Path, folder: Path, parent: Path, steps: int = 20) -> list[str]:
    every = ["--eval_steps", str(steps), "--save_steps", "10", "--logging_steps", "5", "--average_checkpoints", "1"]
    of_run = ["--data_dir", str(text), "--direction", "en-nds", "--output_dir", str(folder), "--init_from", str(parent)]
    return [*of_run, *WITHOUT_NETWORK, *every, "--max_steps", str(steps)]


def saved(model: Any, tokenizer: Any, folder: Path) -> str:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def child(text: Path, parent: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("runs") / "child"
    return folder, run(*flags(text, folder, parent)).stdout


@pytest.mark.slow
def test_it_begins_where_its_parent_ended(child: tuple[Path, str], parent: Path) -> None:
    folder, said = child
    assert f"Starting from {parent}: vocab_size 300, d_model 48, d_ff 96" in said
    rate = 8e-3 * (60 / 150) ** 0.5
    assert f"Learning rate: at most {rate:.2e}, at which that model was last trained, after 1 steps" in said
    config = VaswaniConfig.from_pretrained(folder)
    assert (config.norm, config.d_model, config.vocab_size) == ("pre", 48, 300)
    assert (folder / "tokenizer.json").read_bytes() == (parent / "tokenizer.json").read_bytes()
    before, after = (json.loads((each / "history.json").read_text()) for each in (parent, folder))
    first, last = (next(log["loss"] for log in logs if "loss" in log) for logs in (before, after))
    reached = [log["loss"] for log in before if "loss" in log][-1]
    assert last < (first + reached) / 4  # the first steps of a new network lose far more
    assert after[0]["step"] == 5
    record = read_run(folder)
    assert record.parent is not None
    assert (record.parent.given, record.parent.commit) == (str(parent), None)
    assert record.parent.last_learning_rate == pytest.approx(rate)
    assert record.training.peak_learning_rate == pytest.approx(rate)
    assert record.model.norm == "pre"


@pytest.mark.slow
def test_the_rate_of_a_checkpoint_or_an_average_is_that_of_its_runs(parent: Path, tmp_path: Path) -> None:
    rate = 8e-3 * (60 / 150) ** 0.5
    checkpoint = shutil.copytree(parent / "checkpoint-150", tmp_path / "run" / "checkpoint-75")
    shutil.copy(parent / "run.json", checkpoint.parent)
    assert last_learning_rate(parent / "checkpoint-150") == pytest.approx(rate)
    assert last_learning_rate(checkpoint) == pytest.approx(8e-3 * (60 / 75) ** 0.5)
    assert main(["average", str(parent), str(checkpoint), "--output", str(tmp_path / "mean")]) == 0
    shutil.rmtree(checkpoint.parent)
    assert last_learning_rate(tmp_path / "mean") == pytest.approx(rate)
    (tmp_path / "mean" / "runs.json").unlink()
    assert last_learning_rate(tmp_path / "mean") is None


@pytest.mark.slow
def test_killed_it_resumes_to_the_same_bits_without_its_parent(
    text: Path,
    parent: Path,
    tmp_path: Path,
) -> None:
    """By SIGKILL once a checkpoint is sealed; then the parent's folder is gone."""
    gone = shutil.copytree(parent, tmp_path / "parent")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run(*flags(text, whole, gone))
    command = recipe(*flags(text, cut, gone, steps=20))
    with ForkedPopen[bytes](command, env=one_thread(), stdout=subprocess.DEVNULL) as started:
        while not (cut / "checkpoint-10" / "manifest.json").exists() and started.poll() is None:
            time.sleep(0.01)
        started.send_signal(signal.SIGKILL)
    shutil.rmtree(gone)
    if not (cut / "metrics.json").exists():
        done = run(*flags(text, cut, gone), "--resume")
        assert "Resuming from checkpoint-" in done.stdout
        assert "Starting from" not in done.stdout
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (cut, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.slow
def test_ended_before_its_first_checkpoint_it_asks_for_the_same_parent(
    text: Path, talker: Model, toy_tokenizer: Any, tmp_path: Path
) -> None:
    given, folder = saved(talker().float(), toy_tokenizer, tmp_path / "parent"), tmp_path / "run"
    command = recipe(*flags(text, folder, Path(given)), "--save_steps", "20")
    with ForkedPopen[bytes](command, env=one_thread(), stdout=subprocess.DEVNULL) as started:
        while not (folder / "run.json").exists() and started.poll() is None:
            time.sleep(0.01)
        started.send_signal(signal.SIGKILL)
    assert not list(folder.glob("checkpoint-*/manifest.json"))
    saved(talker(seed=1).float(), toy_tokenizer, tmp_path / "parent")
    done = run(*flags(text, folder, Path(given)), "--resume", check=False)
    assert done.returncode == 2
    assert "has other weights than when this run began" in done.stderr
    saved(talker().float(), toy_tokenizer, tmp_path / "parent")
    assert "starting anew" in run(*flags(text, folder, Path(given)), "--resume").stdout


@pytest.mark.slow
def test_a_resume_from_another_parent_is_refused(text: Path, parent: Path, child: tuple[Path, str]) -> None:
    folder, _ = child
    again = flags(text, folder, parent, steps=30)
    for changes, what in (
        ([*again, "--init_from", str(parent.parent)], f"the run was started from {parent}, and --init_from is"),
        (again[: again.index("--init_from")] + again[again.index("--init_from") + 2 :], "and --init_from is left out"),
        ([*again, "--new_vocabulary"], "--new_vocabulary was false and is true"),
    ):
        done = run(*changes, "--resume", check=False)
        assert done.returncode == 2
        assert what in done.stderr
    done = run(*flags(text, parent, folder, steps=200), "--resume", check=False)
    assert done.returncode == 2
    assert "the run was started anew, and --init_from is" in done.stderr


@pytest.mark.slow
def test_flags_that_contradict_the_parent_are_refused_by_name(text: Path, parent: Path, tmp_path: Path) -> None:
    for more, what in (
        (["--d_model", "64", "--norm", "post"], "than --d_model 64 (there: 48), --norm post (there: pre); leave them"),
        (["--vocab_size", "290"], "than --vocab_size 290 (there: 300); leave them out, or for another vocabulary add"),
        (["--user_tokens", "<2de>"], "than --user_tokens <2de> (there: not in its vocabulary); leave them out, or"),
        (["--init_from", str(tmp_path / "none")], "is not a folder; a model is a folder with"),
    ):
        done = run(*flags(text, tmp_path / "run", parent), *more, check=False)
        assert done.returncode == 2, more
        assert what in done.stderr
        assert "step " not in done.stdout
    done = run("--data_dir", text, "--output_dir", tmp_path / "run", *TINY, "--new_vocabulary", check=False)
    assert "--new_vocabulary is only for a run that starts from a model" in done.stderr


@pytest.mark.slow
def test_another_vocabulary_keeps_what_both_have(text: Path, parent: Path, tmp_path: Path) -> None:
    more = ["--new_vocabulary", "--vocab_size", "280", "--dropout", "0.1", "--peak_learning_rate", "1e-9"]
    done = run(*flags(text, tmp_path / "run", parent, steps=10), *more)
    old, new = (AutoTokenizer.from_pretrained(folder).get_vocab() for folder in (parent, tmp_path / "run"))
    shared = old.keys() & new.keys()
    assert len(new) == 280
    assert f"280 tokens: {len(shared)} as in {parent}, {280 - len(shared)} drawn anew" in done.stdout
    tables = [load_file(folder / "model.safetensors")["model.tokens.weight"] for folder in (parent, tmp_path / "run")]
    for token in shared:
        torch.testing.assert_close(tables[1][new[token]], tables[0][old[token]], atol=1e-5, rtol=0)
    assert VaswaniConfig.from_pretrained(tmp_path / "run").dropout == 0.1


def test_the_weights_are_the_parent_s_and_tokens_keep_their_rows(
    talker: Model, toy_tokenizer: Any, tmp_path: Path
) -> None:
    theirs = talker().float()
    given = saved(theirs, toy_tokenizer, tmp_path / "parent")
    found = find_parent(given, is_vocabulary_kept=True)
    ours = talker(seed=1).float()
    carried = load_weights_of(found.record, ours, toy_tokenizer)
    assert carried == (len(toy_tokenizer), 0)
    assert all(torch.equal(weight, ours.state_dict()[name]) for name, weight in theirs.state_dict().items())

    other = learn_tokenizer(["a bird sang on the mat and the dog slept by the sea"] * 3, 275, show_progress=False)
    new = talker(seed=2, vocab_size=len(other)).float()
    drawn = new.model.tokens.weight.detach().clone()
    carried = load_weights_of(replace(found.record, is_vocabulary_new=True), new, other)
    table, there = new.model.tokens.weight, toy_tokenizer.get_vocab()
    assert carried.copied + carried.drawn == len(other)
    assert 260 <= carried.copied < len(other)
    for token, row in other.get_vocab().items():
        expected = theirs.model.tokens.weight[there[token]] if token in there else drawn[row]
        assert torch.equal(table[row], expected), token
    assert new.lm_head.weight is table
    assert torch.equal(
        new.model.encoder.layers[0].feed_forward.w_1.weight, theirs.model.encoder.layers[0].feed_forward.w_1.weight
    )


def test_a_parent_that_has_changed_is_refused(talker: Model, toy_tokenizer: Any, tmp_path: Path) -> None:
    given = saved(talker().float(), toy_tokenizer, tmp_path / "parent")
    record = find_parent(given, is_vocabulary_kept=True).record
    saved(talker(seed=1).float(), toy_tokenizer, tmp_path / "parent")
    with pytest.raises(ValueError, match="has other weights than when this run began"):
        load_weights_of(record, talker(seed=2).float(), toy_tokenizer)


def test_parents_that_cannot_be_are_refused_in_a_line(talker: Model, toy_tokenizer: Any, tmp_path: Path) -> None:
    saved(talker(vocab_size=290), toy_tokenizer, tmp_path / "sizes")
    config = MarianConfig(vocab_size=280, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
                          decoder_attention_heads=2, encoder_ffn_dim=8, decoder_ffn_dim=8, pad_token_id=1)  # fmt: skip
    saved(MarianMTModel(config), toy_tokenizer, tmp_path / "marian")
    saved(talker(eos_token_id=5), toy_tokenizer, tmp_path / "end")
    given = saved(talker(), toy_tokenizer, tmp_path / "half")
    weights = load_file(Path(given) / "model.safetensors")
    weights.popitem()
    save_file(weights, Path(given) / "model.safetensors", {"format": "pt"})
    for name, what in (
        ("sizes", "its network has 290 tokens and its tokenizer 280; put both from one model there, or add --new_voc"),
        ("marian", "holds a network of the type marian; vaswani import"),
        ("end", r"its tokenizer ends a sentence with token \[3\] and pads with 1, its network with 5 and 1"),
    ):
        with pytest.raises(ValueError, match=what):
            find_parent(str(tmp_path / name), is_vocabulary_kept=True)
    record = find_parent(given, is_vocabulary_kept=True).record
    with pytest.raises(ValueError, match="the file lacks"):
        load_weights_of(record, talker(), toy_tokenizer)


def test_the_rate_is_the_parent_s_last() -> None:
    assert suitable_rate(3e-4)[0] == 3e-4
    assert suitable_rate(1e-7)[0] == SLOWEST
    assert suitable_rate(None)[0] > SLOWEST


def test_plan_and_inspect_go_by_the_parent(
    talker: Model,
    toy_tokenizer: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The plan has the parent's parameters; the text is cut by its tokenizer."""
    monkeypatch.chdir(tmp_path)
    theirs = talker().float()
    given = saved(theirs, toy_tokenizer, tmp_path / "parent")
    text = toy_text(tmp_path)
    chosen = ["--data_dir", str(text), "--direction", "en-nds", "--init_from", given, "--output_dir", "none"]
    recipe_file = str(ROOT / "recipes" / "multi30k.py")
    assert main(["plan", recipe_file, *chosen, "--bf16", "false"]) == 0
    assert f"{theirs.num_parameters():,}" in capsys.readouterr().out
    assert main(["inspect", recipe_file, *chosen, "--test_splits", "test_toy", "--validation_split", "val"]) == 0
    told = capsys.readouterr().out
    assert "pairs kept" in told
    assert "Learning" not in told  # a vocabulary of its own
