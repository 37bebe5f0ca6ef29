"""A long output that grows window by window and goes on after any end, be it a kill, a power cut or a full disk.

While it grows, FILE.partial holds its windows and FILE.journal a line of JSON for each, written when the window is on
the disk: so at most one window is lost. At the end the journal says so, FILE.partial becomes FILE, and the journal is
removed. Its first line says what the output is made of; another output is not added to it.
"""

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self

from .atomic import atomic_write, lock, set_owner, status_to_write, sync, without_links

_END = {"complete": True}
"""The last line of a journal whose output has all its windows."""


class Window(NamedTuple):
    """A part of the output that is on the disk."""

    lines: int
    """Of the input, that it comes from."""
    end: int
    """Bytes of the output up to its end."""
    read: str
    """The checksum of its input."""
    written: str
    """The checksum of its bytes."""


class Journal:
    """The growing file and its journal; a context manager.

    Args:
        output: the file that there will be at the end, with the owner and permissions of one that it replaces; a link
            stays a link to it.
        made_of: what its bytes depend on, by name, in values that JSON has.
        resume: go on with what is there; it is cut back to the last window of the journal that it holds unharmed.

    Raises:
        ValueError: `resume` is false and there is a journal; or it is true, and the journal is of another output, is
            damaged, or is missing beside a finished output; or another process is writing.
        OSError: the files cannot be written.

    """

    def __init__(self, output: Path, made_of: Mapping[str, Any], resume: bool) -> None:
        self.output = output = without_links(output)
        self.partial, self.path = (output.with_name(output.name + ending) for ending in (".partial", ".journal"))
        self._made_of = dict(made_of)
        self._is_finished = False
        self._finish_if_ended()
        self.windows: list[Window] = []
        self.dropped = 0
        """Windows of the journal that the output does not hold any more."""
        if resume and not self.path.exists() and output.exists():
            raise ValueError(
                f"{output} is there and has no {self.path.name}: it is complete, or something else wrote it. Remove it "
                "to begin anew"
            )
        if not resume and self._has_windows():
            raise ValueError(
                f"{self.path} is of an output that was not finished: --resume goes on with it; to begin anew, remove "
                f"it and {self.partial.name}"
            )
        self._files = ExitStack()
        is_new = is_locked = False
        try:
            is_new = not self.partial.exists()
            self._content = self._locked()
            is_locked = True
            if self._has_windows():
                self._read()
            self._begin()
        except BaseException:
            if is_new and is_locked:  # or they are those of the process that writes
                self._leave()
            self._files.close()
            raise

    @property
    def lines(self) -> int:
        """Lines of the input that are done."""
        return sum(each.lines for each in self.windows)

    def add(self, lines: int, read: str, content: bytes) -> None:
        """Append a window, and list it when it is on the disk."""
        _append(self._content, content)
        self.windows.append(Window(lines, self._content.tell(), read, checksum(content)))
        _append(self._list, _line(self.windows[-1]._asdict()))

    def finish(self) -> None:
        """Give the output its name, and remove the journal."""
        _append(self._list, _line(_END))
        if sys.platform == "win32":  # which renames no open file, and has no lock here
            self._files.close()
        self._finish_if_ended()  # still locked, or another start could open what is renamed
        self._is_finished = True
        self._files.close()

    def _finish_if_ended(self) -> None:
        """Do what is left to do, perhaps after an end in the midst of it, once all windows are there."""
        if not self._listed().endswith(b"\n" + _line(_END)):
            return
        with suppress(FileNotFoundError):  # it has its name already, perhaps given by another start
            self.partial.replace(self.output)
        sync(self.output.parent)  # whoever renamed it: without the journal nothing would do it again
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._is_finished:  # after that, files of these names are another's
            self._leave()
        self._files.close()

    def _has_windows(self) -> bool:
        return self._listed().count(b"\n") > 1

    def _listed(self) -> bytes:
        """Return what the journal holds: nothing where there is none, or where another process has just ended it."""
        with suppress(FileNotFoundError):
            return self.path.read_bytes()
        return b""

    def _leave(self) -> None:
        """Remove what nobody can go on with."""
        if not self._has_windows():
            self.partial.unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)

    def _locked(self) -> BinaryIO:
        """Open the growing file, which no other process may write meanwhile."""
        descriptor = os.open(self.partial, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        file = self._files.enter_context(os.fdopen(descriptor, "r+b"))  # never cut before it is locked
        said = f"{self.partial} is being written by another process; wait for its end"
        try:
            lock(file.fileno(), wait=False)
        except BlockingIOError as error:
            raise ValueError(said) from error
        if not self.partial.exists() or not os.path.samestat(os.fstat(file.fileno()), self.partial.stat()):
            raise ValueError(said)  # it was renamed, or removed, between opening and locking
        before = status_to_write(self.output)
        if before is not None:
            set_owner(self.partial, before)
        return file

    def _read(self) -> None:
        """Take over the windows of the journal that are whole in the output."""
        rows = self.path.read_bytes().split(b"\n")[:-1]  # behind the last line end stands one that was cut off
        try:
            found = [json.loads(row) for row in rows]
            windows = [Window(**each) for each in found[1:]]
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{self.path} is damaged ({error}). Remove it and {self.partial.name}, and begin anew"
            ) from error
        if found and found[0] != self._made_of:
            raise ValueError(
                f"{self.path} goes on with another output: {changes(found[0], self._made_of)}. Give what it was begun "
                f"with, or remove it and {self.partial.name} to begin anew"
            )
        for each in windows:
            content = self._content.read(each.end - self._content.tell())
            if self._content.tell() != each.end or checksum(content) != each.written:
                break
            self.windows.append(each)
        self.dropped = len(windows) - len(self.windows)

    def _begin(self) -> None:
        """Cut both files back to the windows that are taken over."""
        end = self.windows[-1].end if self.windows else 0
        self._content.truncate(end)
        self._content.seek(end)
        os.fsync(self._content.fileno())
        with atomic_write(self.path) as file:
            file.write(_line(self._made_of) + b"".join(_line(each._asdict()) for each in self.windows))
        self._list = self._files.enter_context(self.path.open("ab"))


def checksum(content: bytes) -> str:
    """Return the SHA-256 of some bytes, as digits."""
    return hashlib.sha256(content).hexdigest()


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return what two mappings have not in common, for people: `beams was 4 and is 5`."""
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return ", ".join(f"{name} was {before.get(name)} and is {now.get(name)}" for name in names)


def _append(file: BinaryIO, content: bytes) -> None:
    """Write, and come back when it is on the disk."""
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


def _line(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode() + b"\n"
