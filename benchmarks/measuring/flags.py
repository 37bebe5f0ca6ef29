"""Flags that several benchmarks take alike."""

import argparse
from pathlib import Path

import torch


def add_rounds(parser: argparse.ArgumentParser, default: int) -> None:
    """Add --rounds."""
    parser.add_argument("--rounds", type=int, default=default, help="rounds of measuring (default: %(default)s)")


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add --threads, which `torch.set_num_threads` is to be given."""
    parser.add_argument(
        "--threads",
        type=int,
        default=torch.get_num_threads(),
        help="threads of torch in a process (default: %(default)s)",
    )


def add_model_and_texts(parser: argparse.ArgumentParser, lines: int) -> None:
    """Add MODEL, and --input, --references and --lines, whose default is `lines`."""
    parser.add_argument("model", type=Path, help="folder of a trained model")
    parser.add_argument("--input", type=Path, required=True, help="a sentence a line")
    parser.add_argument("--references", type=Path, required=True, help="their translations")
    parser.add_argument("--lines", type=int, default=lines, help="take so many from the start (default: %(default)s)")
