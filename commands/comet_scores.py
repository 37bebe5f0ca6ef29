"""`vaswani score --comet`: COMET of an output, or a comparison of several by it, from a published checkpoint."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vaswani.evaluation.scores import Score
    from vaswani.evaluation.significance import Comparison
    from vaswani.neural_metrics.comet.checkpoint import Comet

NAME = "COMET"
Lines = Sequence[str]


def load_comet(args: argparse.Namespace, sources: bool, references: bool) -> "Comet":
    """Return the network of --comet on this machine's accelerator, or its CPU.

    Args:
        args: of the command line.
        sources: whether there are any.
        references: likewise.

    Raises:
        ValueError: it cannot be loaded, or reads what there is not.

    """
    from vaswani.neural_metrics.comet.checkpoint import load
    from vaswani.neural_metrics.comet.scores import check_inputs
    from vaswani.translation.models import find_device

    comet = load(args.comet, args.comet_encoder, find_device(None))
    check_inputs(comet, sources, references)
    return comet


def comet_of(
    comet: "Comet", outputs: Sequence[Lines], sources: Lines | None, references: Lines | None
) -> tuple["Score | Comparison", list[str]]:
    """Return the score of one output, or the comparison of several, and remarks on it; shows how far it is."""
    from vaswani.evaluation.scorer import statistics_of_means
    from vaswani.evaluation.scores import Score
    from vaswani.evaluation.significance import compared, draws_of
    from vaswani.neural_metrics.comet.scores import number_of_texts, score_lines, signature
    from vaswani.translation.progress import Progress

    draws = draws_of()
    references = references if comet.network.settings.reads_references else None
    total = number_of_texts(comet, outputs, sources, references)
    with Progress(total, " texts", sys.stderr is not None) as progress:
        found = score_lines(comet, outputs, sources, references, progress.update)
    signed = partial(signature, comet, references is not None)
    said = [cut_remark(comet, found.cut)] if found.cut else []
    if len(outputs) == 1:
        return Score(NAME, float(found.of_lines.mean()), signed({})), said
    watched = sys.stderr is not None and sys.stderr.isatty()
    return compared(NAME, statistics_of_means(found.of_lines, signed), draws, watched), said


def cut_remark(comet: "Comet", number: int) -> str:
    """Return what is to be said of texts that are cut."""
    from vaswani.neural_metrics.comet.scores import lengths_of

    of_text, of_sequence = lengths_of(comet)
    limit = of_sequence if comet.network.settings.kind == "unified_metric" else of_text
    return f"{NAME} reads {limit} tokens: {number:,} longer text(s) count by their begin, as by its own package"
