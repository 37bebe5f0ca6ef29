"""The flags of recipes/sweep.py that no other recipe has."""

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from vaswani.experiment.arguments import Recipe, parse
from vaswani.experiment.command_line import spelled
from vaswani.experiment.help import filled
from vaswani.flags import RecipeHelp, whole

from .grid import Grid, read_grid

USAGE = "%(prog)s --recipe FILE --grid NAME=VALUE,VALUE ... [--flag value ...]"
FOLDER = "runs/sweep"
OTHERS = (
    f"All other flags are those of the recipe and of every trial, and --recipe FILE --help lists them. --output_dir is "
    f"the folder of the sweep (default: {FOLDER}), --max_steps the length of its last rung, and --seed, which every "
    "trial has, also draws them."
)


class Options(NamedTuple):
    """What to search, and how."""

    path: str
    """Of the recipe, as it was given."""
    recipe: Recipe
    """It, with the folder of a sweep as its --output_dir."""
    grid: Grid
    trials: int | None
    """Combinations to draw; None: all."""
    halvings: int
    eta: int
    launcher: list[str]
    """The words that start a trial, before its recipe."""
    flags: list[str]
    """All other flags, which are passed to every trial."""


def options(argv: Sequence[str], description: str | None, read_recipe: Callable[[Path], Recipe]) -> Options:
    """Read the flags.

    Raises:
        SystemExit: they do not fit, or --help or --help-all asked what there is.

    """
    parser = argparse.ArgumentParser(
        usage=USAGE,
        description=filled(description or ""),
        epilog=filled(OTHERS),
        formatter_class=RecipeHelp,
        allow_abbrev=False,
        add_help=False,
    )
    add_flags(parser)
    given, flags = parser.parse_known_args(argv)
    flags = [flag for flag in flags if flag != "--"]  # which may stand before those of the recipe
    asked_for_help = [flag for flag in flags if spelled(flag) in ("_h", "__help", "__help_all")]
    if asked_for_help and given.recipe is None:
        parser.print_help()
        sys.exit(0)
    try:
        if given.recipe is None:
            raise ValueError("say which recipe the trials are of: --recipe FILE, such as recipes/multi30k.py")
        recipe = read_recipe(given.recipe)
        recipe = recipe._replace(training=recipe.training | {"output_dir": FOLDER})
        if asked_for_help:
            parse(recipe._replace(description=description), asked_for_help, add_flags)
        if not given.grid:
            raise ValueError("say what to search: --grid NAME=VALUE,VALUE ..., such as dropout=0.2,0.3")
        grid = read_grid(given.grid)
    except ValueError as error:
        parser.error(str(error))
    launcher = [sys.executable] if given.launcher is None else shlex.split(given.launcher)
    return Options(str(given.recipe), recipe, grid, given.trials, given.halvings, given.eta, launcher, flags)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that no other recipe has."""
    section = parser.add_argument_group("sweep", "What is searched, and how; --recipe and --grid are needed.")
    section.add_argument(
        "--recipe",
        metavar="FILE",
        type=Path,
        help="The recipe whose runs are the trials. (default: none, it is needed)",
    )
    section.add_argument(
        "--grid",
        metavar="NAME=VALUE,VALUE",
        nargs="+",
        help="Flags of the recipe with the values to try, all combined: peak_learning_rate=1e-3,2e-3 dropout=0.2,0.3. "
        "(default: none, it is needed)",
    )
    section.add_argument(
        "--trials",
        metavar="N",
        type=whole(1),
        help="Draw this number of combinations by --seed, none twice. (default: all of them)",
    )
    section.add_argument(
        "--halvings",
        metavar="N",
        type=whole(0),
        default=2,
        help="Number of times that only the best trials go on; --max_steps / eta^N steps are the first rung; 0: all "
        "train to the end. (default: 2)",
    )
    section.add_argument(
        "--eta",
        metavar="N",
        type=whole(2),
        default=2,
        help="The best 1 / eta of the trials go on, for eta times as many steps, a number. (default: 2)",
    )
    section.add_argument(
        "--launcher",
        metavar="COMMAND",
        help='What starts a trial, such as "accelerate launch -q". (default: this Python, for a single process)',
    )
