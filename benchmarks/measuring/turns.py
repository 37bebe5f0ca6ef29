"""Contenders take turns, so that whatever slows the machine for a while slows all of them."""

import statistics
from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")


def in_turn(ways: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Return what every counted call gave, by name.

    A round calls each once, in an order turned by one from round to round. One round more is made first, which warms up
    and is not counted.
    """
    found: dict[str, list[T]] = {name: [] for name in ways}
    names = list(ways)
    for turn in range(rounds + 1):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            given = ways[name]()
            if turn:
                found[name].append(given)
    return found


def against(seconds: list[float], baseline: list[float]) -> dict[str, float]:
    """Return median and range of seconds, and of the speed against the baseline's in the same round."""
    ratios = [b / a for a, b in zip(seconds, baseline, strict=True)]
    return {
        "seconds": statistics.median(seconds),
        "least": min(seconds),
        "most": max(seconds),
        "speed": statistics.median(ratios),
        "speed_least": min(ratios),
        "speed_most": max(ratios),
    }
