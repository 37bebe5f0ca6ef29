"""Contenders that are measured together: started one by one, taking turns, and told of where they end early."""

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from benchmarks.measuring.turns import in_turn

from .contender import Contender, ContenderEndedError
from .environments import EnvironmentFailedError, python_of
from .stepping import Setting

Turns = dict[str, list[dict[str, float]]]
"""The seconds of each step of each contender, by clock."""


def start(modules: Mapping[str, str], setting: Setting, folder: Path) -> tuple[dict[str, Contender], dict[str, str]]:
    """Start contenders, given with their modules; return those that run, and why each other does not."""
    running: dict[str, Contender] = {}
    missing: dict[str, str] = {}
    for name, module in modules.items():
        try:
            running[name] = Contender(module, setting._replace(way=name), python_of(module, folder))
        except (ContenderEndedError, EnvironmentFailedError) as error:
            missing[name] = str(error)
    return running, missing


def take_turns(contenders: Mapping[str, Contender], rounds: int) -> tuple[Turns, dict[str, str]]:
    """Have contenders take turns; return the seconds of those that came to the end, and why the others did not."""
    missing: dict[str, str] = {}
    turns = in_turn({name: steps_while_it_runs(each, missing) for name, each in contenders.items()}, rounds)
    return {name: found for name, found in turns.items() if name not in missing}, missing


def steps_while_it_runs(contender: Contender, missing: dict[str, str]) -> Callable[[], dict[str, float]]:
    """Return how to have a step made; the contender that ends is added to `missing`, and makes no more."""

    def step() -> dict[str, float]:
        if contender.name not in missing:
            try:
                return contender.step()
            except ContenderEndedError as error:
                missing[contender.name] = str(error)
        return {}

    return step


def stop_without(needed: Iterable[str], missing: Mapping[str, str]) -> None:
    """End with the reason if something that figures are held against is missing."""
    if lost := [missing[name] for name in needed if name in missing]:
        sys.exit(f"there is nothing to measure against: {lost[0]}")
