"""A recipe, given by its file."""

import runpy
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vaswani.experiment import Recipe


def read_recipe(path: Path) -> "Recipe":
    """Return the RECIPE that a file holds.

    Raises:
        ValueError: it is no recipe.

    """
    if not path.is_file():
        raise ValueError(f"{path} is not a file; give a recipe, such as recipes/multi30k.py")

    from vaswani.experiment import Recipe

    recipe = runpy.run_path(str(path)).get("RECIPE")
    if not isinstance(recipe, Recipe):
        raise ValueError(f"{path} has no RECIPE; a recipe is a file with RECIPE = Recipe(...), as in recipes/")
    return recipe
