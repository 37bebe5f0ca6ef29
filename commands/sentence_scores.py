"""`vaswani score --sentences`: sentence BLEU and chrF of each line, and COMET if it is asked for, as columns."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .columns import check_columns, write_columns
from .comet_scores import cut_remark, load_comet
from .line_files import WINDOW_LINES, each_line

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric

    from vaswani.neural_metrics.comet.checkpoint import Comet


def score_sentences(args: argparse.Namespace) -> None:
    """Write BLEU and chrF of each line, a line for a line; how they are counted goes to stderr.

    Raises:
        ValueError: more than one translation is given, or the texts differ in length.
        OSError: a file cannot be read or written.

    """
    if len(args.hypotheses) > 1:
        raise ValueError("--sentences scores one translation: give one file as --hypotheses")
    flags = {"--references": (args.references or [None])[0], "--hypotheses": args.hypotheses[0]}
    flags["--sources"] = args.sources
    names = [flag for flag, path in flags.items() if path is not None or flag == "--hypotheses"]
    files = [flags[flag] for flag in names]
    check_columns(args, files, names)
    from vaswani.evaluation.metric_table import SENTENCE_METRICS
    from vaswani.evaluation.sentence_scores import scores_of_lines

    comet = None if args.comet is None else load_comet(args, "--sources" in names, "--references" in names)
    made_of: dict[str, Any] = {}
    metrics: list[Metric] = []
    if flags["--references"] is not None:
        language = language_of(flags["--references"], args.language)
        metrics = [metric_in(measure, language) for measure in SENTENCE_METRICS]
        made_of = {"language": language, "sacrebleu": version("sacrebleu")}
    if comet is not None:
        made_of |= {"comet": said_of(comet, flags["--references"] is not None)}
    cut = 0

    def columns(lines: Sequence[Sequence[str]], _: int) -> Iterator[str]:
        nonlocal cut
        side = dict(zip(names, lines, strict=True))
        hypotheses, references = side["--hypotheses"], side.get("--references")
        found = [scores_of_lines(each, hypotheses, references or []) for each in metrics]
        if comet is not None:
            from vaswani.neural_metrics.comet.scores import score_lines

            scored = score_lines(comet, [hypotheses], side.get("--sources"), references)
            cut += scored.cut
            found.append(scored.of_lines[0].tolist())
        for row in zip(*found, strict=True):
            yield "\t".join(f"{score:.4f}" for score in row)

    write_columns(args, files, lambda: made_of, columns)
    if comet is not None and cut and sys.stderr is not None:
        print(cut_remark(comet, cut), file=sys.stderr)


def said_of(comet: "Comet", references: bool) -> str:
    """Return the signature of COMET, and say it on stderr with what users have to know."""
    from vaswani.neural_metrics.comet.scores import signature

    signed = signature(comet, references and comet.network.settings.reads_references, {})
    if sys.stderr is not None:
        print(*comet.remarks, f"COMET of a sentence: {signed}", sep="\n", file=sys.stderr)
    return signed


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
