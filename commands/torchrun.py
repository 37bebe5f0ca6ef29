"""Start a recipe as torchrun does, with processes that begin at once: they are forked from one with all imports."""

import argparse

TAKES_ALL = True
"""Whatever follows the command's name is passed on."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani torchrun` takes."""
    parser.add_argument(
        "words",
        nargs=argparse.REMAINDER,
        metavar="...",
        help="what torchrun takes: its flags (`torchrun --help`), a recipe, the recipe's flags",
    )


def run(args: argparse.Namespace) -> None:
    """Run the recipe, and end as torchrun does.

    Raises:
        ValueError: no recipe is named by its file.

    """
    from vaswani.experiment.warm_processes import launch

    launch(args.words[1:] if args.words[:1] == ["--"] else args.words)
