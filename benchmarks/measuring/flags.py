"""Flags that several benchmarks take alike."""

import argparse

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
