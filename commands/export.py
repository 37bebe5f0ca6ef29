"""Write a trained model for another engine, as a class of transformers' own, or as a page for the browser."""

import argparse
import sys
from pathlib import Path

from vaswani.translation.models import EXPORTED_FILES, MODEL, check_name, find_model

from .line_files import read_lines
from .native_model import NATIVE, add_validation, check_validation, read_validation

BROWSER = "browser"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani export` takes."""
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument("output", metavar="OUT", type=Path, help="folder to write, new or empty")
    parser.add_argument(
        "--to",
        metavar="ENGINE",
        required=True,
        choices=(*EXPORTED_FILES, NATIVE, BROWSER),
        help=f"{', '.join(EXPORTED_FILES)}; {NATIVE}, a class of its own that loads without this package; or "
        f"{BROWSER}, a folder of static files that translates in the browser",
    )
    parser.add_argument(
        "--quantization",
        metavar="TYPE",
        help="how weights are stored: float32, int8, ...; docs/engines.md has those of each engine (default: float32, "
        f"and int8 for {BROWSER})",
    )
    parser.add_argument(
        "--shortlist",
        metavar=("SOURCE", "TARGET"),
        nargs=2,
        type=Path,
        help="with --to ctranslate2: two files of text that the model was trained on, one sentence per line, from "
        "which it learns the target tokens that each source token may need; translations then consist of these, and "
        "--validation measures the loss and the gain (default: all tokens)",
    )
    add_validation(parser, f"with --to {NATIVE} or {BROWSER}", of_a_page=True)


def run(args: argparse.Namespace) -> None:
    """Write `args.model` to `args.output`.

    Raises:
        ValueError: there is no such model, it is not one of ours, the output exists, or the engine is not installed or
            has no such quantization, or npm, which bundles the page for the browser, is missing.
        OSError: a file cannot be written.
    """
    check_name(args.output.resolve())
    if args.shortlist is not None and args.to != "ctranslate2":
        raise ValueError(
            f"--shortlist is of CTranslate2, and --to is {args.to}: leave it out, or give --to ctranslate2"
        )
    has_place = args.to in (NATIVE, BROWSER) or args.shortlist is not None
    check_validation(args, has_place, f"--to {NATIVE} or {BROWSER}, or --shortlist")
    model = find_model(args.model)

    from transformers.utils import logging

    from vaswani.engines.export import export, export_to_browser, export_to_transformers

    if not sys.stderr.isatty():
        logging.disable_progress_bar()
    if args.to == NATIVE:
        export_to_transformers(model.folder, args.output, args.quantization or "float32", read_validation(args), print)
    elif args.to == BROWSER:
        quantization = args.quantization or "int8"
        export_to_browser(model.folder, args.output, model.name, quantization, read_validation(args), print)
    else:
        text = None if args.shortlist is None else read_shortlist_text(*args.shortlist)
        quantization = args.quantization or "float32"
        export(model.folder, args.output, args.to, quantization, text, read_validation(args), print)


def read_shortlist_text(sources: Path, targets: Path) -> tuple[list[str], list[str]]:
    """Return the pairs that a shortlist is learned from; ValueError unless there are as many lines in both files."""
    both = read_lines(sources), read_lines(targets)
    if len(both[0]) != len(both[1]):
        raise ValueError(
            f"{sources} has {len(both[0]):,} lines and {targets} {len(both[1]):,}: --shortlist takes a text and its "
            "translation, a line for a line"
        )
    return both
