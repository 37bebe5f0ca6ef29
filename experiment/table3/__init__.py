"""Table 3: its rows, their training, and the results beside the paper's."""

import sys
from pathlib import Path

from vaswani.experiment.arguments import Arguments, Recipe, parse
from vaswani.experiment.error_messages import exit_on_bad_input
from vaswani.experiment.exit_codes import exiting_with_code
from vaswani.experiment.main_process import on_main_process
from vaswani.experiment.run import run
from vaswani.experiment.run_folder import describe
from vaswani.training.schedule import peak_rate

from .options import Options, add_flags, options
from .rows import AS_THE_PAPER, BASE, BIG, BY_NAME, NETWORK, ROWS, Row, Scale, fields_of
from .run_rows import train_rows
from .runs import Planned, check_joins, rate_against_base, run_folder, setting_of
from .table import gather

__all__ = [
    "AS_THE_PAPER",
    "BASE",
    "BIG",
    "BY_NAME",
    "ROWS",
    "Row",
    "Scale",
    "arguments_of",
    "fields_of",
    "gather",
    "main",
    "options",
    "recipe_of",
]


def main(recipe: Recipe) -> None:
    """Train one row, or several in turn and gather their results, as the command line asks; then end the process."""
    asked = options(sys.argv[1:], recipe)
    if not asked.here:
        with exit_on_bad_input():
            sys.exit(train_rows(asked, recipe))
    with exiting_with_code():
        with exit_on_bad_input():
            arguments = arguments_of(recipe, asked)
            on_main_process(lambda: check_joins(planned(arguments, asked)))
        run(arguments)


def recipe_of(recipe: Recipe, row: Row, scale: Scale = AS_THE_PAPER) -> Recipe:
    """Return the recipe of a row, made from that of base."""
    return recipe._replace(
        model=recipe.model | fields_of(row, scale), training=recipe.training | {"max_steps": row.steps}
    )


def arguments_of(recipe: Recipe, asked: Options) -> Arguments:
    """Return the arguments of the run of one row.

    Raises:
        ValueError: a flag contradicts the row.

    """
    [row] = asked.rows
    arguments = parse(recipe_of(recipe, row, asked.scale), asked.flags, add_flags)
    for name, value in fields_of(row, asked.scale).items():
        if arguments.model[name] != value:
            raise ValueError(
                f"--{name} {arguments.model[name]} contradicts row {row.name}, which has {value}; leave it out, or "
                "train another network with another recipe"
            )
    data = arguments.data
    if data.validation_split not in data.test_splits:
        raise ValueError(
            f"the table shows the validation set (section 6.2), and --test_splits is {' '.join(data.test_splits)}; add "
            f"{data.validation_split}"
        )
    training = arguments.training
    of_base = training.peak_learning_rate or peak_rate(NETWORK["d_model"], round(training.warmup_steps))
    training.peak_learning_rate = of_base * rate_against_base(row)
    training.output_dir = str(run_folder(str(training.output_dir), row, training.seed))
    return arguments


def planned(arguments: Arguments, asked: Options) -> Planned:
    """Return the run of one row as its records will describe it."""
    [row] = asked.rows
    setting = setting_of(describe(arguments), row, asked.scale)
    return Planned(row, Path(str(arguments.training.output_dir)), arguments.training.max_steps, setting)
