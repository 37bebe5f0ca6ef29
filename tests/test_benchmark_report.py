"""What a benchmark leaves: a report with the day, the command and the machine, and every figure beside it."""

import json
import sys
from datetime import date
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from benchmarks.measuring.machine import machine
from benchmarks.measuring.report import asked, leave
from benchmarks.training import train_step

ABOUT = {"processor": "one", "accelerator": "", "commit": "abc1234"}


@pytest.fixture(autouse=True)
def as_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [train_step.__file__, "--contenders", "Marian, bf16"])


def test_a_report_tells_day_command_machine_and_figures(capsys: pytest.CaptureFixture[str]) -> None:
    stem = leave(None, ABOUT, "| a |\n|---|\n| 1.5 |", {"rows": [1.5]})
    today = date.today()
    assert stem == Path("runs", "benchmarks", f"{today}-train_step")
    text = Path(f"{stem}.md").read_text(encoding="utf-8")
    assert text in capsys.readouterr().out
    assert text.startswith(f"# {today.day} {today:%B} {today.year}: train_step\n")
    assert "python -m benchmarks.training.train_step --contenders 'Marian, bf16'\n" in text
    assert "- processor: one\n- commit: abc1234\n" in text  # and no accelerator, which is not there
    assert text.endswith("\n\n| a |\n|---|\n| 1.5 |\n")
    figures = json.loads(Path(f"{stem}.json").read_text(encoding="utf-8"))
    assert figures["date"] == str(today)
    assert figures["machine"] == ABOUT
    assert figures["rows"] == [1.5]


def test_a_file_that_was_run_by_its_path_is_told_by_it() -> None:
    for words in (["benchmarks/gpu.py", "decode"], ["/elsewhere/mine.py"]):
        assert asked(words) == words


def test_a_second_report_of_the_day_does_not_take_the_place_of_the_first() -> None:
    stems = [leave(None, ABOUT, str(number), {"number": number}) for number in range(3)]
    assert [stem.name.rpartition("train_step")[2] for stem in stems] == ["", "-2", "-3"]
    assert [json.loads(Path(f"{stem}.json").read_text(encoding="utf-8"))["number"] for stem in stems] == [0, 1, 2]


@pytest.mark.parametrize("name", ["there/base", "there/base.json", "there/base.md"])
def test_a_name_that_is_given_is_that_of_the_report(name: str) -> None:
    for text in ("first", "second"):
        assert leave(Path(name), ABOUT, text, {}) == Path("there/base")
    assert Path("there/base.md").read_text(encoding="utf-8").endswith("\nsecond\n")


def test_a_name_may_have_a_point(tmp_path: Path) -> None:
    assert leave(tmp_path / "dropout-0.1", ABOUT, "", {}).name == "dropout-0.1"
    assert (tmp_path / "dropout-0.1.json").exists()


def test_a_picture_is_written_and_shown(tmp_path: Path) -> None:
    leave(tmp_path / "scaling", ABOUT, "text", {}, Figure())
    assert {path.suffix for path in tmp_path.glob("scaling.*")} == {".md", ".json", ".png", ".svg"}
    assert "![train_step](scaling.png)" in (tmp_path / "scaling.md").read_text(encoding="utf-8")


def test_the_machine_is_told_with_versions_and_commit() -> None:
    found = machine("torch", "no-such-package")
    assert found["torch"].startswith("2.")
    assert "no-such-package" not in found
    assert found["commit"]
    assert "cores" in found["processor"]
