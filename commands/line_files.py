r"""Lines of UTF-8 text, from a file or stdin and to a file or stdout.

A line ends at "\n" and nowhere else, as `wc -l` and `paste` count. The "\r" of a Windows line end and a byte order mark
at the start are not text and are removed; lines that we write end with "\n". Compressed text is recognised by its
bytes, whatever its name, and unpacked.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from vaswani.storage import atomic_write

WINDOW_LINES, WINDOW_CHARACTERS = 8192, 4_000_000
"""The most that is held at a time: enough to sort by length, in a few megabytes."""


def read_lines(path: Path | None) -> list[str]:
    """Read all lines, from stdin when there is no path; raises as `each_line` does."""
    return list(each_line(path))


def each_line(path: Path | None) -> Iterator[str]:
    """Read line after line, from stdin when there is no path.

    Raises:
        ValueError: a line is not UTF-8; names the line and the byte in it, both from 1. Or the file is not text, or is
            compressed and damaged.
        OSError: the file cannot be read.
    """
    with read_text(path) as file:
        yield from decoded(file, str(path or "stdin"))


def line_by_line() -> Iterator[list[str]]:
    """Read windows of a line from stdin, each as soon as it is there; ValueError if they are not text as it is."""
    from vaswani.data.containers import packing_of

    def rows() -> Iterator[bytes]:
        for number, row in enumerate(iter(sys.stdin.buffer.readline, b"")):
            if number == 0 and packing_of(row) is not None:
                raise ValueError("stdin is compressed, and --line_buffered reads lines as they come: unpack it before")
            yield row

    return ([line] for line in decoded(rows(), "stdin"))


def decoded(rows: Iterable[bytes], name: str) -> Iterator[str]:
    """Return the lines of a text without their ends; ValueError if one is not UTF-8, see `each_line`."""
    for number, content in enumerate(rows, 1):
        row = content.removeprefix(b"\xef\xbb\xbf") if number == 1 else content
        row = row.removesuffix(b"\n").removesuffix(b"\r")
        try:
            yield row.decode()
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{name}, line {number}, byte {error.start + 1}: 0x{row[error.start]:02x} is not UTF-8; "
                "convert the text first, for example with iconv -f latin1 -t utf-8"
            ) from error


@contextmanager
def read_text(path: Path | None) -> Iterator[Any]:
    """Yield the bytes of a text, unpacked if they are compressed; ValueError if they are not text."""
    with nullcontext(sys.stdin.buffer) if path is None else path.open("rb") as file:
        from vaswani.data.containers import STDIN, unpacked

        yield unpacked(file, str(path or STDIN))


def check_readable(path: Path | None, flag: str = "--input") -> None:
    """Refuse an input that cannot be read, before work is spent on it; `flag` is the flag that names a file.

    Raises:
        ValueError: it is stdin, and stdin is closed; or it is not text.
        OSError: the file cannot be read.

    """
    if path is None and sys.stdin is None:
        raise ValueError(f"stdin is closed; give {flag} FILE")
    if path is None or path.is_fifo():  # a pipe can be opened once: its writer ends with the first reader
        return
    if path.is_file():
        with read_text(path):
            pass
    else:
        path.open("rb").close()


def windows(lines: Iterable[str]) -> Iterator[list[str]]:
    """Cut lines into lists that can be held in memory, by numbers of lines and characters; a longer line is alone."""
    window: list[str] = []
    characters = 0
    for line in lines:
        if window and (len(window) == WINDOW_LINES or characters + len(line) > WINDOW_CHARACTERS):
            yield window
            window, characters = [], 0
        window.append(line)
        characters += len(line)
    if window:
        yield window


def uneven(files: Sequence[Path | None], row: Sequence[object | None], number: int) -> ValueError:
    """Return the error of parallel files of which some have no more lines: their `row`, of this number, has None."""
    from vaswani.data.file_names import printable

    names = ["stdin" if path is None else printable(path) for path in files]
    short, long = (next(name for name, line in zip(names, row, strict=True) if (line is None) is is_short)
                   for is_short in (True, False))  # fmt: skip
    return ValueError(f"{short} ends behind line {number - 1:,}, and {long} goes on: they must have as many lines")


def distinct(names: Iterable[str]) -> list[str]:
    """Return names of files of which each is another one: the same file again is `mine.de (2)`."""
    found: list[str] = []
    for name in names:
        number = 1 + sum(each == name or each.startswith(f"{name} (") for each in found)
        found.append(name if number == 1 else f"{name} ({number})")
    return found


def count_lines(path: Path) -> int:
    """Return how many lines a text has."""
    with read_text(path) as file:
        return sum(1 for _ in file)


def check_writable(path: Path | None, remedy: str = "give --output FILE") -> None:
    """Refuse an output that cannot be written, before work is spent on it."""
    if path is None and sys.stdout is None:
        raise ValueError(f"stdout is closed; {remedy}")
    if path is not None and (path.is_dir() or not path.parent.is_dir()):
        raise ValueError(f"{path} cannot be written: {'it is a folder' if path.is_dir() else 'its folder is missing'}")
    if path is not None and not os.access(path if path.is_char_device() or path.is_fifo() else path.parent, os.W_OK):
        raise ValueError(f"{path} cannot be written: you may not write to its folder; name another place")


def write_lines(path: Path | None, lines: Iterable[str]) -> None:
    """Write lines to stdout, or to a file that is written completely or not at all."""
    with writing(path) as write:
        write(lines)


@contextmanager
def writing(path: Path | None) -> Iterator[Callable[[Iterable[str]], None]]:
    """Yield a function that writes lines to stdout at once, or to a file that appears at the end, complete.

    A pipe or /dev/null is written to at once.
    """

    def into(file: BinaryIO) -> Callable[[Iterable[str]], None]:
        def write(lines: Iterable[str]) -> None:
            file.write("".join(f"{line}\n" for line in lines).encode())
            file.flush()

        return write

    if path is None:
        yield into(sys.stdout.buffer)
    else:
        is_pipe = path.exists() and not path.is_file()
        try:
            with atomic_write(path) as file:
                yield into(file)
        except BrokenPipeError as error:
            if not is_pipe:
                raise
            raise ValueError(f"the reader of {path} ended before all was written") from error
