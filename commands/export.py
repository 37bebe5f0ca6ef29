"""Write a trained model for another engine: CTranslate2 or ONNX."""

import argparse
import sys
from pathlib import Path

from vaswani.translation.models import EXPORTED_FILES, MODEL, check_name, find_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani export` takes."""
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument("output", metavar="OUT", type=Path, help="folder to write, new or empty")
    parser.add_argument("--to", metavar="ENGINE", required=True, choices=EXPORTED_FILES, help="ctranslate2 or onnx")
    parser.add_argument(
        "--quantization",
        metavar="TYPE",
        default="float32",
        help="how weights are stored: float32 or int8; with ctranslate2 also float16, bfloat16, int16, ... "
        "(default: float32)",
    )


def run(args: argparse.Namespace) -> None:
    """Write `args.model` to `args.output`.

    Raises:
        ValueError: there is no such model, it is not one of ours, the output exists, or the engine is not installed or
            has no such quantization.
        OSError: a file cannot be written.
    """
    check_name(args.output.resolve())
    model = find_model(args.model)

    from transformers.utils import logging

    from vaswani.engines.export import export

    if not sys.stderr.isatty():
        logging.disable_progress_bar()
    export(model.folder, args.output, args.to, args.quantization)
