"""`vaswani filter --n_best`: of several translations of each line, the one that is most like the reference."""

import argparse
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from vaswani.translation.progress import Progress

from .growing_output import Text, growing, not_done, of_a_part
from .line_files import check_readable, check_writable, each_line, windows
from .sentence_scores import language_of, metric_in


class Row(NamedTuple):
    """A row of translations as TSV."""

    line: int
    """Of the text, from 1."""
    translation: str


def choose_best(args: argparse.Namespace) -> None:
    """Write the best translation of each line, and print how often it was not the first, and what that gained.

    Raises:
        ValueError: flags do not go together, or a line has a reference and no translation, or the other way round.
        OSError: a file cannot be read or written.

    """
    if args.references is None:
        raise ValueError("--n_best is judged by right translations: give --references FILE")
    if len(args.output) != 1:
        raise ValueError(f"--output has {len(args.output)} files; give one for the best translations")
    [path] = args.output
    for file, flag in ((args.n_best, "--n_best"), (args.references, "--references")):
        check_readable(file, flag)
    check_writable(path)
    from vaswani.evaluation.metric_table import SENTENCE_METRICS
    from vaswani.evaluation.sentence_scores import best_of, scores_of_translations

    measure, language = args.by or "bleu", language_of(args.references, args.language)
    metric = metric_in(measure, language)
    made_of = {"by": measure, "language": language, "sacrebleu": version("sacrebleu")}
    lines, others, of_first, of_best = 0, 0, 0.0, 0.0
    with growing(path, lambda: made_of, args.resume) as output, Progress(None, " lines", True) as progress:
        text = not_done(Text(windows(candidates(args.n_best, args.references)), 0, None), output.done, args.n_best)
        before = sum(each.lines for each in output.done)
        for window in text.windows:
            chosen = []
            for reference, *translations in (line.split("\n") for line in window):
                scores = scores_of_translations(metric, translations, reference)
                best = best_of(scores)
                chosen.append(translations[best])
                lines, others = lines + 1, others + (best > 0)
                of_first, of_best = of_first + scores[0], of_best + scores[best]
            output.write(window, chosen)
            progress.update(len(window))
    if lines:
        name = SENTENCE_METRICS[measure]
        print(
            f"{lines:,} lines judged; in {others:,} the best translation by sentence {name} is not the first. Mean "
            f"{name} of the first {of_first / lines:.2f}, of the best {of_best / lines:.2f}{of_a_part(before)}"
        )


def candidates(n_best: Path, references: Path) -> Iterator[str]:
    """Yield the reference and the translations of each line, with line ends between them.

    Raises:
        ValueError: a row is not one of translations, or lines and references do not match.

    """
    expected, rest = 0, each_line(references)
    for number, rows in groupby(rows_of(n_best), key=lambda row: row.line):
        expected += 1
        if number != expected:
            raise ValueError(f"{n_best} goes from line {expected - 1:,} to {number:,}: give all lines in their order")
        reference = next(rest, None)
        if reference is None:
            raise ValueError(f"{references} ends behind line {expected - 1:,}, and {n_best} has a line {number:,}")
        yield "\n".join([reference, *(row.translation for row in rows)])
    if next(rest, None) is not None:
        raise ValueError(f"{n_best} ends behind line {expected:,}, and {references} goes on")


def rows_of(n_best: Path) -> Iterator[Row]:
    """Yield the rows of a file of translations."""
    for number, row in enumerate(each_line(n_best), 1):
        columns: Sequence[str] = row.split("\t")
        if len(columns) < 4 or not columns[0].isdecimal():
            raise ValueError(
                f"{n_best}, line {number:,} is not a row of line, rank, score and translation; write it by vaswani "
                "translate --format tsv --n_best N"
            )
        yield Row(int(columns[0]), columns[3])
