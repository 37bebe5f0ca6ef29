"""Look at what a recipe would train on, without training.

Pairs, dropped pairs by reason with examples, lengths, padding, steps and speed.
"""

import argparse
from pathlib import Path

from vaswani.flags import whole

from .recipe import read_recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani inspect` takes."""
    parser.add_argument(
        "--windows", metavar="N", type=whole(1), help="look at the first N windows only (default: an epoch)"
    )
    parser.add_argument(
        "--output",
        metavar="FOLDER",
        type=Path,
        help="folder for the figures and a picture of the lengths (default: figures are only printed)",
    )
    parser.add_argument("recipe", metavar="RECIPE", type=Path, help="a recipe, such as recipes/multi30k.py")
    parser.add_argument("flags", metavar="...", nargs=argparse.REMAINDER, help="the flags that the run would be given")


def run(args: argparse.Namespace) -> None:
    """Print the figures, and write them with a picture to `args.output`.

    Raises:
        ValueError: the file is no recipe, or the recipe's text cannot be used.
        OSError: a file cannot be read or written.
        SystemExit: code 2, a flag is unknown or a value does not fit.
    """
    if args.output is not None and args.output.exists() and not args.output.is_dir():
        raise ValueError(f"--output {args.output} is a file; name a folder")
    recipe = read_recipe(args.recipe)

    from vaswani.experiment import parse
    from vaswani.experiment.inspection import figures, inspect, inspection_as_text, write_inspection

    arguments = parse(recipe, args.flags)
    seen = inspect(arguments, args.windows)
    found = figures(seen, arguments)
    print(inspection_as_text(seen, found, arguments))
    if args.output is not None:
        write_inspection(seen, found, args.output)
        print(f"In {args.output}: inspection.json, lengths.png, lengths.svg")
