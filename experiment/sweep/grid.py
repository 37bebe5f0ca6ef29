"""The combinations of values that a sweep searches, and which of them are drawn."""

import math
import random
import re
import shlex
from collections.abc import Mapping, Sequence

from vaswani.experiment.command_line import spelled

Grid = Mapping[str, tuple[str, ...]]
"""The values of each flag, by its name without dashes, as the command line has them."""


def read_grid(words: Sequence[str]) -> Grid:
    """Return the grid that words like dropout=0.2,0.3 describe.

    Raises:
        ValueError: one has another form, has a value twice, or names a flag a second time.

    """
    grid: dict[str, tuple[str, ...]] = {}
    for word in words:
        name, _, listed = word.partition("=")
        name, values = spelled(name).lstrip("_"), tuple(listed.split(","))
        if not re.fullmatch(r"[a-zA-Z]\w*", name) or not all(value.strip() for value in values):
            raise ValueError(f"--grid has {word!r}; give NAME=VALUE,VALUE, such as dropout=0.2,0.3")
        if name in grid:
            raise ValueError(f"--grid has {name} twice; give all of its values in one NAME=VALUE,VALUE")
        if twice := sorted({value for value in values if values.count(value) > 1}):
            raise ValueError(f"--grid has {name}={twice[0]} twice, which would train the same twice; leave one out")
        grid[name] = values
    return grid


def size(grid: Grid) -> int:
    """Return the number of combinations."""
    return math.prod(len(values) for values in grid.values())


def combination(grid: Grid, number: int) -> dict[str, str]:
    """Return a combination by its number, from 0; the flag that the grid names last varies fastest."""
    found: dict[str, str] = {}
    for name in reversed(list(grid)):
        number, at = divmod(number, len(grid[name]))
        found[name] = grid[name][at]
    return {name: found[name] for name in grid}


def drawn(grid: Grid, trials: int | None, seed: int) -> list[dict[str, str]]:
    """Return so many combinations, drawn without replacement by a seed, in the order of the grid; None: all of them.

    Random search: Bergstra and Bengio (2012).

    Raises:
        ValueError: there are fewer, or none is asked for.

    """
    of = size(grid)
    if trials is not None and not 1 <= trials <= of:
        raise ValueError(f"--trials is {trials}; give 1 to {of:,}, the combinations of --grid, or leave it out for all")
    numbers = range(of) if trials is None else sorted(random.Random(seed).sample(range(of), trials))
    return [combination(grid, number) for number in numbers]


def as_flags(values: Mapping[str, str]) -> list[str]:
    """Return a combination as words of a command line; a value with spaces is that of a flag of several values."""
    return [word for name, value in values.items() for word in (f"--{name}", *shlex.split(value))]


def as_text(values: Mapping[str, str]) -> str:
    """Return a combination for people."""
    return ", ".join(f"{name} {value}" for name, value in values.items())
