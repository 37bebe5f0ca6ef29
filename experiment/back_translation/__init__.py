"""Back-translation: text of the target language, with sources by a model of the other direction (Sennrich 2016)."""

import sys
from pathlib import Path

from vaswani.experiment.options_of_recipe import ReadRecipe
from vaswani.experiment.stage_report import work_in_stages
from vaswani.experiment.stages import Stages
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
    work_in_stages(options(sys.argv[1:], description, read_recipe), lambda asked: find_model(asked.reverse), work)


def work(asked: Options, folder: Path, stages: Stages) -> str:
    """Do all stages, and return the report."""
    return leave(asked, folder, translate_back(asked, stages))
