"""Public names of a package, each imported when it is asked for: some need libraries that take seconds to import."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def on_demand(package: str, names: Mapping[str, str]) -> tuple[list[str], Callable[[str], Any]]:
    """Return `__all__` and `__getattr__` of a package.

    Args:
        package: its `__name__`.
        names: those of each of its files, with spaces between them.

    """
    files = {name: file for file, its in names.items() for name in its.split()}

    def find(name: str) -> Any:
        if name not in files:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f".{files[name]}", package), name)

    return sorted(files), find
