"""The flags of recipes/sweep.py that no other recipe has."""

import argparse
from collections.abc import Sequence
from typing import NamedTuple

from vaswani.experiment.arguments import Recipe
from vaswani.experiment.options_of_recipe import Program, ReadRecipe, add_recipe, options_of_recipe
from vaswani.flags import whole

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


def options(argv: Sequence[str], description: str | None, read_recipe: ReadRecipe) -> Options:
    """Read the flags.

    Raises:
        SystemExit: they do not fit, or --help or --help-all asked what there is.

    """
    program = Program(description, USAGE, FOLDER, OTHERS, "trials are", add_flags)
    given = options_of_recipe(argv, program, read_recipe)
    own = given.own
    try:
        if not own.grid:
            raise ValueError("say what to search: --grid NAME=VALUE,VALUE ..., such as dropout=0.2,0.3")
        grid = read_grid(own.grid)
    except ValueError as error:
        given.error(str(error))
    return Options(str(own.recipe), given.recipe, grid, own.trials, own.halvings, own.eta, given.launcher, given.flags)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that no other recipe has."""
    section = parser.add_argument_group("sweep", "What is searched, and how; --recipe and --grid are needed.")
    add_recipe(section, "The recipe whose runs are the trials.", "What starts a trial")
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
