"""Score a translation against a reference: sacreBLEU, chrF, TER and the paper's BLEU, with signatures."""

import argparse
import json
from pathlib import Path

from .lines import read_lines, write_lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani score` takes."""
    parser.add_argument("--references", metavar="FILE", type=Path, required=True, help="the right translation, UTF-8")
    parser.add_argument("--hypotheses", metavar="FILE", type=Path, help="the translation to judge (default: stdin)")
    parser.add_argument("--json", action="store_true", help="print JSON, figures unrounded")


def run(args: argparse.Namespace) -> None:
    """Print every score, one a line.

    Raises:
        ValueError: the counts of lines differ, there are none, or a line is not UTF-8.
        OSError: a file cannot be read.
    """
    references, hypotheses = read_lines(args.references), read_lines(args.hypotheses)

    from vaswani.evaluation.scores import score

    scores = score(hypotheses, references)
    if args.json:
        write_lines(None, [json.dumps({key: part._asdict() for key, part in scores._asdict().items()}, indent=2)])
    else:
        width = max(len(part.name) for part in scores)
        write_lines(None, [f"{part.name:<{width}}  {part.value:6.2f}  {part.signature}" for part in scores])
