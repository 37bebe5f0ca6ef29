"""Values of flags: ranges of numbers, which the parser checks and --help tells."""

from .command_help import CommandHelp as CommandHelp
from .command_help import RecipeHelp as RecipeHelp
from .ranges import Range as Range
from .ranges import numbers as numbers
from .ranges import range_faults as range_faults
from .ranges import ranges_of as ranges_of
from .ranges import shares as shares
from .ranges import whole as whole
