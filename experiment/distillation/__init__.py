"""Distillation: a student is trained on what a teacher makes of the training text (Kim and Rush 2016)."""

import sys
from pathlib import Path

from vaswani.engines.engine import engine_module
from vaswani.experiment.options_of_recipe import ReadRecipe
from vaswani.experiment.stage_report import work_in_stages
from vaswani.experiment.stages import Stages
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
    work_in_stages(options(sys.argv[1:], description, read_recipe), check, work)


def work(asked: Options, folder: Path, stages: Stages) -> str:
    """Do all stages, and return the report."""
    return leave(asked, folder, distil(asked, stages))


def check(asked: Options) -> None:
    """Make sure that later stages find what they need; raises ValueError if not."""
    for model in [*asked.teacher, *filter(None, [asked.reverse])]:
        find_model(model)
    engine_module("ctranslate2")
