"""Make a model of a checkpoint that FSDP2 or DeepSpeed saved in parts: a folder for `vaswani translate` and Auto*."""

import argparse
from pathlib import Path

from vaswani.translation.models import check_name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani consolidate` takes."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", type=Path, help="such as runs/mine/checkpoint-1000")
    parser.add_argument("output", metavar="OUT", type=Path, help="folder to make; it must not exist yet")


def run(args: argparse.Namespace) -> None:
    """Write the model, its configuration, code and tokenizer to `args.output`.

    Raises:
        ValueError: CHECKPOINT is no checkpoint, is damaged, or needs DeepSpeed, which is not installed; or OUT exists.
        OSError: a file cannot be read or written.
    """
    check_name(args.checkpoint)
    check_name(args.output)
    from transformers.utils import logging

    import vaswani.modeling  # noqa: F401  teaches Auto* our classes
    from vaswani.publishing.derived_model import part_of, record
    from vaswani.training.checkpointing.consolidation import consolidate

    logging.disable_progress_bar()
    if consolidate(args.checkpoint, args.output, record(part_of(args.checkpoint))):
        print(f"The model of {args.checkpoint} is in {args.output}")
    else:
        print(f"{args.checkpoint} holds whole weights already, and nothing was written: use it as it is")
