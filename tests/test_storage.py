"""A file is the old one or the new one, whole, whatever ends its writer and whenever; and all are written that way."""

import ast
import errno
import os
import random
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from test_house import ROOT, cloned_files

from vaswani.storage import atomic_files, atomic_folder, atomic_write, is_draft, write_text

SIZE = 200_000
"""Bytes of a version: more than a buffer, so that it is written in several pieces."""


def version(number: int) -> bytes:
    return str(number % 10).encode() * SIZE


def write_version(path: Path, number: int) -> None:
    content = version(number)
    with atomic_write(path) as file:
        for start in range(0, SIZE, SIZE // 4):
            file.write(content[start : start + SIZE // 4])


def write_folder(path: Path, number: int) -> None:
    with atomic_folder(path.with_name(f"{path.name}-{number}")) as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "first").write_bytes(version(number))
        (folder / "second").write_bytes(version(number))


def write_files(path: Path, number: int) -> None:
    with atomic_files(path, last="first") as folder:
        for name in ("first", "second", "third"):
            (folder / name).write_bytes(version(number))


def started(act: Callable[[], None]) -> int:
    """Run a function in a process of its own, and return its number."""
    child = os.fork()
    if child == 0:
        try:
            act()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return child


def ended(child: int) -> int:
    """Wait for a process, and return how it ended, as `subprocess` does."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def in_a_child(act: Callable[[], None]) -> int:
    """Run a function to its end in a process of its own, and return how it ended."""
    return ended(started(act))


def dying_at(event: int, act: Callable[[], None]) -> Callable[[], None]:
    """Return a function that is killed when Python is about to ask the system for the n-th thing, from 0."""

    def acting() -> None:
        seen = -1

        def die(*_: object) -> None:
            nonlocal seen
            seen += 1
            if seen == event:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(die)
        act()

    return acting


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- killed ---


def test_a_writer_killed_at_any_step_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    seen = set()
    for event in range(1000):
        write_version(path, 1)
        assert names(tmp_path) == ["file"], "the draft of the one that was killed is gone"
        code = in_a_child(dying_at(event, lambda: write_version(path, 2)))
        content = path.read_bytes()
        assert content in (version(1), version(2))
        seen.add((code, content == version(2), len(names(tmp_path)) > 1))
        if code == 0:
            break
    killed = -signal.SIGKILL
    assert {(killed, False, True), (killed, True, False), (0, True, False)} <= seen, "before and after the renaming"


def test_a_folder_of_a_writer_that_is_killed_is_not_there_or_whole(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    seen = set()
    for event in range(1000):
        code = in_a_child(dying_at(event, partial(write_folder, path, event)))
        made = tmp_path / f"folder-{event}"
        seen.add((code, made.exists()))
        if made.exists():
            assert (made / "inner" / "first").read_bytes() == (made / "second").read_bytes() == version(event)
        else:
            write_folder(path, event)  # what was left is in nobody's way
        assert not [left for left in tmp_path.iterdir() if is_draft(left)]
        if code == 0:
            break
    assert seen == {(-signal.SIGKILL, False), (-signal.SIGKILL, True), (0, True)}


def test_files_of_a_writer_that_is_killed_are_each_whole_and_the_last_one_stands_for_all(tmp_path: Path) -> None:
    folder, seen = tmp_path / "folder", set()
    for event in range(1000):
        write_files(folder, 1)
        assert names(folder) == ["first", "second", "third"]
        code = in_a_child(dying_at(event, lambda: write_files(folder, 2)))
        texts = [(folder / name).read_bytes() for name in ("second", "third", "first")]
        assert set(texts) <= {version(1), version(2)}
        is_new = [text == version(2) for text in texts]
        assert is_new == sorted(is_new, reverse=True), "in this order"
        seen.add((code, sum(is_new)))
        if code == 0:
            break
    assert {count for _, count in seen} == {0, 1, 2, 3}


@pytest.mark.parametrize("seed", range(5))
def test_a_file_that_is_written_again_and_again_is_whole_when_its_writers_are_killed(tmp_path: Path, seed: int) -> None:
    """Readers look all the time; several processes write at once, and SIGKILL comes between any two instructions."""
    path, draws = tmp_path / "file", random.Random(seed)
    write_version(path, 0)

    def write_for_ever() -> None:
        for number in count():
            write_version(path, number)

    for _ in range(2):
        writers = [started(write_for_ever) for _ in range(2)]
        seen: set[bytes] = set()
        while len(seen) < 3:
            seen.add(path.read_bytes())
        for _ in range(draws.randrange(100)):
            seen.add(path.read_bytes())
        for writer in writers:
            os.kill(writer, signal.SIGKILL)
            assert ended(writer) == -signal.SIGKILL
            seen.add(path.read_bytes())
        assert seen <= {version(number) for number in range(10)}
    write_version(path, 7)
    assert path.read_bytes() == version(7)
    assert names(tmp_path) == ["file"]


# --- several writers ---


def test_writers_of_one_file_at_once_do_not_meet(tmp_path: Path) -> None:
    path, failures = tmp_path / "file", []

    def write(number: int) -> None:
        try:
            for _ in range(20):
                write_version(path, number)
        except BaseException as error:
            failures.append(error)

    write_version(path, 0)
    threads = [threading.Thread(target=write, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert path.read_bytes() in {version(number) for number in range(10)}
    assert failures == []
    assert names(tmp_path) == ["file"]


def test_the_draft_of_one_that_still_writes_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with atomic_write(path) as slow:
        slow.write(b"slow")
        assert in_a_child(lambda: write_text(path, "quick")) == 0
        write_text(path, "quicker")
        assert path.read_text() == "quicker"
    assert path.read_text() == "slow"
    assert names(tmp_path) == ["file"]


# --- errors ---


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit, GeneratorExit])
def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    def write_a_file(path: Path) -> None:
        with atomic_write(path) as file:
            file.write(b"new")
            raise error

    def write_into_a_folder(path: Path, how: Callable[[Path], AbstractContextManager[Path]]) -> None:
        with how(path) as folder:
            (folder / "file").write_text("new")
            raise error

    write_text(tmp_path / "file", "old")
    for path in (tmp_path / "file", tmp_path / "new"):
        with pytest.raises(error):
            write_a_file(path)
    for how, path in ((atomic_folder, tmp_path / "new"), (atomic_files, tmp_path)):
        with pytest.raises(error):
            write_into_a_folder(path, how)
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "old"


def test_a_disk_that_is_full_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "old")

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE // 2, SIZE // 2))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with pytest.raises(OSError) as caught:  # noqa: PT011  (any system's words)
            write_version(tmp_path / "file", 1)
        assert caught.value.errno == errno.EFBIG

    assert in_a_child(fill) == 0
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "old"


def test_what_cannot_be_written_is_named_as_the_user_named_it(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    write_text(tmp_path / "file", "old")
    for path in ("none/file", "folder", "file/below"):
        with pytest.raises(OSError) as opened:  # noqa: PT011
            (tmp_path / path).open("wb")
        with pytest.raises(type(opened.value)) as caught:
            write_text(tmp_path / path, "new")
        assert caught.value.filename == str(tmp_path / path)
    with pytest.raises(OSError, match=f"-> '{tmp_path}'"), atomic_folder(tmp_path):
        pass
    assert names(tmp_path) == ["file", "folder"]


# --- as if it had been opened ---


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002, 0o000, 0o027])
@pytest.mark.parametrize("mode", [None, 0o644, 0o600, 0o664, 0o755, 0o200])
def test_permissions_are_those_of_a_file_that_is_opened(tmp_path: Path, umask: int, mode: int | None) -> None:
    files = tmp_path / "opened", tmp_path / "atomic"
    before = os.umask(umask)
    try:
        if mode is not None:
            for file in files:
                file.touch()
                file.chmod(mode)
        files[0].write_text("text")
        write_text(files[1], "text")
        with atomic_folder(tmp_path / "new") as folder:
            (folder / "file").touch()
        (tmp_path / "made").mkdir()
    finally:
        os.umask(before)
    assert files[0].stat().st_mode == files[1].stat().st_mode
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "made").stat().st_mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_keeps_its_owner(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "old")
    os.chown(tmp_path / "file", 1234, 2345)
    write_text(tmp_path / "file", "new")
    status = (tmp_path / "file").stat()
    assert (status.st_uid, status.st_gid) == (1234, 2345)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_a_file_that_may_not_be_written_is_not_replaced(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "old")
    (tmp_path / "file").chmod(0o444)
    tmp_path.chmod(0o777)

    def write() -> None:
        os.chdir(tmp_path)  # which the other one might not be able to walk to
        os.setuid(1234)
        with pytest.raises(PermissionError):
            write_text(Path("file"), "new")

    assert in_a_child(write) == 0
    assert (tmp_path / "file").read_text() == "old"


def test_a_link_stays_a_link_to_what_is_written(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    first, second, loop = tmp_path / "first", tmp_path / "second", tmp_path / "loop"
    first.symlink_to("second")
    second.symlink_to("elsewhere/file")
    for text in ("one", "two"):  # the file is not there at first
        write_text(first, text)
        assert (first.readlink(), second.readlink()) == (Path("second"), Path("elsewhere/file"))
        assert (tmp_path / "elsewhere" / "file").read_text() == text
    loop.symlink_to("loop")
    with pytest.raises(OSError) as caught:  # noqa: PT011
        write_text(loop, "text")
    assert caught.value.errno == errno.ELOOP
    assert names(tmp_path) == ["elsewhere", "first", "loop", "second"]
    assert names(tmp_path / "elsewhere") == ["file"]


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE)
    write_text(tmp_path / "pipe", "text")
    assert reader.communicate()[0] == b"text"
    write_text(Path(os.devnull), "text")
    assert Path(os.devnull).is_char_device()


@pytest.mark.parametrize("name", [b"a" * 255, "日".encode() * 85, b"\xff\xfe.json"])
def test_any_name_that_can_be_opened_can_be_written(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    write_text(path, "old")
    assert in_a_child(dying_at(9, lambda: write_text(path, "new"))) == -signal.SIGKILL
    write_text(path, "new")
    assert path.read_text() == "new"
    assert len(names(tmp_path)) == 1


# --- everywhere ---

WRITE = {"write_text", "write_bytes", "rename", "save_pretrained", "savefig", "symlink_to"}
MODES = set("wax+")
ELSEWHERE = {
    ("experiment/more_steps.py", "rename"): "a whole file gets another name",
    ("training/checkpointing/checkpoints.py", "rename"): "a whole folder gets another name",
    ("training/checkpointing/consolidation.py", "open"): "nowhere: /dev/null",
    ("training/trainer.py", "save_pretrained"): "a checkpoint in the making, which its list seals",
    ("engines/exporting.py", "save_pretrained"): "into the draft that an export is given",
    ("plots/style.py", "savefig"): "into the file that atomic_write gave",
    ("benchmarks/data/mixing.py", "savefig"): "likewise",
    ("experiment/sweep/trials.py", "open"): "what a trial says, from which only the reason of its failure is read",
    ("benchmarks/scoring/evalb_parity.py", "write_text"): "into a temporary folder",
    ("benchmarks/scoring/comet_parity.py", "write_text"): "likewise",
    ("benchmarks/scoring/comet_parity.py", "save_pretrained"): "likewise",
    ("benchmarks/data/documents.py", "open"): "likewise, a memory of a gigabyte",
    ("benchmarks/decoding/kills.py", "open"): "likewise, what the command says",
    ("benchmarks/decoding/kills.py", "save_pretrained"): "likewise",
    ("benchmarks/decoding/kills.py", "write_bytes"): "likewise, a journal that is cut off on purpose",
    ("benchmarks/decoding/kills.py", "write_text"): "likewise",
}
"""Writing by other means, and why."""


def test_what_is_read_back_is_written_by_storage_alone() -> None:
    """Inside `with atomic_folder(...) as draft` anything may write to the draft."""
    found: dict[tuple[str, str], list[int]] = {}
    for file in cloned_files():
        if file.suffix != ".py" or file.parts[0] in {"tests", "storage", "modeling", "findings"}:
            continue
        for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (how := writes(node)):
                found.setdefault((str(file), how), []).append(node.lineno)
    assert {each: lines for each, lines in found.items() if each not in ELSEWHERE} == {}
    assert ELSEWHERE.keys() - found.keys() == set()


def writes(call: ast.Call) -> str | None:
    """Return how a call writes a file, if it does, and not to a draft."""
    if not isinstance(call.func, ast.Attribute):
        return "open" if isinstance(call.func, ast.Name) and call.func.id == "open" else None
    name = call.func.attr
    given = [ast.unparse(each) for each in (call.func.value, *call.args)]
    if any(word in each for each in given for word in ("draft", "temporary")):
        return None
    if name == "open":
        modes = [each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        return name if any(MODES & set(mode) for mode in modes) else None
    if name == "replace":
        return name if len(call.args) == 1 and not call.keywords else None
    return name if name in WRITE else None
