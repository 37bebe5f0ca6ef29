"""`vaswani plan` of a text: settings with reasons, the time measured here, and a command that runs as it stands."""

import json
import math
import os
import random
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_language import sentence

from vaswani.commands import main
from vaswani.commands.plan import vehicle
from vaswani.commands.recipe import read_recipe
from vaswani.experiment.guidance import guide
from vaswani.experiment.settings import (
    GRAMMAR,
    TASKS,
    Proposal,
    as_measured,
    place,
    propose,
    round_readably,
    schedule,
    steps_of,
)

ROOT = Path(__file__).resolve().parents[1]
QUICKLY = ["--seconds", "0.01"]
TINY = {"d_model": 16, "d_ff": 32, "num_heads": 2, "encoder_layers": 1, "decoder_layers": 1, "norm": "post"}
FLAGS = [word for name, value in TINY.items() for word in (f"--{name}", str(value))]


def write(folder: Path, split: str, pairs: int, seed: int = 1) -> None:
    draw = random.Random(seed)
    texts = [sentence(draw) for _ in range(pairs)]
    for side, language in enumerate(("en", "nds")):
        (folder / f"{split}.{language}").write_text("".join(f"{pair[side]}\n" for pair in texts), encoding="utf-8")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text") / "my text"
    folder.mkdir()
    for split, pairs in (("train", 3000), ("val", 20), ("test_toy", 20)):
        write(folder, split, pairs)
    return folder


@pytest.fixture
def planned(text: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return `planned(*flags)`: what is said of a text."""

    def plan(*flags: str, folder: Path = text) -> str:
        code = main(["plan", *QUICKLY, "--data_dir", str(folder), "--direction", "en-nds", *flags])
        said = capsys.readouterr()
        assert code == 0, said.err
        return said.out

    return plan


def command_of(said: str) -> list[str]:
    """Return the words of the command, as a shell takes them."""
    return shlex.split(said.split("To train:\n\n")[1].replace("\\\n", " "))


def flat(said: str) -> str:
    return " ".join(said.split())


# The table


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_text_of_the_size_of_a_task_gets_its_settings(task: object) -> None:
    assert any(task is each for each in TASKS)
    found = propose(task.pairs)  # type: ignore[attr-defined]
    assert found.network == as_measured(task).network  # type: ignore[arg-type]
    assert found.epochs == pytest.approx(task.epochs, rel=0.01)  # type: ignore[attr-defined]
    assert (found.nearest, found.place) == (task, None)


def test_the_rows_are_what_recipes_and_reports_say() -> None:
    """The recipes are the settings that were measured; a change of one has to be made here too."""
    for task, name in ((TASKS[0], "multi30k"), (TASKS[2], "wmt14_base"), (GRAMMAR, "quickstart")):
        recipe = read_recipe(ROOT / "recipes" / f"{name}.py")
        base = {
            "vocab_size": 37_000,
            "d_model": 512,
            "d_ff": 2048,
            "num_heads": 8,
            "encoder_layers": 6,
            "decoder_layers": 6,
            "dropout": 0.1,
            "label_smoothing": 0.1,
        }
        assert as_measured(task).network == base | recipe.model
        assert task.tokens_per_batch == recipe.data["tokens_per_batch"]
        assert task.batches_per_step == recipe.training.get("batches_per_step", 1)
        assert task.warmup_steps == recipe.training["warmup_steps"]
        rate = recipe.training.get("peak_learning_rate", (512 * 4000) ** -0.5)
        assert task.peak_learning_rate == pytest.approx(rate, rel=0.002)
        assert task.evaluations == recipe.training["max_steps"] / recipe.training["eval_steps"]
    for task in (*TASKS, GRAMMAR):
        for name in (word.strip("();,") for word in f"{task.source} {task.result}".split() if "docs/" in word):
            assert (ROOT / name).is_file()


def test_the_guide_has_the_same_table() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:2] == "| "][1:]
    assert len(rows) == len(TASKS)
    for row, task in zip(rows, TASKS, strict=True):
        net = task.network
        size = f"{net['d_model']}, {net['d_ff']:,}, {net['num_heads']} heads, {net['encoder_layers']} + "
        norm = f", norm {net['norm']}" if "norm" in net else ""
        tokens = task.tokens_per_batch * task.batches_per_step
        assert row[:4] == [task.name, f"{task.pairs:,}", f"{size}{net['decoder_layers']}{norm}", f"{task.vocab_size:,}"]
        assert [float(row[4]), int(row[7])] == [task.dropout, task.epochs]
        assert row[5:7] == [
            f"{task.peak_learning_rate:.0e}".replace("e-0", "e-") + f", {task.warmup_steps:,}",
            f"{tokens:,}",
        ]


@given(st.integers(0, 10**9), st.floats(0.01, 1e6))
def test_of_any_size_the_settings_can_be_trained(pairs: int, steps_an_epoch: float) -> None:
    found = propose(pairs)
    low, high = min(task.dropout for task in TASKS), max(task.dropout for task in TASKS)
    assert low <= found.network["dropout"] <= high
    assert 1_000 <= found.network["vocab_size"] <= TASKS[-1].vocab_size
    of = schedule(found, steps_of(found, steps_an_epoch))
    assert of["max_steps"] % of["eval_steps"] == 0
    assert of["eval_steps"] % of["save_steps"] == 0
    assert 1 <= of["warmup_steps"] <= max(1, of["max_steps"] / 4)
    assert (of["max_steps"] + of["eval_steps"]) / max(steps_of(found, steps_an_epoch), 2) >= 0.9


@given(st.integers(1, 10**8), st.integers(1, 10**8))
def test_more_pairs_ask_for_no_more_dropout_and_no_fewer_symbols(one: int, other: int) -> None:
    small, large = propose(min(one, other)), propose(max(one, other))
    assert small.network["dropout"] >= large.network["dropout"]
    assert small.network["vocab_size"] <= large.network["vocab_size"]
    assert small.epochs >= large.epochs
    assert small.nearest.pairs <= large.nearest.pairs


def test_where_nothing_was_measured_that_is_said() -> None:
    assert place(29_500) is None
    assert place(5_000) == "below Multi30k (29,000 pairs)"
    assert place(80_000) == "between Multi30k (29,000 pairs) and IWSLT14 (160,000 pairs)"
    assert place(40_000_000) == "above WMT14 en-de (4,500,000 pairs)"
    middle = round(math.sqrt(TASKS[1].pairs * TASKS[2].pairs))
    assert propose(middle).network["dropout"] == 0.2  # half-way between 0.3 and 0.1


def test_numbers_that_are_easy_to_read() -> None:
    numbers = [round_readably(number) for number in (0, 1, 3.2, 11, 233, 498, 4_990, 95_000)]
    assert numbers == [2, 2, 4, 10, 240, 500, 5_000, 100_000]


# The look at a text


@pytest.mark.slow
def test_the_command_runs_as_it_stands(text: Path, planned: Callable[..., str], tmp_path: Path) -> None:
    """Typed into a shell, with fewer steps than were proposed and nothing else."""
    said = planned(*FLAGS, "--output_dir", str(tmp_path / "a run"))
    command = said.split("To train:\n\n")[1].rstrip("\n")
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", f"{command} --max_steps 4 --eval_steps 4 --save_steps 2 --report_to none"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-3000:]
    record = json.loads((tmp_path / "a run" / "run.json").read_text(encoding="utf-8"))
    assert record["data"]["data_dir"] == str(text)
    assert record["data"]["direction"] == "en-nds"
    assert record["model"] | TINY == record["model"]
    assert record["model"]["dropout"] == propose(3000).network["dropout"]
    assert record["training"]["peak_learning_rate"] == TASKS[0].peak_learning_rate
    assert "sacrebleu" in json.loads((tmp_path / "a run" / "metrics.json").read_text(encoding="utf-8"))["test"]["test"]


def test_what_the_user_gave_is_kept_and_said_to_be(planned: Callable[..., str]) -> None:
    said = planned(*FLAGS, "--dropout=0.4", "--max_steps", "50")
    words = command_of(said)
    assert "--dropout=0.4" in words
    assert "--dropout" not in words
    assert words.count("--d_model") == words.count("--max_steps") == 1
    assert "dropout 0.4 as you gave it" in flat(said)
    assert "steps 50: " in flat(said)
    assert int(words[words.index("--eval_steps") + 1]) <= 50


def test_every_setting_has_a_reason_and_a_source(planned: Callable[..., str]) -> None:
    said = flat(planned(*FLAGS))
    for name in ("network", "vocabulary", "dropout", "label smoothing", "rate", "batch", "steps", "validation"):
        assert f" {name} " in said
    assert "Its size is below Multi30k (29,000 pairs), where nothing was measured" in said
    assert TASKS[0].source in said
    assert "validation: 20 pairs" in said
    assert "3,000 pairs kept, 0 dropped" in said


def test_time_is_that_of_steps_on_this_text(text: Path) -> None:
    found = guide(read_recipe(vehicle()), ["--data_dir", str(text), "--direction", "en-nds", *FLAGS], 0.01)
    assert found.timing is not None
    assert found.timing.batches >= 1
    assert found.timing.share > 0
    assert found.seconds_a_step is not None
    assert found.seconds is not None
    assert found.seconds_of_validation is not None
    training = found.arguments.training
    assert found.seconds == pytest.approx(
        training.max_steps * found.seconds_a_step
        + training.max_steps / float(training.eval_steps or 1) * found.seconds_of_validation
    )
    assert found.text.pairs == 3000
    whole = found.text.tokens[1] * found.text.pairs
    assert found.target_tokens_a_step * found.steps_an_epoch == pytest.approx(whole)


def test_nothing_is_measured_if_nothing_was_asked_for(planned: Callable[..., str]) -> None:
    said = planned(*FLAGS, "--seconds", "0", "--gpus", "2", "--peak_tflops", "100", "--price_per_gpu_hour", "3")
    assert "Not measured on this machine" in said
    assert "On 2 GPU(s) of 100 TFLOP/s at 40%: 0.0 minutes, 0.00 at 3 a GPU-hour" in said


def test_of_a_large_text_a_part_is_looked_at(planned: Callable[..., str], text: Path) -> None:
    said = planned(*FLAGS, "--window_groups", "1")
    assert "(a part; in all about 3,000 pairs are kept): 1,000 pairs kept" in said
    flags = ["--data_dir", str(text), "--direction", "en-nds", "--tokens_per_batch", "2048"]
    whole = guide(read_recipe(vehicle()), flags, 0)
    part = guide(read_recipe(vehicle()), [*flags, "--window_groups", "1"], 0)
    assert part.steps_an_epoch == pytest.approx(whole.steps_an_epoch, rel=0.25)
    assert not part.text.is_whole


def test_a_tiny_text_is_told_that_nothing_comes_of_it(planned: Callable[..., str], tmp_path: Path) -> None:
    for split, pairs in (("train", 40), ("val", 3), ("test", 3)):
        write(tmp_path, split, pairs)
    said = flat(planned(*FLAGS, folder=tmp_path))
    assert "40 pairs are too few: any network learns them by heart" in said
    assert "(this text gives " in said
    assert "To train:" in said


def test_without_a_validation_set_the_way_to_one_can_be_typed(planned: Callable[..., str], tmp_path: Path) -> None:
    folder = tmp_path / "my text"
    folder.mkdir()
    write(folder, "train", 100)
    said = planned(*FLAGS, folder=folder)
    assert "To train:" not in said
    assert 'has no split "validation"' in flat(said)
    *made, again = said.split("in a new folder:\n\n")[1].strip().splitlines()
    subprocess.run(["bash", "-ec", "\n".join(made)], check=True)
    before = [(folder / f"train.{side}").read_text(encoding="utf-8") for side in ("en", "nds")]
    new = tmp_path / "my text-split"
    for side, whole in zip(("en", "nds"), before, strict=True):
        parts = [(new / f"{split}.{side}").read_text(encoding="utf-8") for split in ("train", "validation")]
        assert "".join(parts) == whole
        assert [part.count("\n") for part in parts] == [95, 5]
    assert shlex.split(again)[1:] == ["plan", "--data_dir", str(new), "--direction", "en-nds"]
    assert "no test set: the command scores the validation set" in flat(planned(*FLAGS, folder=new))


def test_test_sets_are_found(planned: Callable[..., str], text: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(text, tmp_path / "two")
    write(folder, "test_other", 5)
    words = command_of(planned(*FLAGS, folder=folder))
    at = words.index("--test_splits")
    assert words[at : at + 3] == ["--test_splits", "test_other", "test_toy"]
    assert "--test_splits" not in command_of(planned(*FLAGS))
    for side in ("en", "nds"):
        for name in ("test_other", "test_toy"):
            (folder / f"{name}.{side}").unlink()
    words = command_of(planned(*FLAGS, folder=folder))
    assert words[words.index("--test_splits") + 1] == "validation"


def test_a_run_does_not_meet_the_folder_of_another(
    planned: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = command_of(planned(*FLAGS))
    assert words[words.index("--output_dir") + 1] == "runs/my-text-en-nds"
    (tmp_path / "runs" / "my-text-en-nds").mkdir(parents=True)
    words = command_of(planned(*FLAGS))
    assert words[words.index("--output_dir") + 1] == "runs/my-text-en-nds-2"


def test_a_run_of_more_than_a_day_is_told_with_what_fits(planned: Callable[..., str]) -> None:
    flags = shlex.split("--d_model 512 --d_ff 16 --encoder_layers 1 --decoder_layers 1 --max_steps 100000000")
    said = flat(planned(*flags))
    assert "That is more than a day:" in said
    assert "a day is --max_steps " in said
    assert "Multi30k's network (--d_model 128 --d_ff 256" in said
    assert "On 1 GPU(s) of 989 TFLOP/s at 40%" in said


@pytest.mark.slow
def test_the_built_in_grammar_has_the_quickstarts_settings() -> None:
    found = guide(read_recipe(vehicle()), ["--dataset", "grammar", "--tokenizer_pairs", "1000"], 0)
    assert found.proposal == as_measured(GRAMMAR)
    assert found.arguments.training.max_steps == pytest.approx(1800, rel=0.2)  # by the tokens of few sentences
    assert found.arguments.data.direction == "en-de"  # and not that of the recipe that the command starts


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ([], "there is nothing to plan. Give a recipe"),
        (["--direction", "en-de"], "there is nothing to plan"),
        (["--data_dir", "x", "--init_from", "runs/mine"], "--init_from has one; give a recipe"),
        (["--data_dir", "nowhere", "--direction", "en-de"], "nowhere is not a folder"),
        (["--data_dir", ".", "--direction", "en-en"], "two languages joined by a hyphen are needed"),
        (["--data_dir", ".", "--direction", "en-trees"], "settings are proposed for translation"),
        (["--pair_tokens", "5", "--data_dir", "."], "--pair_tokens is counted"),
        (["."], ". is a folder; give a recipe"),
        (["--seconds", "3", str(ROOT / "recipes/quickstart.py")], "--seconds measures steps on a text"),
    ],
)
def test_what_cannot_be_planned_is_refused(
    flags: list[str], named: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code: object = main(["plan", *flags])
    except SystemExit as refused:  # by the parser
        code = refused.code
    assert code == 2
    assert named in capsys.readouterr().err


def test_one_language_alone_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train.en").write_text("Words.\n")
    assert main(["plan", "--data_dir", str(tmp_path), "--direction", "en-de"]) == 2
    assert "should hold train.en and train.de" in capsys.readouterr().err


def test_flags_of_the_text_come_in_any_order_and_spelling(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for flags in (
        ["--direction", "en-nds", "--data_dir", str(text), *QUICKLY, *FLAGS],
        [f"--data_dir={text}", "--seconds=0", "--direction=en-nds"],
        ["--data-dir", str(text), "--direction", "en-nds", *QUICKLY, *FLAGS],
    ):
        assert main(["plan", *flags]) == 0
        assert "3,000 pairs kept" in capsys.readouterr().out


def test_an_unknown_flag_is_named(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        main(["plan", "--data_dir", str(text), "--direction", "en-nds", "--drop_out", "0.1"])
    assert ending.value.code == 2
    assert "unknown: --drop_out" in capsys.readouterr().err


def test_several_directions_are_planned_as_they_are_trained(text: Path) -> None:
    asked = ["--data_dir", str(text), "--directions", "en-nds", "nds-en"]
    found = guide(read_recipe(vehicle()), [*asked, "--tokenizer_pairs", "1000"], 0)
    assert "direction" not in found.settings
    assert str(found.settings["output_dir"]).endswith("-en-nds+nds-en")
    assert found.text.pairs > guide(read_recipe(vehicle()), [*asked[:2], "--direction", "en-nds"], 0).text.pairs


def test_a_proposal_between_tasks_says_so() -> None:
    assert propose(80_000).is_inside
    assert isinstance(propose(5_000), Proposal)
    assert not propose(5_000).is_inside
