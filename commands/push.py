"""Push a model to the Hub, with its card and the code that loads it, as one commit."""

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from vaswani.translation.models import check_name

from .native_model import add_validation, check_validation, read_validation

if TYPE_CHECKING:
    from vaswani.publishing import PushedNative


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani push` takes; the token comes from `hf auth login` or $HF_TOKEN, never by a flag."""
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        type=Path,
        help="of a run, such as runs/quickstart, or of a checkpoint, or what `vaswani average`, `consolidate` or "
        "`import` wrote",
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
    parser.add_argument(
        "--native",
        choices=("beside", "instead"),
        help="push the model as a class of transformers' own as well, which needs no trust_remote_code: beside, in the "
        "folder transformers/ of the repository, or instead of the form with its code (default: neither)",
    )
    add_validation(parser, "with --native")


def run(args: argparse.Namespace) -> None:
    """Push, and print the address of the commit.

    Raises:
        ValueError: the folder holds no complete model or no record of it, or the Hub cannot be reached or refuses it.
        OSError: a file cannot be read.
    """
    check_name(args.folder)
    check_validation(args, args.native is not None, "--native beside")

    from vaswani.publishing import Target, files_to_push, open_repository, push

    target = Target(args.name, True if args.private else None, args.branch)
    files = files_to_push(args.folder)
    if args.native is None:
        card = card_of(args, files)
        open_repository(target)
        print(push(target, files, card, args.message))
        return

    from vaswani.engines.export import export_to_transformers
    from vaswani.publishing import PushedNative
    from vaswani.publishing.native_push import with_native

    validation = read_validation(args)
    open_repository(target)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "native"
        record = export_to_transformers(args.folder, folder, validation=validation, say=print)
        files, folders = with_native(files, folder, args.native)
        card = card_of(args, files, PushedNative(record, args.native))
        print(push(target, files, card, args.message, folders))


def card_of(args: argparse.Namespace, files: list[Path], native: "PushedNative | None" = None) -> str:
    """Return the card: of a run, or of what `vaswani average` or `import` wrote, or of a checkpoint."""
    from vaswani.publishing import (
        checksums,
        derived_model_card,
        languages_of,
        model_card,
        read_derived_model,
        read_records,
    )

    code = checksums(files)
    if made := read_derived_model(args.folder):
        languages = languages_of(args.folder)
        return derived_model_card(args.name, made, code, args.license, args.branch, languages, native)
    return model_card(args.name, *read_records(args.folder), code, args.license, args.branch, native=native)
