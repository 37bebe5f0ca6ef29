"""`vaswani translate --resume`: killed anywhere, it goes on to the bytes of a run that was left alone."""

import gzip
import io
import json
import multiprocessing
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from command_processes import WINDOW, live, together
from forked_python import forked
from hypothesis import given, settings
from hypothesis import strategies as st
from killed import born, wait_for

from vaswani.commands import line_files, main
from vaswani.commands.growing_output import Shard
from vaswani.data.containers import PACKINGS, unpacked
from vaswani.storage import Journal
from vaswani.storage.journal import checksum
from vaswani.translation import progress

MakeModel = Callable[..., Any]
TEXT = [f"the {draw} cat {number} sat by {'the door ' * (number % 7)}" for number, draw in enumerate("abcdefghij" * 30)]


# --- the journal ------------------------------------------------------------------------------------------------------

WINDOWS = st.lists(st.binary(max_size=30), min_size=1, max_size=6)
WHAT = {"beams": 4, "models": ["a"]}


def written(output: Path, contents: list[bytes], made_of: dict[str, Any] = WHAT) -> None:
    """Go on with an output to its end."""
    with Journal(output, made_of, resume=True) as journal:
        for content in contents[len(journal.windows) :]:
            journal.add(1, checksum(content), content)
        journal.finish()


@given(
    contents=WINDOWS, done=st.integers(1, 6), cuts=st.tuples(st.integers(0, 400), st.integers(0, 90)), extra=st.binary()
)
@settings(max_examples=60, deadline=None)
def test_whatever_a_power_cut_leaves_it_is_gone_on_with(
    tmp_path_factory: pytest.TempPathFactory,
    contents: list[bytes],
    done: int,
    cuts: tuple[int, int],
    extra: bytes,
) -> None:
    """The journal cut off anywhere behind its first line, and the output anywhere, or with more than is listed."""
    output = tmp_path_factory.mktemp("cut") / "out"
    with Journal(output, WHAT, resume=True) as journal:
        for content in contents[:done]:
            journal.add(1, checksum(content), content)
    head = journal.path.read_bytes().index(b"\n") + 1
    kept = journal.path.read_bytes()
    journal.path.write_bytes(kept[: head + cuts[0]])
    journal.partial.write_bytes((journal.partial.read_bytes() + extra)[: cuts[1]])
    written(output, contents)
    assert output.read_bytes() == b"".join(contents)
    assert sorted(output.parent.iterdir()) == [output]


def start_an_output(path: Path, ready: Any, told: Any) -> None:
    """Write an output at the same time as another process, and tell what came of it."""
    ready.wait()
    try:
        with Journal(path, {}, False) as journal:
            journal.add(1, "x", b"work\n")
            journal.finish()
        told.put("finished")
    except ValueError as error:
        told.put(str(error).rpartition("/")[2])


def start_once_more(path: Path, ready: Any, told: Any) -> None:
    """Ask to go on with an output that is complete, at the same time as others, and tell what came of it."""
    ready.wait()
    try:
        Journal(path, WHAT, resume=True)
    except (ValueError, OSError) as error:
        told.put(f"{type(error).__name__}: {error}")


def test_several_starts_at_once_end_what_was_stopped_at_its_end(tmp_path: Path) -> None:
    """One gives the output its name and one removes the journal, whichever it is; each says that it is complete."""
    fork = multiprocessing.get_context("fork")
    for number in range(25):
        path, ready, told = tmp_path / f"o{number}", fork.Barrier(4), fork.Queue()
        with Journal(path, WHAT, resume=False) as journal:
            journal.add(1, checksum(b"work\n"), b"work\n")
        with journal.path.open("ab") as file:
            file.write(b'{"complete": true}\n')
        starts = [fork.Process(target=start_once_more, args=(path, ready, told)) for _ in range(4)]
        for each in starts:
            each.start()
        said = {told.get(timeout=60) for _ in starts}
        for each in starts:
            each.join()
        assert said == {
            f"ValueError: {path} is there and has no {path.name}.journal: it is complete, or something else "
            "wrote it. Remove it to begin anew"
        }
        assert path.read_bytes() == b"work\n"


def test_of_two_starts_at_once_one_is_refused_and_the_other_keeps_its_output(tmp_path: Path) -> None:
    """What the refused one finds is not its own, so it removes nothing."""
    fork = multiprocessing.get_context("fork")
    for number in range(40):
        ready, told, path = fork.Barrier(2), fork.Queue(), tmp_path / f"o{number}"
        both = [fork.Process(target=start_an_output, args=(path, ready, told)) for _ in range(2)]
        for each in both:
            each.start()
        said = sorted(told.get(timeout=60) for _ in both)
        for each in both:
            each.join()
        assert path.read_bytes() == b"work\n"
        assert not list(tmp_path.glob(f"o{number}.*"))
        assert "finished" in said


@given(contents=WINDOWS)
@settings(max_examples=10, deadline=None)
def test_ended_between_its_last_steps_it_is_complete(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]
) -> None:
    for is_renamed in (False, True):
        output = tmp_path_factory.mktemp("ended") / "out"
        with Journal(output, WHAT, resume=False) as journal:
            for content in contents:
                journal.add(1, checksum(content), content)
            files = {path: path.read_bytes() for path in (journal.partial, journal.path)}
            journal.finish()
        if not is_renamed:
            output.rename(journal.partial)
        journal.path.write_bytes(files[journal.path] + b'{"complete": true}\n')
        with pytest.raises(ValueError, match=r"out is there and has no out\.journal: it is complete"):
            Journal(output, WHAT, resume=True)
        assert output.read_bytes() == b"".join(contents)
        assert list(output.parent.iterdir()) == [output]


def test_a_link_stays_one_and_permissions_too(tmp_path: Path) -> None:
    """As of every file that is replaced (tests/test_storage.py)."""
    (tmp_path / "there").mkdir()
    output = tmp_path / "there" / "out"
    output.write_bytes(b"old")
    output.chmod(0o640)
    (tmp_path / "link").symlink_to(output)
    with Journal(tmp_path / "link", WHAT, resume=False) as journal:
        assert journal.partial.stat().st_mode & 0o777 == 0o640
        journal.add(1, "", b"new")
        assert output.read_bytes() == b"old"
        journal.finish()
    assert (tmp_path / "link").is_symlink()
    assert output.read_bytes() == b"new"
    assert output.stat().st_mode & 0o777 == 0o640


def test_what_is_no_journal_of_this_output_is_refused(tmp_path: Path) -> None:
    output = tmp_path / "out"
    with Journal(output, WHAT, resume=False) as journal:
        journal.add(1, "", b"one\n")
        with pytest.raises(ValueError, match="is being written by another process"):
            Journal(output, WHAT, resume=True)
    with pytest.raises(ValueError, match=r"--resume goes on with it; to begin anew, remove it and out\.partial"):
        Journal(output, WHAT, resume=False)
    with pytest.raises(
        ValueError, match=r"another output: beams was 4 and is 5, dtype was None and is bfloat16\. Give"
    ):
        Journal(output, {"beams": 5, "models": ["a"], "dtype": "bfloat16"}, resume=True)
    lines = journal.path.read_bytes().splitlines(keepends=True)
    journal.path.write_bytes(lines[0] + b"not JSON\n" + lines[1])
    with pytest.raises(ValueError, match=r"out\.journal is damaged .* Remove it and out\.partial, and begin anew"):
        Journal(output, WHAT, resume=True)
    assert journal.partial.read_bytes() == b"one\n"


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(talker_folder: Path) -> Path:
    return talker_folder


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "source.txt"
    path.write_text("".join(f"{line}\n" for line in TEXT), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_files, "WINDOW_LINES", WINDOW)


def words(model: Path, text: Path, output: Path, *more: str) -> list[str]:
    return ["translate", *map(str, [model, "--input", text, "--output", output]), "--beams", "2", *more]


def translated(*args: Any) -> bytes:
    assert main(words(*args)) == 0
    return Path(args[2]).read_bytes()


@pytest.fixture(scope="module")
def alone(model: Path, text: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_files, "WINDOW_LINES", WINDOW)
        return translated(model, text, tmp_path_factory.mktemp("alone") / "out", "--format", "tsv")


def rows_of(journal: Path) -> int:
    try:
        return journal.read_bytes().count(b"\n")
    except FileNotFoundError:  # none yet, or the process has just ended
        return 0


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the process from which the others are forked."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


@pytest.mark.slow
def test_killed_it_goes_on_to_the_same_bytes(model: Path, text: Path, alone: bytes, tmp_path: Path) -> None:
    """By SIGKILL at drawn moments, over and over; what one kill leaves the next run finds."""
    draw, kills = random.Random(3), 0
    for run in count():
        output, journal = tmp_path / f"out{run}", tmp_path / f"out{run}.journal"
        arguments = words(model, text, output, "--format", "tsv", "--resume")
        while not output.exists():
            before = rows_of(journal)
            rows = before + draw.randint(0, 4)
            process = born(live, arguments, tmp_path / "said")
            wait_for(lambda journal=journal, rows=rows: rows_of(journal) > rows, process)
            process.join(draw.uniform(0, 0.03))
            process.kill()
            process.join()
            assert process.exitcode in (0, -signal.SIGKILL), (tmp_path / "said").read_text()
            kills += process.exitcode != 0
            assert rows_of(journal) >= before or output.exists(), "a window that was on the disk is done again"
        assert output.read_bytes() == alone
        if kills >= 20:
            return


@pytest.mark.slow
def test_sigterm_and_a_full_disk_leave_what_is_done_and_two_processes_go_on(
    model: Path, text: Path, alone: bytes, tmp_path: Path
) -> None:
    output, journal, said = (tmp_path / name for name in ("out", "out.journal", "said"))
    arguments = words(model, text, output, "--format", "tsv", "--resume")
    process = born(live, arguments, said)
    wait_for(lambda: rows_of(journal) > 2, process)
    process.terminate()
    process.join()
    assert process.exitcode == 75, said.read_text()
    goes_on = rf"(\d+) line\(s\) are kept in {output}\.partial; the same command with --resume goes on"
    [kept] = re.findall(goes_on, said.read_text())
    assert int(kept) == WINDOW * (rows_of(journal) - 1) > 0
    process = born(live, arguments, said, (tmp_path / "out.partial").stat().st_size + 2000)
    process.join()
    assert process.exitcode == 2
    assert "File too large" in said.read_text()
    [now] = re.findall(goes_on, said.read_text())
    assert len(alone.splitlines()) > int(now) >= int(kept)
    assert not output.exists()
    processes = together(arguments, tmp_path)
    assert [each.exitcode for each in processes] == [0, 0], (tmp_path / "said 0").read_text()
    assert output.read_bytes() == alone
    assert not journal.exists()


@pytest.mark.slow
def test_two_processes_end_where_the_output_is_refused(model: Path, text: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("old\n")
    processes = together(words(model, text, tmp_path / "out", "--resume"), tmp_path)
    assert [each.exitcode for each in processes] == [2, 2]
    assert "out is there and has no out.journal" in (tmp_path / "said 0").read_text()
    assert "Traceback" not in (tmp_path / "said 1").read_text()


@pytest.mark.parametrize("ending", PACKINGS)
def test_a_packed_output_is_the_same_after_a_stop(model: Path, text: Path, tmp_path: Path, ending: str) -> None:
    plain = translated(model, text, tmp_path / "plain")
    whole = translated(model, text, tmp_path / f"whole{ending}")
    assert unpacked(io.BytesIO(whole), f"whole{ending}").read() == plain
    if ending == ".gz":
        assert gzip.decompress(whole) == plain
    cut = tmp_path / f"cut{ending}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "add", stopping_after(5))
        with pytest.raises(KeyError):
            main(words(model, text, cut))
    assert translated(model, text, cut, "--resume") == whole


def stopping_after(windows: int) -> Callable[..., None]:
    add = Journal.add

    def stopping(journal: Journal, *args: Any) -> None:
        if len(journal.windows) == windows:
            raise KeyError
        add(journal, *args)

    return stopping


def test_shards_in_order_are_the_whole(model: Path, text: Path, alone: bytes, tmp_path: Path) -> None:
    for shards in (1, 4, 20):  # there are 15 windows
        parts = [
            translated(model, text, tmp_path / f"{i}-{shards}", "--format", "tsv", "--shard", f"{i}/{shards}")
            for i in range(1, shards + 1)
        ]
        assert b"".join(parts) == alone
    for wrong in ("0/2", "3/2", "1", "a/b", "-1/2"):
        with pytest.raises(ValueError, match="give the number of this part and of all, such as 1/8"):
            Shard.read(wrong)


def test_another_text_or_model_is_refused(
    model: Path, text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, own = tmp_path / "out", tmp_path / "own.txt"
    own.write_bytes(text.read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "add", stopping_after(3))
        with pytest.raises(KeyError):
            main(words(model, own, output))
    assert f"60 line(s) are kept in {output}.partial" in capsys.readouterr().err
    assert main(words(model, own, output)) == 2
    assert "--resume goes on with it" in capsys.readouterr().err
    assert main([*words(model, own, output, "--resume"), "--length_penalty", "1"]) == 2
    assert "length_penalty was 0.6 and is 1.0" in capsys.readouterr().err
    assert main([*words(model, own, output, "--resume"), "--split_sentences", "en"]) == 2
    assert "split_sentences was None and is en" in capsys.readouterr().err
    lines = own.read_text(encoding="utf-8").splitlines(keepends=True)
    own.write_text("".join([*lines[:45], "another\n", *lines[46:]]), encoding="utf-8")
    assert main(words(model, own, output, "--resume")) == 2
    said = capsys.readouterr().err
    assert f"{own}, or a file beside it, changed since the output was begun, at or behind line 41" in said
    own.write_text("".join([*lines[:70], "a new end\n"]), encoding="utf-8")  # behind what is done
    assert len(translated(model, own, output, "--resume").splitlines()) == 71
    config = json.loads((model / "generation_config.json").read_text())
    other = tmp_path / "other"
    other.mkdir()
    for file in model.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    (other / "generation_config.json").write_text(json.dumps(config | {"max_length": 77}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "add", stopping_after(3))
        with pytest.raises(KeyError):
            main(words(model, own, tmp_path / "two"))
    capsys.readouterr()
    assert main(words(other, own, tmp_path / "two", "--resume")) == 2
    assert "models was" in capsys.readouterr().err


def test_an_end_before_the_first_window_leaves_nothing(model: Path, tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"one\n\xff\n")
    assert main(words(model, tmp_path / "bad", tmp_path / "out")) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["bad"]


def test_what_is_no_file_has_nothing_to_go_on_with(model: Path, text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["translate", str(model), "--input", str(text), "--resume"]) == 2
    assert "--resume goes on with a file, and stdout is none" in capsys.readouterr().err
    assert main(["translate", str(model), "--input", str(text), "--line_buffered"]) == 2
    assert "leave one out" in capsys.readouterr().err


def test_each_line_that_stays_empty_is_told_by_the_command_that_met_it(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{line}\n".encode() for line in TEXT[:60]]
    rows[3] = rows[47] = b"long " * 300 + b"\n"
    (tmp_path / "text").write_bytes(b"".join([*rows[:50], b"\xff\n", *rows[51:]]))
    asked = words(model, tmp_path / "text", tmp_path / "out", "--resume", "--max_tokens", "100")
    assert main(asked) == 2
    said = capsys.readouterr().err
    assert "1 line(s) of more than 100 tokens were left empty, not cut: line (tokens) 4 (" in said
    assert "40 line(s) are kept" in said
    (tmp_path / "text").write_bytes(b"".join(rows))
    assert main(asked) == 0
    said = capsys.readouterr().err
    assert "were left empty, not cut: line (tokens) 48 (" in said
    assert "(of the lines from 41 on; those before were done earlier)" in said


def test_what_line_buffered_cannot_do_is_refused(
    model: Path, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["translate", str(model), "--line_buffered"]
    assert main([*asked, "--shard", "2/2"]) == 2
    assert "--shard 2/2 needs the length of the text: give it as --input FILE" in capsys.readouterr().err
    (tmp_path / "packed.gz").write_bytes(gzip.compress(text.read_bytes()))
    with (tmp_path / "packed.gz").open() as file:
        monkeypatch.setattr("sys.stdin", file)
        assert main(asked) == 2
    assert "stdin is compressed, and --line_buffered reads lines as they come" in capsys.readouterr().err


def test_a_log_gets_lines_with_the_time_left(
    model: Path, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    translated(model, text, tmp_path / "out")
    lines = re.findall(r"^(\d+) of 300 lines  [\d,.]+ a second  \d\d:\d\d left$", capsys.readouterr().err, re.MULTILINE)
    assert [int(line) for line in lines] == sorted(map(int, lines))
    assert lines[-1] == "300"


@pytest.mark.slow
def test_each_line_is_answered_before_the_next_is_written(model: Path, text: Path, tmp_path: Path) -> None:
    expected = translated(model, text, tmp_path / "out").splitlines(keepends=True)
    command = forked(sys.executable, "-m", "vaswani.commands", "translate", model, "--beams", "2", "--line_buffered")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line, answer in zip(TEXT[:3], expected, strict=False):
            process.stdin.write(f"{line}\n".encode())
            process.stdin.flush()
            assert process.stdout.readline() == answer
        process.stdin.close()
        assert process.stdout.read() == b""
    assert process.returncode == 0
