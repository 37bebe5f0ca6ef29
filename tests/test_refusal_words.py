"""What a disk refuses is told by the file's name and the way out, not by the system's number."""

import errno
import os
from pathlib import Path

import pytest

from vaswani.commands import main
from vaswani.storage.refusals import WAYS, in_words


def told(path: str | Path, mode: str = "r") -> str:
    try:
        with open(path, mode):  # noqa: PTH123  (the name as it is given)
            raise AssertionError("it can be opened")
    except OSError as error:
        return in_words(error)


def test_the_first_part_of_a_path_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    assert told("a.en") == f"a.en does not exist; check its name, or run where it is (this is {tmp_path})"
    assert told("there/b/c/a.en") == "there/b/c/a.en does not exist; there is no folder there/b either"
    assert told(tmp_path / "a.en") == f"{tmp_path}/a.en does not exist; check its name"
    assert told(os.fsencode(tmp_path / "a.en").decode()) == f"{tmp_path}/a.en does not exist; check its name"


def test_a_folder_for_a_file_and_a_file_for_a_folder_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert told(tmp_path) == f"{tmp_path} is a folder; name a file"
    assert told(tmp_path / "file/a") == f"{tmp_path}/file/a lies below a file, not below a folder; check the path"
    assert told(tmp_path / "file", "x") == f"{tmp_path}/file exists already; name another one"
    assert told(tmp_path / ("a" * 300)).endswith(f"{'a' * 300} has too long a name; name another one")


@pytest.mark.parametrize("number", sorted(set(errno.errorcode) - set(WAYS) - {errno.ENOENT}))
def test_any_other_error_keeps_what_the_system_says(number: int) -> None:
    assert in_words(OSError(number, os.strerror(number), "a")) == (
        f"a cannot be read or written: {os.strerror(number)}"
    )
    assert in_words(OSError(number, os.strerror(number))) == f"[Errno {number}] {os.strerror(number)}"


def test_an_error_that_is_not_of_a_file_is_left_as_it_is() -> None:
    assert in_words(ValueError("so")) == "so"
    assert in_words(OSError("without a number")) == "without a number"


def test_a_command_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "none.en"
    (tmp_path / "a.de").write_text("a\n", encoding="utf-8")
    assert main(["score", "--hypotheses", str(missing), "--references", str(tmp_path / "a.de")]) == 2
    assert capsys.readouterr().err == f"vaswani score: {missing} does not exist; check its name\n"
