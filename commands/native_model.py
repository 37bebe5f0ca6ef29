"""Flags of the commands that write a model as a class of transformers' own: what its length penalty is chosen on."""

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .line_files import read_lines

if TYPE_CHECKING:
    from vaswani.engines.native import Validation

NATIVE = "transformers"
"""What `vaswani export --to` calls it."""


def add_validation(parser: argparse.ArgumentParser, when: str) -> None:
    """Declare --validation and --language; `when` says what they are of use with."""
    parser.add_argument(
        "--validation",
        metavar=("SOURCE", "REFERENCE"),
        nargs=2,
        type=Path,
        help=f"{when}: two files, a sentence a line, on which the length penalty of the search of transformers is "
        "chosen by BLEU (default: the one that rises like the paper's at 25 tokens)",
    )
    parser.add_argument(
        "--language", metavar="CODE", help="of REFERENCE, for its BLEU (default: what its script tells)"
    )


def check_validation(args: argparse.Namespace, has_place: bool, flag: str) -> None:
    """Raise ValueError where what only a native model takes is given without one."""
    for name in ("validation", "language"):
        if getattr(args, name) is not None and not has_place:
            raise ValueError(f"--{name} is of a model of transformers' own; add {flag}, or leave it out")
    if args.language is not None and args.validation is None:
        raise ValueError("--language is of the REFERENCE of --validation, which is not given")


def read_validation(args: argparse.Namespace) -> "Validation | None":
    """Return what --validation names; ValueError unless both files have as many lines, at least one."""
    if args.validation is None:
        return None
    sources, references = map(read_lines, args.validation)

    from vaswani.engines.native import Validation
    from vaswani.evaluation.scores import check_lines, figure

    check_lines(sources, references)
    return Validation(
        "bleu", sources, partial(figure, "bleu", references=references, language=args.language, sources=sources)
    )
