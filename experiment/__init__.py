"""One experiment: its arguments, its run from text to scores, and the folder that it leaves."""

try:
    from .arguments import Arguments, Recipe, parse
    from .data_arguments import DataArguments
    from .exit_codes import main
    from .run import run
except KeyboardInterrupt:  # importing torch takes seconds, in which a user may notice a wrong flag
    raise SystemExit(130) from None

__all__ = ["Arguments", "DataArguments", "Recipe", "main", "parse", "run"]
