"""Back-translation: text of the target language, with sources by a model of the other direction (Sennrich 2016)."""

import sys
from pathlib import Path

from vaswani.experiment.error_messages import exit_on_bad_input
from vaswani.experiment.exit_codes import exiting_with_code
from vaswani.experiment.options_of_recipe import ReadRecipe
from vaswani.experiment.stages import say, stages_in
from vaswani.translation.models import find_model

from .options import Options, options
from .report import leave
from .translating_back import translate_back

__all__ = ["Options", "main", "options"]


def main(description: str | None, read_recipe: ReadRecipe) -> None:
    """Translate back and train as the command line asks, and end the process.

    Args:
        description: what --help begins with.
        read_recipe: returns the recipe of a file.

    """
    asked = options(sys.argv[1:], description, read_recipe)
    with exiting_with_code(), exit_on_bad_input():
        find_model(asked.reverse)
        folder = Path(str(asked.arguments.training.output_dir))
        with stages_in(folder) as stages:
            say(f"\n{leave(asked, folder, translate_back(asked, stages))}")
