"""Renamed fields of a run: flags, recipes and run.json may still have the old names."""

import os
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

RENAMED = {
    "source_patience": "source_timeout",
    "extra_symbols": "extra_tokens",
    "user_symbols": "user_tokens",
}
"""Old name: new name. The new one takes the same values, in the same unit."""


def rename_flags(flags: Sequence[str], renamed: Mapping[str, str] = RENAMED) -> list[str]:
    """Return a command line with old flags under their new names, whether spelled with dashes or with underscores.

    Each old name is answered by a line on stderr, once a process.
    """
    found = []
    for each in flags:
        flag, equals, value = each.partition("=")
        old = flag.removeprefix("--").replace("-", "_")
        if flag.startswith("--") and old in renamed:
            announce(f"{flag} is now --{renamed[old]}")
            flag = f"--{renamed[old]}"
        found.append(f"{flag}{equals}{value}")
    return found


def rename_fields(values: Mapping[str, Any], where: str | None = None) -> dict[str, Any]:
    """Return fields by their new names, in the same order; `where` they are found, if given, is printed for each.

    Raises:
        TypeError: a field is there under both names.

    """
    found = {}
    for name, value in values.items():
        new = RENAMED.get(name, name)
        if new != name and new in values:
            raise TypeError(f"{name} is now {new}, and both are given: leave out {name}")
        if new != name and where:
            announce(f"{name} of {where} is now {new}")
        found[new] = value
    return found


def rename_run(run: Mapping[str, Any], where: str | None = None) -> dict[str, Any]:
    """Return what run.json holds, with its fields by their new names."""
    parts = ("model", "data", "training")
    fields = {part: rename_fields(run[part], where) for part in parts if isinstance(run.get(part), Mapping)}
    return {**run, **fields}


@cache
def announce(change: str) -> None:
    """Print a line, only from the first process of a launcher."""
    if os.environ.get("RANK", "0") == "0" and sys.stderr is not None:
        print(f"Note: {change}; the old name still works", file=sys.stderr, flush=True)
