"""A sweep keeps the trials that validation prefers, goes on after any end, and never looks at a test set."""

import json
import math
import os
import re
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forked_python import server
from hypothesis import given
from hypothesis import strategies as st

from vaswani.commands.recipe import read_recipe
from vaswani.data.grammar import GrammarCorpus
from vaswani.experiment import parse
from vaswani.experiment.sweep import main
from vaswani.experiment.sweep.grid import combination, drawn, read_grid, size
from vaswani.experiment.sweep.halving import in_order, kept, next_start, rungs_of
from vaswani.experiment.sweep.record import ResultRecord, SweepRecord, TrialRecord
from vaswani.experiment.sweep.trials import reason_of
from vaswani.plots import TrialCurve, draw_sweep
from vaswani.publishing import read_metrics

ROOT = Path(__file__).resolve().parents[1]
RECIPE, MULTI30K = ROOT / "recipes/sweep.py", ROOT / "recipes/multi30k.py"
SMALL = shlex.split(
    "--direction en-de --vocab_size 300 --d_ff 32 --num_heads 2 --encoder_layers 1 --decoder_layers 1 "
    "--tokens_per_batch 256 --warmup_steps 5 --max_steps 40 --eval_steps 10 --save_steps 10 --logging_steps 10 "
    "--bf16 false --dataloader_num_workers 0 --report_to none --disable_tqdm true"
)
GRID = ["--grid", "d_model=16,32", "peak_learning_rate=1e-4,1e-2", "--halvings", "1"]
"""Four trials, of which the second and the fourth have a rate by which anything is learned in 20 steps."""


@pytest.fixture(scope="module")
def launcher() -> list[str]:
    """The words before a recipe that run it in a process that has imported everything."""
    return server(os.environ | {"OMP_NUM_THREADS": "1"}).words


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the built-in corpus: 500 pairs to train on, six to validate, and a test set that nobody can read."""
    folder = tmp_path_factory.mktemp("text")
    chosen = {
        "train": GrammarCorpus("train").read(0)[:500],
        "validation": sorted(GrammarCorpus("validation").read(0), key=lambda pair: len(pair.source))[:6],
    }
    for split, pairs in chosen.items():
        (folder / f"{split}.en").write_text("".join(f"{pair.source}\n" for pair in pairs), encoding="utf-8")
        (folder / f"{split}.de").write_text("".join(f"{pair.target}\n" for pair in pairs), encoding="utf-8")
    (folder / "test.en").write_bytes(b"\xff\n" * 3)
    (folder / "test.de").write_bytes(b"\xff\n" * 2)
    return folder


class Sweeps:
    """Sweeps in processes of their own, each in a working directory, so that all paths in what they write are alike."""

    def __init__(self, launcher: list[str], text: Path) -> None:
        self.launcher, self.text = launcher, text

    def start(self, where: Path, *flags: str) -> subprocess.Popen[str]:
        own = ["--recipe", str(MULTI30K), "--launcher", shlex.join(self.launcher), "--output_dir", "runs/sweep"]
        return subprocess.Popen(
            [*self.launcher, str(RECIPE), *own, "--data_dir", str(self.text), *SMALL, *flags],
            cwd=where,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __call__(self, where: Path, *flags: str, code: int = 0) -> str:
        """Run one to its end, and return what it said."""
        process = self.start(where, *flags)
        said = process.communicate(timeout=200)[0]
        assert process.returncode == code, said[-3000:]
        return said


@pytest.fixture(scope="module")
def sweeps(launcher: list[str], text: Path) -> Sweeps:
    return Sweeps(launcher, text)


@pytest.fixture(scope="module")
def whole(sweeps: Sweeps, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The working directory of a sweep that nothing interrupted, and what it said."""
    where = tmp_path_factory.mktemp("whole")
    return where, sweeps(where, *GRID)


def read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def without_minutes(table: str) -> str:
    return re.sub(r"\| \d+\.\d (?=\|)", "| ", table)


# --- a sweep that nothing interrupts ---


@pytest.mark.slow
def test_the_better_half_goes_on_and_no_other(whole: tuple[Path, str]) -> None:
    folder = whole[0] / "runs/sweep"
    ranks = {}
    for number in range(1, 5):
        log = read(folder / f"trial-{number:03}" / "history.json")
        figures = [(round(line["eval_bleu"], 2), -line["eval_loss"]) for line in log if line.get("eval_bleu", -1) >= 0]
        ranks[number] = max(figures[:2])  # steps 10 and 20
    best = sorted(ranks, key=lambda number: ranks[number], reverse=True)[:2]
    assert sorted(best) == [2, 4]
    reached = {number: read_metrics(folder / f"trial-{number:03}").steps for number in range(1, 5)}
    assert reached == {1: 20, 2: 40, 3: 20, 4: 40}


@pytest.mark.slow
def test_a_trial_that_goes_on_is_resumed_and_not_begun_anew(whole: tuple[Path, str]) -> None:
    folder = whole[0] / "runs/sweep"
    for number in (2, 4):
        assert read(folder / f"trial-{number:03}" / "metrics.json")["resumed_from"] == "checkpoint-20"
        log = read(folder / f"trial-{number:03}" / "history.json")
        assert [line["step"] for line in log if "eval_loss" in line] == [10, 20, 30, 40]


@pytest.mark.slow
def test_no_test_set_is_opened_and_the_validation_set_alone_is_scored(whole: tuple[Path, str]) -> None:
    folder = whole[0] / "runs/sweep"
    for run in folder.glob("trial-*/"):
        metrics = read_metrics(run)
        assert set(metrics.test) == set(metrics.scored_pairs) == {"validation"}
        assert [path.name for path in run.glob("*.translations.txt")] == ["validation.translations.txt"]


@pytest.mark.slow
def test_the_table_says_what_the_trials_came_to_the_best_first(whole: tuple[Path, str]) -> None:
    where, said = whole
    table = (where / "runs/sweep/sweep.md").read_text(encoding="utf-8")
    assert said.rstrip().endswith(table.rstrip())
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if re.match(r"\| \d", line)]
    assert [row[3] for row in rows] == ["40", "40", "20", "20"]
    assert {row[0] for row in rows[:2]} == {"2", "4"}
    sweep = read(where / "runs/sweep/sweep.json")
    assert [trial["number"] for trial in sweep["trials"]] == [int(row[0]) for row in rows]
    for row, trial in zip(rows, sweep["trials"], strict=True):
        last = trial["results"][-1]
        assert row[1:3] == [trial["values"]["d_model"], trial["values"]["peak_learning_rate"]]
        assert row[4:7] == [f"{last['value']:.2f}", f"{last['loss']:.3f}", str(last["at_step"])]
        log = read(where / f"runs/sweep/trial-{trial['number']:03}/history.json")
        [line] = [line for line in log if "eval_loss" in line and line["step"] == last["at_step"]]
        assert (line["eval_bleu"], line["eval_loss"]) == (last["value"], last["loss"])
    for picture in ("sweep.png", "sweep.svg"):
        assert (where / "runs/sweep" / picture).stat().st_size > 5000


@pytest.mark.slow
def test_its_command_trains_the_best_trial_once_more_to_the_bit(whole: tuple[Path, str]) -> None:
    """In one go: so halving, with its pauses and its cheaper choices, trains what the recipe trains."""
    where, _ = whole
    sweep = read(where / "runs/sweep/sweep.json")
    command = shlex.split(sweep["command"])
    assert not any("test" in word for word in command[command.index(str(MULTI30K)) :] if word.startswith("--"))
    arguments = parse(read_recipe(MULTI30K), command[command.index(str(MULTI30K)) + 1 :])
    assert arguments.data.test_splits == ["test"]
    done = subprocess.run(
        [*command, "--test_splits", "validation"], cwd=where, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    best = where / f"runs/sweep/trial-{sweep['trials'][0]['number']:03}"
    for file in ("checkpoint-40/model.safetensors", "checkpoint-40/optimizer.pt", "model.safetensors"):
        assert (where / "runs/sweep/best" / file).read_bytes() == (best / file).read_bytes(), file
    shutil.rmtree(where / "runs/sweep/best")


@pytest.mark.slow
def test_a_sweep_that_is_done_starts_nothing(whole: tuple[Path, str], sweeps: Sweeps) -> None:
    where, said = whole
    again = sweeps(where, *GRID)
    assert said.count("To step") == 6
    assert "To step" not in again
    assert again.splitlines()[-5:] == said.splitlines()[-5:]


# --- a sweep that is interrupted ---


def waits_for(file: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 100
    while not file.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end, file
        time.sleep(0.002)


def holder(folder: Path) -> int:
    """The process that works in a folder, as its lock says: "process N on HOST"."""
    return int((folder / "run.lock").read_text(encoding="utf-8").split()[1])


@pytest.mark.slow
def test_killed_in_the_middle_it_comes_to_the_same(whole: tuple[Path, str], sweeps: Sweeps, tmp_path: Path) -> None:
    """First the sweep alone, whose trial goes on; then, in the second rung, both; then Ctrl-C, which saves the step."""
    folder = tmp_path / "runs/sweep"
    process = sweeps.start(tmp_path, *GRID)
    waits_for(folder / "trial-002/checkpoint-10/manifest.json", process)
    os.kill(holder(folder), signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not any(trial["results"] for trial in read(folder / "sweep.json")["trials"] if trial["number"] == 2)

    process = sweeps.start(tmp_path, *GRID)
    waits_for(folder / "trial-002/checkpoint-30/manifest.json", process)
    running = holder(folder / "trial-002")
    os.kill(holder(folder), signal.SIGKILL)
    os.kill(running, signal.SIGKILL)
    assert not (folder / "trial-002/metrics.json").exists()
    said = process.communicate()[0]
    assert "To step 20, trial 1:" not in said  # it had ended

    process = sweeps.start(tmp_path, *GRID)
    waits_for(folder / "trial-004/checkpoint-30/manifest.json", process)
    os.kill(holder(folder), signal.SIGINT)
    said = process.communicate()[0]
    assert process.returncode == 128 + signal.SIGINT, said
    assert "To step 20" not in said
    assert "a signal ended training" in (folder / "trial-004.txt").read_text(encoding="utf-8")
    assert not (folder / "trial-004/metrics.json").exists()

    said = sweeps(tmp_path, *GRID)
    assert said.count("To step") == 1
    tables = [(where / "runs/sweep/sweep.md").read_text(encoding="utf-8") for where in (whole[0], tmp_path)]
    assert without_minutes(tables[0]) == without_minutes(tables[1])
    assert "minutes" in tables[0]
    assert tables[0] != without_minutes(tables[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            ["--grid", "d_model=16,32", "peak_learning_rate=1e-4,2e-2", "--halvings", "1"],
            "whose grid was {'d_model': ['16', '32'], 'peak_learning_rate': ['1e-4', '1e-2']}, and it is",
        ),
        ([*GRID, "--seed", "7"], "whose seed was 42, and it is 7 now"),
        ([*GRID, "--eta", "4"], "whose eta was 2, and it is 4 now"),
        ([*GRID, "--trials", "3"], "whose drawn was 4, and it is 3 now"),
        ([*GRID, "--dropout", "0.1"], "whose flags was"),
    ],
)
def test_another_sweep_in_its_folder_is_refused_by_name(
    whole: tuple[Path, str], sweeps: Sweeps, changes: list[str], words: str
) -> None:
    before = (whole[0] / "runs/sweep/sweep.json").read_bytes()
    said = sweeps(whole[0], *changes, code=2)
    assert words in said
    assert "name another --output_dir" in said
    assert (whole[0] / "runs/sweep/sweep.json").read_bytes() == before


# --- trials that fail ---


@pytest.mark.slow
def test_a_trial_that_fails_is_recorded_with_its_reason_and_ends_nothing(sweeps: Sweeps, tmp_path: Path) -> None:
    """One diverges, two want more memory than there is; the fourth is left, and goes on to the end."""
    grid = ["--grid", "peak_learning_rate=1e30,1e-2", "d_model=2147483640,16", "--halvings", "1"]
    flags = [*grid, "--max_steps", "20"]
    said = sweeps(tmp_path, *flags)
    folder = tmp_path / "runs/sweep"
    trials = {trial["number"]: trial for trial in read(folder / "sweep.json")["trials"]}
    assert list(trials) == [4, 1, 2, 3]
    assert [len(trials[number]["results"]) for number in (1, 2, 3, 4)] == [0, 0, 0, 2]
    assert "had no finite loss or gradient" in trials[2]["failed"]
    for number in (1, 3):
        assert "can't allocate memory" in trials[number]["failed"]
    table = (folder / "sweep.md").read_text(encoding="utf-8")
    assert "| 2 | 1e30 | 16 | 0 |  |  |  |" in table
    assert trials[2]["failed"] in table
    assert "The best is trial 4" in table
    assert f"failed: {trials[2]['failed']}. All that it said is in runs/sweep/trial-002.txt" in said
    assert "To step" not in sweeps(tmp_path, *flags)

    shutil.rmtree(folder / "trial-002")
    assert re.findall(r"To step (\d+), trial (\d)", sweeps(tmp_path, *flags)) == [("10", "2")]


def test_what_is_no_trials_fault_ends_the_sweep_and_is_not_recorded(sweeps: Sweeps, tmp_path: Path) -> None:
    said = sweeps(tmp_path, *GRID, "--train_split", "nowhere", code=2)
    assert "error: trial 1 ended with code 2: " in said
    assert "nowhere" in said
    assert "the same command goes on" in said
    assert said.count("To step") == 1
    assert all(trial["failed"] is None for trial in read(tmp_path / "runs/sweep/sweep.json")["trials"])


def test_a_trial_whose_own_values_are_refused_has_failed_and_the_others_go_on(
    sweeps: Sweeps, text: Path, tmp_path: Path
) -> None:
    """Known only when its text is opened."""
    said = sweeps(tmp_path, "--grid", f"extra_dirs={text},nowhere", "peak_learning_rate=1e-4,1e-2", "--halvings", "1")
    trials = {trial["number"]: trial for trial in read(tmp_path / "runs/sweep/sweep.json")["trials"]}
    failed = {number for number, trial in trials.items() if trial["values"]["extra_dirs"] == "nowhere"}
    assert len(failed) == 2
    for number, trial in trials.items():
        assert ("nowhere" in (trial["failed"] or "")) == (number in failed)
        assert bool(trial["results"]) == (number not in failed)
    assert "The best is trial" in said


@pytest.mark.parametrize(
    ("said", "code", "reason"),
    [
        (["a line", "error: the 10th step in a row", "accelerate launch follows"], 1, "the 10th step in a row"),
        (
            ["Traceback", "torch.OutOfMemoryError: CUDA out of memory", "subprocess.CalledProcessError: Command"],
            1,
            "torch.OutOfMemoryError: CUDA out of memory",
        ),
        (["no word of it"], 3, "exit code 3"),
        (["error: earlier"], -9, "ended by SIGKILL, often for lack of memory"),
    ],
)
def test_the_reason_is_the_message_and_not_what_a_launcher_adds(said: list[str], code: int, reason: str) -> None:
    assert reason_of(said, code) == reason


# --- what is refused before anything starts ---


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], "say what to search: --grid NAME=VALUE,VALUE"),
        (["--grid", "drop_out=0.1,0.2"], "unknown: --drop_out 0.1; similar flags are --dropout"),
        (["--grid", "dropout=0.1", "--drop_in", "1"], "unknown: --drop_in 1; similar flags"),
        (["--grid", "dropout=0.1", "--", "--drop_in", "1"], "unknown: --drop_in 1; similar flags"),
        (["--grid", "dropout=0.1,much"], "argument --dropout: 'much' is no number; give from 0 to less than 1"),
        (["--grid", "num_heads=4,3"], "That is the trial of num_heads 3."),
        (["--grid", "dropout"], "--grid has 'dropout'; give NAME=VALUE,VALUE"),
        (["--grid", "dropout=0.1,"], "--grid has 'dropout=0.1,'; give NAME=VALUE,VALUE"),
        (["--grid", "dropout=0.1,0.1"], "--grid has dropout=0.1 twice"),
        (["--grid", "d_model=128", "d-model=256"], "--grid has d_model twice"),
        (["--grid", "dropout=0.1", "--dropout", "0.2"], "--dropout is given, and --grid varies it"),
        (["--grid", "dropout=0.1,0.2", "--trials", "3"], "--trials is 3; give 1 to 2, the combinations of --grid"),
        (["--grid", "max_steps=10,20"], "--grid has max_steps, which cannot vary: a rung has the same steps"),
        (["--grid", "direction=en-de,de-en"], "--grid has direction, which cannot vary: figures of different valid"),
        (["--grid", "ema_decay=0.9,0.99"], "--grid has ema_decay, which cannot vary: it acts only after training"),
        (["--grid", "test_splits=a,b"], "--test_splits cannot be used here: a sweep scores no test set"),
        (["--grid", "dropout=0.1", "--test-splits", "a"], "--test_splits cannot be used here: a sweep scores no test"),
        (["--grid", "dropout=0.1", "--resume"], "--resume cannot be used here: a sweep resumes by itself"),
        (["--grid", "dropout=0.1", "--eval_strategy", "no"], "--eval_strategy is no, and a sweep is decided by"),
        (["--grid", "dropout=0.1", "--eval_steps", "0.1"], "--eval_steps is 0.1, a share of --max_steps"),
        (["--grid", "dropout=0.1", "--halvings", "6"], "--max_steps 8,000 has no room for 6 halvings by 2"),
        (["--grid", "cooldown_steps=0,0.2", "--halvings", "1"], "would lower the rate at the end of each rung"),
        (["--grid", "dropout=0.1", "--eta", "1"], "argument --eta: 1 is out of range; give at least 2"),
        (
            ["--grid", "vocab_size=300,400", "--metric_for_best_model", "loss"],
            "--metric_for_best_model is loss, which is counted per token, and --grid varies vocab_size",
        ),
    ],
)
def test_flags_that_do_not_fit_are_named_before_anything_starts(
    flags: list[str], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["sweep.py", "--recipe", str(MULTI30K), *flags])
    with pytest.raises(SystemExit) as ended:
        main("", read_recipe)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_files_of_others_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").touch()
    flags = ["--recipe", str(MULTI30K), "--grid", "dropout=0.1,0.2", "--output_dir", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["sweep.py", *flags])
    with pytest.raises(SystemExit):
        main("", read_recipe)
    assert "holds files that do not belong to a sweep; name another --output_dir" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


# --- the grid, and the rungs ---


def test_combinations_are_drawn_by_seed_and_none_twice() -> None:
    grid = read_grid(["a=1,2,3", "b=x,y", "c=0,1,2,3"])
    everything = drawn(grid, None, 1)
    assert len(everything) == size(grid) == 24
    assert everything[:2] == [{"a": "1", "b": "x", "c": "0"}, {"a": "1", "b": "x", "c": "1"}]
    some = drawn(grid, 10, 1)
    assert some == drawn(grid, 10, 1) != drawn(grid, 10, 2)
    assert len({tuple(each.values()) for each in some}) == 10
    assert [each for each in everything if each in some] == some
    assert drawn(grid, 24, 5) == everything


def test_a_grid_too_large_to_list_is_drawn_from() -> None:
    grid = {f"flag_{n}": tuple(map(str, range(10))) for n in range(18)}
    assert combination(grid, 0) == dict.fromkeys(grid, "0")
    assert len(drawn(grid, 5, 1)) == 5


@pytest.mark.parametrize(
    ("max_steps", "eta", "halvings", "interval", "rungs"),
    [
        (6000, 2, 2, 500, (1500, 3000, 6000)),
        (6000, 3, 2, 500, (1000, 2000, 6000)),
        (5300, 2, 1, 500, (3000, 5300)),
        (900, 3, 2, 100, (100, 300, 900)),
        (700, 2, 0, 1000, (700,)),
    ],
)
def test_rungs_end_with_a_validation_and_a_checkpoint(
    max_steps: int, eta: int, halvings: int, interval: int, rungs: tuple[int, ...]
) -> None:
    assert rungs_of(max_steps, eta, halvings, interval) == rungs


@given(st.data())
def test_any_results_leave_behind_what_is_worse_and_failures(data: st.DataObject) -> None:
    """Played to the end with drawn results: each rung trains the best of the one before, and as many as it should."""
    trials, eta, halvings = data.draw(st.tuples(st.integers(1, 12), st.integers(2, 4), st.integers(0, 3)))
    rungs = tuple(10 * eta**rung for rung in range(halvings + 1))
    values = st.sampled_from([1.0, 2.0, 3.0, float("nan")])
    results = {
        (number, rung): data.draw(st.none() | st.tuples(values, values))
        for number in range(1, trials + 1)
        for rung in range(len(rungs))
    }
    begun = tuple(TrialRecord(number, {"a": str(number)}) for number in range(1, trials + 1))
    sweep = SweepRecord("r.py", {"a": ("1",)}, trials, 1, eta, rungs, "ter", (), begun)
    trained: dict[int, list[int]] = {}
    while (ahead := next_start(sweep)) is not None:
        trial, rung = ahead
        trained.setdefault(rung, []).append(trial.number)
        found = results[trial.number, rung]
        new = (
            replace(trial, failed="it diverged")
            if found is None
            else replace(trial, results=(*trial.results, ResultRecord(rungs[rung], *found, at_step=1)))
        )
        sweep = replace(sweep, trials=tuple(new if each.number == trial.number else each for each in sweep.trials))

    def badness(number: int, rung: int) -> tuple[float, float]:  # TER and loss: lower is better, NaN worst
        found = results[number, rung]
        assert found is not None
        value, loss = (math.inf if math.isnan(each) else each for each in found)
        return value, loss

    expected = list(range(1, trials + 1))
    for rung in range(len(rungs)):
        assert trained.get(rung, []) == expected
        ended = [number for number in expected if results[number, rung] is not None]
        best = sorted(ended, key=lambda number: badness(number, rung))[: kept(trials, eta, rung + 1)]
        expected = sorted(best)
    order = in_order(sweep)
    assert {trial.number for trial in order} == set(range(1, trials + 1))
    places = [(trial.failed is not None, -len(trial.results)) for trial in order]
    assert places == sorted(places)


# --- the picture ---


def test_the_picture_has_a_line_for_each_trial_and_shows_the_best() -> None:
    curves = [TrialCurve(f"{n}: $x_{n}", [(10, n / 2), (20, float(n))], is_best=n == 9) for n in range(9, 0, -1)]
    figure = draw_sweep(curves, [10, 20], "BLEU")
    [axes] = figure.axes
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert [line.get_xdata()[0] for line in dashed] == [10, 20]  # type: ignore[index]
    solid = [line for line in axes.lines if line not in dashed]
    drawn_lines = {tuple(np.asarray(line.get_ydata()).tolist()): line.get_linewidth() for line in solid}
    assert drawn_lines.keys() == {(n / 2, float(n)) for n in range(1, 10)}
    assert max(drawn_lines, key=lambda points: drawn_lines[points]) == (4.5, 9.0)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[0] == "9: $x_9 (best)"
    assert names[-1] == "3 others"


# --- help ---


def test_help_shows_its_own_flags_and_with_a_recipe_those_of_its_trials(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for flags in (["--help"], ["--recipe", str(MULTI30K), "--help"]):
        monkeypatch.setattr(sys, "argv", ["sweep.py", *flags])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(RECIPE), run_name="__main__")
        assert ended.value.code == 0
        said.append(capsys.readouterr().out)
    for each in said:
        assert "--halvings N" in each
        assert "python recipes/sweep.py --recipe recipes/multi30k.py --grid" in each
    assert "--d_model" not in said[0]
    assert "All other flags are those of the recipe" in said[0]
    assert "--d_model" in said[1]
    assert "(default: runs/sweep)" in said[1]
