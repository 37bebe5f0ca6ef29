"""`vaswani filter --sources`: the pairs of two files that are good by all that is asked for.

The files are read twice: once to decide, once to write. So a share of the scores is exact, and no text is held.
"""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from itertools import islice, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from vaswani.storage import atomic_write
from vaswani.translation.progress import Progress

from .line_files import check_readable, check_writable, read_text, uneven

if TYPE_CHECKING:
    from vaswani.data.pair_filter import Criteria, Lengths, ScoredRows, ScoreLimits

WINDOW_PAIRS = 1000


def keep_pairs(args: argparse.Namespace) -> None:
    """Write the pairs that are kept, and print how many are and why the others are not.

    Raises:
        ValueError: flags do not go together, the files differ in length, change while they are read, or are damaged.
        OSError: a file cannot be read or written.

    """
    check(args)
    from vaswani.data import Drops
    from vaswani.data.file_names import printable
    from vaswani.data.opened_file import OpenedFile
    from vaswani.data.pair_filter import kept_pairs

    files = [args.sources, args.targets, *([] if args.scores is None else [args.scores])]
    as_opened = [OpenedFile(each) for each in files]
    name, drops = printable(args.sources), Drops()
    with Progress(None, " pairs", True) as progress:
        kept = kept_pairs(
            (read(window, args, progress) for window in windows(files)),
            criteria_of(args),
            lambda place: f"{name}, line {place + 1}",
            drops,
        )
    with ExitStack() as stack:
        outputs = [Packed(stack, path) for path in args.output]
        place = 0
        for window in windows(files[:2]):
            those = kept[place : place + len(window)]
            for output, side in zip(outputs, zip(*window, strict=True), strict=True):
                output.write([row for row, is_kept in zip(side, those, strict=True) if is_kept])
            place += len(window)
        for output in outputs:
            output.finish()
        for each in as_opened:
            each.unchanged()
    drops.joined = 0  # a line that has such a break inside is written as it is
    print(drops.report())


def check(args: argparse.Namespace) -> None:
    """Refuse what cannot be done, before anything is read; raises ValueError or OSError."""
    if args.targets is None:
        raise ValueError("--sources are one side of pairs: give the other as --targets FILE")
    if len(args.output) != 2:
        raise ValueError(f"--output has {len(args.output)} file(s); give two, for the sources and the targets kept")
    if args.output[0].resolve() == args.output[1].resolve():
        raise ValueError(f"--output has {args.output[0]} twice; give a file for each side")
    for_scores = ("column", "min_score", "max_score", "drop_lowest", "drop_highest")
    of_scores = [f"--{name}" for name in for_scores if getattr(args, name) is not None]
    if args.scores is None and of_scores:
        raise ValueError(f"{of_scores[0]} needs scores: give --scores FILE, as vaswani score --model writes it")
    if args.scores is not None and not set(of_scores) - {"--column"}:
        raise ValueError("--scores are given, and nothing is asked of them: give --drop_highest SHARE or another limit")
    for path, flag in ((args.sources, "--sources"), (args.targets, "--targets"), (args.scores, "--scores")):
        if path is not None:
            if path.exists() and not path.is_file():
                raise ValueError(f"{flag} {path} is no file, and it is read twice: give a file")
            check_readable(path, flag)
    for path in args.output:
        check_writable(path)


def criteria_of(args: argparse.Namespace) -> "Criteria":
    """Return what the command line asks for; raises ValueError if a limit keeps nothing or a language is unknown."""
    from vaswani.data import CleaningLimits, scripts_of
    from vaswani.data.cleaning import CHARACTERS, CHARACTERS_A_TOKEN
    from vaswani.data.pair_filter import Criteria

    most = args.max_tokens
    source, target = (None, None) if args.check_script is None else map(scripts_of, args.check_script)
    limits = CleaningLimits(
        max_tokens=sys.maxsize if most is None else most,
        max_ratio=math.inf if args.max_ratio is None else args.max_ratio,
        max_characters=sys.maxsize if most is None else max(CHARACTERS, CHARACTERS_A_TOKEN * most),
        drop_html=args.drop_html,
        source_scripts=source,
        target_scripts=target,
    )
    return Criteria(limits, lengths_of(args), args.drop_identical, args.drop_duplicates, score_limits(args))


def score_limits(args: argparse.Namespace) -> "ScoreLimits":
    """Return which scores are kept."""
    from vaswani.data.pair_filter import ScoreLimits

    least, most = (-math.inf if args.min_score is None else args.min_score), args.max_score
    is_high_worse = args.drop_highest is not None
    share = args.drop_highest if is_high_worse else args.drop_lowest
    return ScoreLimits(least, math.inf if most is None else most, share or Fraction(0), is_high_worse)


def lengths_of(args: argparse.Namespace) -> "Lengths":
    """Return how texts are measured: in tokens of a vocabulary, or in words between spaces."""
    if args.max_ratio is None and args.max_tokens is None:
        if args.tokenizer is not None:
            raise ValueError("--tokenizer measures lengths, and none is limited: give --max_tokens or --max_ratio")
        return lambda texts: [0] * len(texts)
    if args.tokenizer is None:
        for path in (args.sources, args.targets):
            check_has_spaces(path)
        return lambda texts: [len(text.split()) for text in texts]
    from vaswani.data.word_encoding import WordEncoder
    from vaswani.translation.loading import load_tokenizer
    from vaswani.translation.models import find_model

    encode_texts = WordEncoder(load_tokenizer(find_model(args.tokenizer).folder))
    return lambda texts: encode_texts(texts).lengths.tolist() if texts else []


def check_has_spaces(path: Path) -> None:
    """Refuse to count words in a text without spaces between them, as its first lines show; raises ValueError."""
    from vaswani.evaluation.languages import lengths

    with read_text(path) as file:
        first = [row.decode("utf-8", "replace") for row in islice(file, WINDOW_PAIRS)]
    if lengths(first).unit != "words":
        raise ValueError(
            f"{path} has no spaces between its words, so that they cannot be counted: give --tokenizer MODEL, whose "
            "tokens are counted instead"
        )


def windows(files: Sequence[Path]) -> Iterator[list[tuple[bytes, ...]]]:
    """Yield the rows of parallel files without their ends, some at a time; ValueError if one ends before the others."""
    with ExitStack() as stack:
        rows = zip_longest(*(stack.enter_context(read_text(path)) for path in files))
        number = 0
        while window := list(islice(rows, WINDOW_PAIRS)):
            for row in window:
                number += 1
                if None in row:
                    raise uneven(files, row, number)
            is_first = number == len(window)
            yield [tuple(bare(line, is_first and not place) for line in row) for place, row in enumerate(window)]


def bare(line: bytes, is_first: bool) -> bytes:
    """Return a line without its end, and the first of a file without a byte order mark."""
    line = line.removesuffix(b"\n").removesuffix(b"\r")
    return line.removeprefix(b"\xef\xbb\xbf") if is_first else line


def read(window: list[tuple[bytes, ...]], args: argparse.Namespace, progress: Progress) -> "ScoredRows":
    """Return the rows of a window as pairs, with their scores."""
    from vaswani.data.file_names import printable
    from vaswani.data.pair_filter import ScoredRows
    from vaswani.data.pairs import join_sides
    from vaswani.data.text_files import decode

    sources, targets, *scores = zip(*window, strict=True)
    first = progress.done + 1
    paths = printable(args.sources), printable(args.targets)
    rows = join_sides(
        *(
            [decode(line, f"{path}, line {number}") for number, line in enumerate(side, first)]
            for path, side in zip(paths, (sources, targets), strict=True)
        )
    )
    found = [score(row, args, number) for number, row in enumerate(scores[0], first)] if scores else None
    progress.update(len(window))
    return ScoredRows(rows, found)


def score(row: bytes, args: argparse.Namespace, number: int) -> float | None:
    """Return the figure of a row of scores; None if its place is empty.

    Raises:
        ValueError: there is no such column, or it holds no number.

    """
    columns = row.split(b"\t")
    place = len(columns) if args.column is None else args.column
    if place > len(columns):
        raise ValueError(f"{args.scores}, line {number:,} has {len(columns)} column(s), and --column is {place}")
    given = columns[place - 1].decode("utf-8", "replace").strip()
    try:
        found = float(given) if given else None
    except ValueError:
        found = math.nan
    if found is not None and math.isnan(found):
        raise ValueError(f"{args.scores}, line {number:,}, column {place}: {given!r} is not a number")
    return found


class Packed:
    """A file of lines that appears at the end, complete, packed as its name says."""

    def __init__(self, stack: ExitStack, path: Path) -> None:
        from vaswani.data.containers import packer_of

        self._pack = packer_of(path)
        self._file = stack.enter_context(atomic_write(path))

    def write(self, rows: Sequence[bytes]) -> None:
        """Add lines."""
        if rows:
            self._file.write(self._pack(b"".join(row + b"\n" for row in rows)))

    def finish(self) -> None:
        """Make a packed file without lines one that can be unpacked."""
        if not self._file.tell():
            self._file.write(self._pack(b""))
