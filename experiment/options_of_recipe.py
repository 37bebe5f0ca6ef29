"""The command line of a program whose work is runs of a recipe: its own flags, and those of the recipe."""

import argparse
import shlex
import sys
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from vaswani.flags import RecipeHelp

from .arguments import Recipe, parse
from .command_line import spelled
from .help import filled

ReadRecipe = Callable[[Path], Recipe]
"""Returns the recipe of a file."""
AddFlags = Callable[[argparse.ArgumentParser], None]


class Program(NamedTuple):
    """What --help says of it."""

    description: str | None
    usage: str
    folder: str
    """Its --output_dir, unless another is given."""
    others: str
    """On flags that are not its own."""
    runs: str
    """What is trained by the recipe: "trials"."""
    add_flags: AddFlags
    """Declares its own flags, --recipe and --launcher among them."""


class Given(NamedTuple):
    """What the command line says."""

    own: argparse.Namespace
    """The program's own flags."""
    recipe: Recipe
    """With the program's folder as its --output_dir."""
    launcher: list[str]
    """The words that start a run, before its recipe."""
    flags: list[str]
    """All other flags, which are the recipe's."""
    error: Callable[[str], NoReturn]
    """Ends the process with a message."""


def options_of_recipe(
    argv: Sequence[str],
    program: Program,
    read_recipe: ReadRecipe,
    change: Callable[[Recipe], Recipe] = lambda recipe: recipe,
) -> Given:
    """Read the flags.

    Args:
        argv: the command line.
        program: whose it is.
        read_recipe: returns the recipe of a file.
        change: returns the recipe as the program's runs have it.

    Raises:
        SystemExit: there is no recipe, or --help or --help-all asked what there is.

    """
    parser = argparse.ArgumentParser(
        usage=program.usage,
        description=filled(program.description or ""),
        epilog=filled(program.others),
        formatter_class=RecipeHelp,
        allow_abbrev=False,
        add_help=False,
    )
    program.add_flags(parser)
    own, flags = parser.parse_known_args(argv)
    flags = [flag for flag in flags if flag != "--"]  # which may stand before those of the recipe
    asked_for_help = [flag for flag in flags if spelled(flag) in ("_h", "__help", "__help_all")]
    if asked_for_help and own.recipe is None:
        parser.print_help()
        sys.exit(0)
    if own.recipe is None:
        parser.error(f"say which recipe the {program.runs} of: --recipe FILE, such as recipes/multi30k.py")
    try:
        recipe = change(read_recipe(own.recipe))
    except ValueError as error:
        parser.error(str(error))
    recipe = recipe._replace(training=recipe.training | {"output_dir": program.folder})
    if asked_for_help:
        parse(recipe._replace(description=program.description), asked_for_help, program.add_flags)
    launcher = [sys.executable] if own.launcher is None else shlex.split(own.launcher)
    return Given(own, recipe, launcher, flags, parser.error)


ELSEWHERE = ("--use_cpu", "true")
"""Added where flags are read that are of other processes: a parser that sees several GPUs refuses to train on them."""


def add_recipe(section: Any, recipe: str, launcher: str) -> None:
    """Declare --recipe and --launcher, with their help."""
    section.add_argument("--recipe", metavar="FILE", type=Path, help=f"{recipe} (default: none, it is needed)")
    section.add_argument(
        "--launcher",
        metavar="COMMAND",
        help=f'{launcher}, such as "accelerate launch -q". (default: this Python, for a single process)',
    )


def refuse(flags: Container[str], reasons: Mapping[str, str]) -> None:
    """Raise ValueError if a flag of the recipe is given that its runs cannot have, with the reason."""
    for name, reason in reasons.items():
        if name in flags:
            raise ValueError(f"--{name} cannot be used here: {reason}")
