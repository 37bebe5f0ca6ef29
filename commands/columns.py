"""Columns of figures, a row for each line of parallel files, by windows; a file of them can be gone on with."""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from vaswani.translation.progress import Progress

from .growing_output import Text, growing, not_done
from .line_files import check_readable, check_writable, each_line, uneven, windows

Columns = Callable[[Sequence[Sequence[str]], int], Iterator[str]]
"""Takes the lines of each file and the number of the first, from 1, and returns the row of each line."""


def write_columns(
    args: argparse.Namespace, files: Sequence[Path | None], made_of: Callable[[], Mapping[str, Any]], columns: Columns
) -> None:
    """Write the rows of all lines to `args.output`, or go on with it if `args.resume` asks for it.

    Args:
        args: of the command line.
        files: parallel; None is stdin.
        made_of: what the rows depend on, besides the lines, by name.
        columns: returns the rows of a window.

    Raises:
        ValueError: the files differ in length or are not UTF-8, or the output is another's.
        OSError: a file cannot be read or written.

    """
    is_shown = args.output is not None or (sys.stderr is not None and sys.stderr.isatty())
    with growing(args.output, made_of, args.resume) as output, Progress(None, " lines", is_shown) as progress:
        text = not_done(Text(windows(side_by_side(files)), 0, None), output.done, files[0])
        first = text.before + 1
        for window in text.windows:
            sides = list(zip(*(row.split("\n") for row in window), strict=True))
            output.write(window, list(columns(sides, first)))
            first += len(window)
            progress.update(len(window))


def check_columns(args: argparse.Namespace, files: Sequence[Path | None], flags: Sequence[str]) -> None:
    """Refuse files that cannot be read or written, before anything is loaded; raises ValueError or OSError."""
    check_writable(args.output)
    for path, flag in zip(files, flags, strict=True):
        check_readable(path, flag)


def side_by_side(files: Sequence[Path | None]) -> Iterator[str]:
    """Yield the lines of parallel files with a line end between them; ValueError if one ends before the others."""
    for number, row in enumerate(zip_longest(*map(each_line, files)), 1):
        if None in row:
            raise uneven(files, row, number)
        yield "\n".join(row)
