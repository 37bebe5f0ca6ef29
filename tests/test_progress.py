"""What a person watching sees: lines in a file, a bar on a terminal, and a time left that holds what is to come."""

import io
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from corpus_of_numbers import number_tokenizer
from forked import Forks
from hypothesis import given
from hypothesis import strategies as st
from terminal import Terminal
from test_training import train

from vaswani.training.checkpointing.checkpoints import checkpoints
from vaswani.training.reporting.progress import print_line
from vaswani.training.reporting.time_left import Remaining, TimeLeft, Timer, remaining, times_due

WATCH = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_progress import watched
from transformers.utils import logging

logging.disable_progress_bar()  # as a run does
watched(Path({{folder!r}}), disable_tqdm={{without_bar}})
"""


def watched(folder: Path, **changes: Any) -> list[dict[str, Any]]:
    """Train on ten steps, with a line of the log every third and a validation every fourth; return the log."""
    figures = iter([(0.0, 6.0), (0.0, 5.5), (0.0, 5.7)])

    def evaluate(_: Any) -> dict[str, float]:
        bleu, loss = next(figures)
        return {"loss": loss, "perplexity": math.exp(loss), "bleu": bleu}

    asked: dict[str, Any] = {
        "max_steps": 10,
        "logging_steps": 3,
        "eval_strategy": "steps",
        "eval_steps": 4,
        "save_steps": 5,
        "patience": 3,
        "batches_per_step": 2,
        "evaluate": evaluate,
    }
    _, trainer, _ = train(folder, number_tokenizer(), **(asked | changes))
    return trainer.state.log_history


# --- the time left ---


@given(step=st.integers(0, 60), last=st.integers(1, 60), every=st.integers(1, 25))
def test_what_is_due_is_counted_as_the_trainer_does_it(step: int, last: int, every: int) -> None:
    assert times_due(step, last, every) == sum(n % every == 0 or n == last for n in range(step + 1, last + 1))


def test_validations_before_the_delay_and_without_a_strategy_are_not_ahead() -> None:
    state = SimpleNamespace(max_steps=20, eval_steps=4, save_steps=7)
    args = SimpleNamespace(eval_strategy="steps", save_strategy="steps", eval_delay=12)
    assert remaining(3, state, args) == Remaining(17, 3, 3)
    args = SimpleNamespace(eval_strategy="no", save_strategy="best", eval_delay=0)
    assert remaining(3, state, args) == Remaining(17, 0, 0)


@contextmanager
def lasting(what: Any, clock: list[float], seconds: float) -> Iterator[None]:
    with what:
        yield
        clock[0] += seconds


def test_the_time_left_is_exact_where_all_takes_as_long_as_before() -> None:
    """2 s a step, 10 a validation, 3 a checkpoint; the first step and the time before it count for nothing."""
    clock, state = [0.0], SimpleNamespace(max_steps=23, eval_steps=5, save_steps=10)
    args = SimpleNamespace(eval_strategy="steps", save_strategy="steps", eval_delay=0)
    pace, reported = Timer(lambda: clock[0]), {}
    for step in range(1, 24):
        clock[0] += 100 if step == 1 else 2
        pace.step()
        if times_due(step - 1, 23, 5) > times_due(step, 23, 5):
            with lasting(pace.validation(), clock, 10):
                pass
        if times_due(step - 1, 23, 10) > times_due(step, 23, 10):
            clock[0] += 3
            pace.saved(3)
        reported[step] = (clock[0], pace.left(remaining(step, state, args)))
    end = clock[0]
    assert reported[1][1] is None
    assert reported[3][1] == TimeLeft(2 * 20, unmeasured=5)
    for step in range(10, 24):
        assert reported[step][1] == TimeLeft(end - reported[step][0], unmeasured=0), step


# --- in a file ---


def test_a_file_gets_a_line_an_interval_and_a_line_a_validation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = watched(tmp_path, disable_tqdm=False)
    out = capsys.readouterr().out
    lines = [line for line in out.splitlines() if line.startswith("step ")]
    assert "\r" not in out
    assert [re.match(r"step +(\d+)/10  (loss|validation)", line).groups() for line in lines] == [  # type: ignore[union-attr]
        ("3", "loss"),
        ("4", "validation"),
        ("6", "loss"),
        ("8", "validation"),
        ("9", "loss"),
        ("10", "validation"),
    ]
    for line, logged in zip([lines[n] for n in (0, 2, 4)], [each for each in log if "loss" in each], strict=True):
        assert f"loss {logged['loss']:.3f}  rate {logged['learning_rate']:.2e}" in line
        assert f"{logged['tokens_per_second']:,.0f} tokens/s  epoch 0" in line
    assert re.search(r"  \d\d:\d\d and 3 validation\(s\) left$", lines[0])
    assert all(re.search(r"  \d\d:\d\d left$", line) for line in lines[1:])
    assert "validation: loss 6.000  perplexity 403.429  BLEU 0.00  best so far  " in lines[1]
    assert "BLEU 0.00  best so far, by its loss  " in lines[3]
    assert "BLEU 0.00  step 8 was better, 1 of --patience 3 without improvement  " in lines[5]


def test_a_line_and_its_end_are_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nothing is buffered, so that what another thread prints at the same time gets a line of its own."""
    read, write = os.pipe2(os.O_DIRECT)  # one read gives what one write gave
    with os.fdopen(write, "wb", 0) as raw, os.fdopen(read, "rb", 0) as arrived:
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, write_through=True))
        print_line("step 5")
        assert arrived.read(100) == b"step 5\n"


def test_a_run_goes_on_where_nobody_reads_its_lines_any_more(tmp_path: Path) -> None:
    script = tmp_path / "watch.py"
    script.write_text(WATCH.format(folder=str(tmp_path / "run"), without_bar=True))
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, script], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert done.returncode == 0, done.stderr[-2000:]
    assert [path.name for path in checkpoints(tmp_path / "run")] == ["checkpoint-5", "checkpoint-10"]


def in_two(folder: Path) -> None:
    """Be one of two processes."""
    watched(folder / "run", disable_tqdm=True)


def test_one_process_tells_for_all(tmp_path: Path, forks: Forks) -> None:
    first, second = forks.run(in_two, tmp_path, kind="ddp", folder=tmp_path)
    assert first.count("\nstep ") + first.startswith("step ") == 6
    assert "step " not in second


# --- on a terminal ---


@pytest.mark.parametrize("without_bar", [False, True])
def test_a_terminal_gets_a_bar_unless_told_otherwise(tmp_path: Path, without_bar: bool) -> None:
    script = tmp_path / "watch.py"
    script.write_text(WATCH.format(folder=str(tmp_path / "run"), without_bar=without_bar))
    with Terminal([sys.executable, script]) as terminal:
        assert terminal.code() == 0, terminal.seen
    lines = re.findall(r"step +\d+/10  (loss|validation)", terminal.seen)
    if without_bar:
        assert lines == ["loss", "validation"] * 3
        assert "%|" not in terminal.seen
    else:
        assert lines == ["validation"] * 3
        figures = r"loss \d\.\d{3}, rate \d\S+, [\d,]+ tokens/s, epoch 0, \d\d:\d\d left"
        assert re.search(rf"\r100%\|.+\| 10/10 \[\d\d:\d\d, {figures}\]", terminal.seen)
