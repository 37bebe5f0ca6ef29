"""One experiment: its arguments, its run from text to scores, and the folder that it leaves."""

from .arguments import Arguments, DataArguments, parse
from .run import run

__all__ = ["Arguments", "DataArguments", "parse", "run"]
