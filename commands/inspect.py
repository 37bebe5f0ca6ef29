"""Look at what a recipe would train on, without training.

Pairs, dropped pairs by reason with examples, lengths, padding, steps and speed.
"""

import argparse
from pathlib import Path

from vaswani.flags import whole

from .recipe import read_recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani inspect` takes."""
    parser.usage = "vaswani inspect [--windows N] [--output FOLDER] RECIPE ..."
    add_own(parser)
    parser.add_argument("recipe", metavar="RECIPE", type=Path, help="a recipe, such as recipes/multi30k.py")
    parser.add_argument("flags", metavar="...", nargs=argparse.REMAINDER, help="the flags that the run would be given")


def add_own(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that may stand before the recipe and after it."""
    kept = argparse.SUPPRESS  # so that reading what stands after the recipe keeps what stood before it
    parser.add_argument(
        "--windows",
        metavar="N",
        type=whole(1),
        default=kept,
        help="look at the first N windows only (default: an epoch)",
    )
    parser.add_argument(
        "--output",
        metavar="FOLDER",
        type=Path,
        default=kept,
        help="folder for the figures and a picture of the lengths (default: figures are only printed)",
    )


def run(args: argparse.Namespace) -> None:
    """Print the figures, and write them with a picture to `args.output`, if it is there.

    Raises:
        ValueError: the file is no recipe, or the recipe's text cannot be used.
        OSError: a file cannot be read or written.
        SystemExit: code 2, a flag is unknown or a value does not fit.
    """
    after = argparse.ArgumentParser(prog="vaswani inspect", add_help=False, allow_abbrev=False)
    add_own(after)
    args, flags = after.parse_known_args(args.flags, args)
    output: Path | None = vars(args).get("output")
    if output is not None and output.exists() and not output.is_dir():
        raise ValueError(f"--output {output} is a file; name a folder")
    recipe = read_recipe(args.recipe)

    from vaswani.experiment import parse
    from vaswani.experiment.inspection import figures, inspect, inspection_as_text, write_inspection

    arguments = parse(recipe, flags)
    seen = inspect(arguments, vars(args).get("windows"))
    found = figures(seen, arguments)
    print(inspection_as_text(seen, found, arguments))
    if output is not None:
        write_inspection(seen, found, output)
        print(f"In {output}: inspection.json, lengths.png, lengths.svg")
