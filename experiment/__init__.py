"""One experiment: its arguments, its run from text to scores, and the folder that it leaves."""

try:
    from .arguments import Arguments, DataArguments, Recipe, parse
    from .exit_codes import main
    from .run import run
except KeyboardInterrupt:  # torch and what stands on it take seconds to import, in which a flag is seen to be wrong
    raise SystemExit(130) from None

__all__ = ["Arguments", "DataArguments", "Recipe", "main", "parse", "run"]
