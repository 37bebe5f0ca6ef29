"""Flags of the commands that write a model for another search, of transformers or of a page: the text to measure on."""

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .line_files import read_lines

if TYPE_CHECKING:
    from vaswani.engines.native import Validation

NATIVE = "transformers"
"""Its name in `vaswani export --to`."""


def add_validation(parser: argparse.ArgumentParser, when: str, of_a_page: bool = False) -> None:
    """Declare --validation and --language; `when` names the flag that they go with, perhaps one that writes a page."""
    page = "; of a page for the browser, the card says the BLEU of its greedy search" if of_a_page else ""
    parser.add_argument(
        "--validation",
        metavar=("SOURCE", "REFERENCE"),
        nargs=2,
        type=Path,
        help=f"{when}: two files, one sentence per line, on which BLEU chooses the length penalty of the search of "
        f"transformers (default: the one that rises like the paper's at 25 tokens){page}",
    )
    parser.add_argument(
        "--language", metavar="CODE", help="language of REFERENCE, for its BLEU (default: guessed from its script)"
    )


def check_validation(args: argparse.Namespace, has_place: bool, flag: str) -> None:
    """Raise ValueError if a flag for what has a search of its own is given without one."""
    for name in ("validation", "language"):
        if getattr(args, name) is not None and not has_place:
            raise ValueError(f"--{name} is of a model with another search than ours; add {flag}, or leave it out")
    if args.language is not None and args.validation is None:
        raise ValueError("--language is of the REFERENCE of --validation, which is not given")


def read_validation(args: argparse.Namespace) -> "Validation | None":
    """Return the text of --validation; ValueError unless both files have the same number of lines, at least one."""
    if args.validation is None:
        return None
    sources, references = map(read_lines, args.validation)

    from vaswani.engines.native import Validation
    from vaswani.evaluation.scores import check_lines, figure

    check_lines(sources, references)
    return Validation(
        "bleu", sources, partial(figure, "bleu", references=references, language=args.language, sources=sources)
    )
