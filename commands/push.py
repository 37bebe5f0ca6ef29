"""Push a model to the Hub, with its card and the code that loads it, as one commit."""

import argparse
from pathlib import Path

from vaswani.translation.models import check_name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani push` takes; the token comes from `hf auth login` or $HF_TOKEN, never by a flag."""
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        type=Path,
        help="of a run, such as runs/quickstart, or of a checkpoint, or what `vaswani average` or `import` wrote",
    )
    parser.add_argument("name", metavar="OWNER/NAME", help="repository on the Hub; created if there is none")
    parser.add_argument(
        "--private",
        action="store_true",
        help="make a new repository private (default: as its owner's settings on the Hub say)",
    )
    parser.add_argument("--branch", help="branch to push to; created if there is none (default: main)")
    parser.add_argument("--message", default="Push", help="message of the commit (default: Push)")
    parser.add_argument(
        "--license", help="licence of the weights, by its name on the Hub, such as cc-by-4.0 (default: none is stated)"
    )


def run(args: argparse.Namespace) -> None:
    """Push, and print the address of the commit.

    Raises:
        ValueError: the folder holds no complete model or no record of it, or the Hub cannot be reached or refuses it.
        OSError: a file cannot be read.
    """
    check_name(args.folder)

    from vaswani.publishing import (
        Target,
        checksums,
        derived_model_card,
        files_to_push,
        languages_of,
        model_card,
        open_repository,
        push,
        read_derived_model,
        read_records,
    )

    target = Target(args.name, True if args.private else None, args.branch)
    files = files_to_push(args.folder)
    code = checksums(files)
    if made := read_derived_model(args.folder):
        card = derived_model_card(args.name, made, code, args.license, args.branch, languages_of(args.folder))
    else:
        card = model_card(args.name, *read_records(args.folder), code, args.license, args.branch)
    open_repository(target)
    print(push(target, files, card, args.message))
