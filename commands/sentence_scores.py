"""`vaswani score --sentences`: sentence BLEU and chrF of each line, as columns."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from .columns import check_columns, write_columns
from .line_files import WINDOW_LINES, each_line

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric


def score_sentences(args: argparse.Namespace) -> None:
    """Write BLEU and chrF of each line, a line for a line; how they are counted goes to stderr.

    Raises:
        ValueError: more than one translation is given, or the texts differ in length.
        OSError: a file cannot be read or written.

    """
    if len(args.hypotheses) > 1:
        raise ValueError("--sentences scores one translation: give one file as --hypotheses")
    (references_file,) = args.references
    files = [references_file, args.hypotheses[0]]
    check_columns(args, files, ["--references", "--hypotheses"])
    from vaswani.evaluation.metric_table import SENTENCE_METRICS
    from vaswani.evaluation.sentence_scores import scores_of_lines

    language = language_of(references_file, args.language)
    metrics = [metric_in(measure, language) for measure in SENTENCE_METRICS]

    def columns(lines: Sequence[Sequence[str]], _: int) -> Iterator[str]:
        references, hypotheses = lines
        for row in zip(*(scores_of_lines(each, hypotheses, references) for each in metrics), strict=True):
            yield "\t".join(f"{score:.4f}" for score in row)

    write_columns(args, files, lambda: {"language": language, "sacrebleu": version("sacrebleu")}, columns)


def language_of(references: Path, given: str | None) -> str | None:
    """Return the language that a text is scored in, by its first lines, and say on stderr what was chosen."""
    from vaswani.evaluation.languages import choose

    is_file = references.is_file()  # the lines of a pipe come once
    chosen = choose(list(islice(each_line(references), WINDOW_LINES)) if is_file else [], given)
    if chosen.note and sys.stderr is not None:
        print(chosen.note, file=sys.stderr)
    return chosen.language


def metric_in(measure: str, language: str | None) -> "Metric":
    """Return a measure of sentences, and say on stderr how it counts: its smoothing among the rest."""
    from vaswani.evaluation.metric_table import SENTENCE_METRICS
    from vaswani.evaluation.sentence_scores import sentence_metric, signature

    metric = sentence_metric(measure, language)
    if sys.stderr is not None:
        print(f"{SENTENCE_METRICS[measure]} of a sentence: {signature(metric)}", file=sys.stderr)
    return metric
