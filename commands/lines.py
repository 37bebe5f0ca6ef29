r"""Lines of UTF-8 text, from a file or stdin and to a file or stdout.

A line ends at "\n" and nowhere else, as `wc -l` and `paste` count. The "\r" of a Windows line end and a byte order mark
at the start are not text and are taken off; what we write ends with "\n".
"""

import os
import sys
from collections.abc import Iterable
from pathlib import Path


def read_lines(path: Path | None) -> list[str]:
    """Read all lines, from stdin when there is no path.

    Raises:
        ValueError: a line is not UTF-8; names the line and the byte in it, both from 1.
        OSError: the file cannot be read.
    """
    content = sys.stdin.buffer.read() if path is None else path.read_bytes()
    rows = content.removeprefix(b"\xef\xbb\xbf").removesuffix(b"\n").split(b"\n") if content else []
    lines = []
    for number, row in enumerate(rows, 1):
        try:
            lines.append(row.removesuffix(b"\r").decode())
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path or 'stdin'}, line {number}, byte {error.start + 1}: 0x{row[error.start]:02x} is not UTF-8; "
                "convert the text first, for example with iconv -f latin1 -t utf-8"
            ) from error
    return lines


def check_writable(path: Path | None) -> None:
    """Refuse an output that cannot be written, before work is spent on it."""
    if path is not None and (path.is_dir() or not path.parent.is_dir()):
        raise ValueError(f"{path} cannot be written: {'it is a folder' if path.is_dir() else 'its folder is missing'}")


def write_lines(path: Path | None, lines: Iterable[str]) -> None:
    """Write lines to stdout, or to a file that appears whole or not at all: written aside, then renamed."""
    content = "".join(f"{line}\n" for line in lines).encode()
    if path is None:
        sys.stdout.buffer.write(content)
    elif path.exists() and not path.is_file():  # a pipe or /dev/null: renaming would take its place
        path.write_bytes(content)
    else:
        target = path.resolve()
        aside = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            with aside.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)
