"""The flags of recipes/table3.py that no other recipe has."""

import argparse
from collections.abc import Sequence
from typing import NamedTuple

from vaswani.experiment.arguments import Recipe, parse
from vaswani.experiment.command_line import spelled
from vaswani.flags import whole

from .rows import ROWS, Row, Scale, chosen


class Options(NamedTuple):
    """Which rows to train, and how."""

    here: bool
    """One row in this process, rather than several in turn, each in processes of its own."""
    rows: list[Row]
    scale: Scale
    seeds: int
    launcher: str
    """The command that starts a row."""
    flags: list[str]
    """All other flags, which are passed to every row."""


def options(argv: Sequence[str], recipe: Recipe | None) -> Options:
    """Read the flags; `recipe` gives the defaults of all others that --help shows.

    Raises:
        SystemExit: they do not fit, or --help or --help-all asked what there is.

    """
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    add_flags(parser)
    given, flags = parser.parse_known_args(argv)
    asked_for_help = [flag for flag in flags if spelled(flag) in ("_h", "__help", "__help_all")]
    if asked_for_help and given.row is None and recipe is not None:
        parse(recipe, asked_for_help, add_flags)
    if not (given.row or given.rows or given.all):
        parser.error("say which: --row NAME, --rows NAME ... or --all")
    try:
        rows = list(ROWS) if given.all else chosen(given.rows or [given.row])
        if given.row and [row.name for row in rows] != [given.row]:
            raise ValueError(f"--row {given.row} is {len(rows)} rows; train them in turn with --rows {given.row}")
    except ValueError as error:
        parser.error(str(error))
    if given.seeds < 1 or (given.row and given.seeds > 1):
        parser.error(f"seeds is {given.seeds}; at least 1 is needed, and for a single row give --seed")
    if not given.row and any(spelled(flag) == spelled("--seed") for flag in flags):
        parser.error("--seed goes with --row; --rows and --all train seeds 1 to --seeds")
    return Options(
        given.row is not None, rows, Scale(given.scale, given.layer_scale), given.seeds, given.launcher, flags
    )


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that no other recipe has."""
    names = ", ".join(row.name for row in ROWS)
    section = parser.add_argument_group("table", "Which rows to train; one of --row, --rows and --all is needed.")
    which = section.add_mutually_exclusive_group()
    which.add_argument("--row", metavar="NAME", help=f"Train this row, in this process: {names}.")
    which.add_argument("--rows", metavar="NAME", nargs="+", help="Train these in turn; a letter names a group.")
    which.add_argument("--all", action="store_true", help="Train all rows in turn. (default: no)")
    section.add_argument(
        "--scale",
        type=whole(1, 16),
        default=1,
        metavar="S",
        help="Divide d_model, d_ff, d_k and d_v of every row, for small machines: 1, 2, 4, 8 or 16. "
        "Rates stay those of the paper's widths; --peak_learning_rate is base's, and "
        "the others' follow by eq. 3. (default: 1)",
    )
    section.add_argument(
        "--layer_scale",
        type=whole(1, 2),
        default=1,
        metavar="S",
        help="Divide N, the layers, of every row by 1 or 2; deep narrow networks start to learn late. (default: 1)",
    )
    section.add_argument(
        "--seeds",
        type=whole(1),
        default=1,
        metavar="K",
        help="With --rows or --all: train with the seeds 1 to K, the whole table before the next seed. (default: 1)",
    )
    section.add_argument(
        "--launcher",
        default="accelerate launch",
        metavar="COMMAND",
        help="With --rows or --all: the command that starts a row. (default: %(default)s)",
    )
