"""Distillation: a student is trained on what a teacher makes of the training text (Kim and Rush 2016)."""

import sys
from pathlib import Path

from vaswani.engines.engine import engine_module
from vaswani.experiment.error_messages import exit_on_bad_input
from vaswani.experiment.exit_codes import exiting_with_code
from vaswani.experiment.options_of_recipe import ReadRecipe
from vaswani.experiment.stages import say, stages_in
from vaswani.translation.models import find_model

from .distilling import distil
from .options import Options, options
from .report import leave

__all__ = ["Options", "main", "options"]


def main(description: str | None, read_recipe: ReadRecipe) -> None:
    """Distil as the command line asks, and end the process.

    Args:
        description: what --help begins with.
        read_recipe: returns the recipe of a file.

    """
    asked = options(sys.argv[1:], description, read_recipe)
    with exiting_with_code(), exit_on_bad_input():
        check(asked)
        folder = Path(str(asked.arguments.training.output_dir))
        with stages_in(folder) as stages:
            say(f"\n{leave(asked, folder, distil(asked, stages))}")


def check(asked: Options) -> None:
    """Make sure that later stages find what they need; raises ValueError if not."""
    for model in [*asked.teacher, *filter(None, [asked.reverse])]:
        find_model(model)
    engine_module("ctranslate2")
