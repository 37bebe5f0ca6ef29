"""One experiment: its arguments, its run from text to scores, and the folder that it leaves."""

from .arguments import Arguments, Recipe, parse
from .process import main
from .run import run

__all__ = ["Arguments", "Recipe", "main", "parse", "run"]
