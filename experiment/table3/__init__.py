"""Table 3: its rows, training them, and what came out beside what the paper found."""

import sys

from vaswani.experiment.arguments import Recipe, parse
from vaswani.experiment.process import ending_the_process
from vaswani.experiment.run import run
from vaswani.training.schedule import peak_rate

from .in_turn import train_in_turn
from .options import options
from .rows import BASE, BIG, ROWS, Row, fields_of
from .runs import run_folder

__all__ = ["BASE", "BIG", "ROWS", "Row", "fields_of", "main", "recipe_of"]


def main(recipe: Recipe) -> None:
    """Train a row, or several in turn and gather them, by the flags of the command line; and end the process."""
    asked = options(sys.argv[1:], recipe.description)
    if not asked.here:
        sys.exit(train_in_turn(asked, recipe))
    with ending_the_process():
        [row] = asked.rows
        arguments = parse(recipe_of(recipe, row, asked.scale), asked.flags)
        training = arguments.training
        if training.peak_learning_rate is None:  # that of the paper's width, whatever is divided
            training.peak_learning_rate = peak_rate(
                asked.scale * arguments.model["d_model"], round(training.warmup_steps)
            )
        training.output_dir = str(run_folder(str(training.output_dir), row, training.seed))
        run(arguments)


def recipe_of(recipe: Recipe, row: Row, scale: int = 1) -> Recipe:
    """Return the recipe of base as the recipe of a row."""
    return recipe._replace(
        model=recipe.model | fields_of(row, scale), training=recipe.training | {"max_steps": row.steps}
    )
