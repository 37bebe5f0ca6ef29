"""Where a line for each line goes: to a pipe at once, or to a file that grows by windows and can be gone on with."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from vaswani.storage import Journal
from vaswani.storage.journal import Window, checksum

from .line_files import count_lines, each_line, windows, writing


class Shard(NamedTuple):
    """One of several parts of a text, each a run of whole windows; in order they are the text."""

    number: int
    """From 1."""
    of: int

    @classmethod
    def read(cls, given: str) -> "Shard":
        """Return what `i/n` says; raises ValueError if it says nothing."""
        number, _, of = given.partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise ValueError(f"--shard is {given!r}; give the number of this part and of all, such as 1/8 ... 8/8")
        return cls(int(number), int(of))


class Text(NamedTuple):
    """What is to be translated."""

    windows: Iterator[list[str]]
    before: int
    """Lines of the file in front of the first window."""
    lines: int | None
    """In the windows, if that is known."""


def text_of(path: Path | None, shard: Shard | None, is_counted: bool) -> Text:
    """Return a text, or a part of one; `is_counted` asks for its lines, for which a file is read once more.

    Raises:
        ValueError: a part is asked for of what is no file.

    """
    is_file = path is not None and path.is_file()
    if not is_file and shard is not None:
        raise ValueError(f"--shard {shard.number}/{shard.of} needs the length of the text: give it as --input FILE")
    if path is None or not is_file:
        return Text(windows(each_line(path)), 0, None)
    if shard is None:
        return Text(windows(each_line(path)), 0, count_lines(path) if is_counted else None)
    sizes = [len(each) for each in windows(each_line(path))]
    first, end = (len(sizes) * place // shard.of for place in (shard.number - 1, shard.number))
    return Text(islice(windows(each_line(path)), first, end), sum(sizes[:first]), sum(sizes[first:end]))


def of_a_part(lines: int) -> str:
    """Return the end of a message that does not count lines of which the output was there before."""
    return f" (of the lines from {lines + 1:,} on; those before were done earlier)" if lines else ""


def not_done(text: Text, done: list[Window], path: Path | None) -> Text:
    """Return the rest of a text behind the windows that are done, which must be those that were read."""

    def rest() -> Iterator[list[str]]:
        line = text.before
        for each in done:
            found = next(text.windows, [])
            if len(found) != each.lines or read_of(found) != each.read:
                raise ValueError(
                    f"{path or 'stdin'}, or a file beside it, changed since the output was begun, at or behind line "
                    f"{line + 1:,}: give the same text, or remove the journal and begin anew"
                )
            line += each.lines
        yield from text.windows

    lines = sum(each.lines for each in done)
    return Text(rest(), text.before + lines, None if text.lines is None else text.lines - lines)


def read_of(window: Iterable[str]) -> str:
    """Return the checksum of a window of the input."""
    return checksum("\n".join(window).encode())


class Output(NamedTuple):
    """Where windows are written."""

    done: list[Window]
    write: Callable[[list[str], list[str]], None]
    """Takes the lines of a window, and what is written for them."""


@contextmanager
def growing(path: Path | None, made_of: Callable[[], Mapping[str, Any]], resume: bool) -> Iterator[Output]:
    """Yield an output; a file is there under its name when the block has ended well, packed as the name says.

    After any other end its windows stay for `resume`, and a line on stderr says so, unless that end was a kill.
    `made_of` is what `Journal` asks for; it is called for a file alone, since it reads the whole model.

    Raises:
        ValueError: see `Journal`; or `resume` is true and the output is no file.
        SystemExit: SIGTERM came; its code is 75.

    """
    if path is None or (path.exists() and not path.is_file()):
        if resume:
            raise ValueError(f"--resume goes on with a file, and {path or 'stdout'} is none: give --output FILE")
        with writing(path) as write:
            yield Output([], lambda _, rows: write(rows))
        return

    from vaswani.data.containers import packer_of

    pack = packer_of(path)
    with Journal(path, made_of(), resume) as journal:
        if journal.dropped:
            print(
                f"Done again: {journal.dropped:,} window(s) that {journal.partial.name} does not hold whole",
                file=sys.stderr,
            )

        def add(lines: list[str], rows: list[str]) -> None:
            content = "".join(f"{row}\n" for row in rows).encode()
            journal.add(len(lines), read_of(lines), pack(content))

        try:
            with stopping_on_sigterm():
                yield Output(list(journal.windows), add)
        except BaseException:
            if journal.windows:
                print(
                    f"{journal.lines:,} line(s) are kept in {journal.partial}; the same command with --resume goes on",
                    file=sys.stderr,
                )
            raise
        if not journal.windows:
            add([], [])  # or a packed file without lines could not be unpacked
        journal.finish()


@contextmanager
def stopping_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end the block by SystemExit."""

    def stop(*_: Any) -> None:
        raise SystemExit(os.EX_TEMPFAIL)  # as a run of training ends

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
