"""Ranges of numbers: declared where a flag is, they check its value and put it into words for --help and errors.

`whole(1)` and `numbers(0, below=1)` are types of argparse; a field of a dataclass has its range in its annotation,
`Annotated[int, whole(1)]`. Only finite numbers fit any of them.
"""

import math
from argparse import ArgumentTypeError
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, get_type_hints

LARGEST = 2**31 - 1
"""Of whole numbers, if no other bound is given: what any library beneath takes."""


@dataclass(frozen=True)
class Range:
    """The numbers that a flag takes; called with a text, it returns the number that stands there."""

    kind: type[int] | type[float] | type[Fraction]
    least: float
    most: float
    above: float = -math.inf
    below: float = math.inf

    def __call__(self, text: str) -> float | Fraction:
        """Return the number; ArgumentTypeError if it is none, or out of range."""
        try:
            number: float | Fraction = self.kind(text)
        except (ValueError, ZeroDivisionError):
            raise ArgumentTypeError(
                f"{text!r} is no {'whole ' if self.kind is int else ''}number; give {self}"
            ) from None
        if number not in self:
            most = f" and at most {LARGEST:,}" if self.most == LARGEST < number else ""
            raise ArgumentTypeError(f"{text} is out of range; give {self}{most}")
        return number

    def __contains__(self, number: float | Fraction) -> bool:
        """Tell whether a number, of either kind, is in the range."""
        return -math.inf < number < math.inf and self.least <= number <= self.most and self.above < number < self.below

    def __str__(self) -> str:
        """Return the range in words, such as "at least 1", "from 0 to less than 1" or "more than 0"."""
        lower = "" if math.isinf(self.least) else f"{self.least:,}"
        upper = "" if self.most in (math.inf, LARGEST) else f"{self.most:,}"
        end = f"to {upper}" if upper else "" if math.isinf(self.below) else f"to less than {self.below:,}"
        if not math.isinf(self.above):
            return f"more than {self.above:,}" + (f" {end}" if upper else f" and {end[3:]}" if end else "")
        if not lower:
            return "a finite number"
        return f"from {lower} {end}" if end else f"at least {lower}"


def whole(least: int, most: int = LARGEST) -> Range:
    """Return the whole numbers from `least` to `most`."""
    return Range(int, least, most)


def numbers(
    least: float = -math.inf, most: float = math.inf, *, above: float = -math.inf, below: float = math.inf
) -> Range:
    """Return the finite numbers from `least` to `most`, or those above one and below another."""
    return Range(float, least, most, above, below)


def shares() -> Range:
    """Return the exact numbers from 0 to less than 1, such as 0.05 or 1/20."""
    return Range(Fraction, 0, math.inf, below=1)


def ranges_of(kind: type, others: Mapping[str, Range]) -> dict[str, Range]:
    """Return the ranges of the fields of a dataclass, by name.

    Args:
        kind: the dataclass; the annotation of a field tells its range.
        others: those of fields that another library declares.

    """
    hints = get_type_hints(kind, include_extras=True)
    told = {name: each for name, hint in hints.items() for each in getattr(hint, "__metadata__", ())}
    return {name: its for name, its in {**others, **told}.items() if name in hints and isinstance(its, Range)}


def range_faults(given: Any, others: Mapping[str, Range]) -> Iterator[str]:
    """Yield which fields of a dataclass hold numbers out of their range, as a sentence; None is in every range.

    Args:
        given: the dataclass.
        others: as of `ranges_of`.

    """
    for name, its in ranges_of(type(given), others).items():
        value = getattr(given, name)
        for number in value if isinstance(value, list) else [] if value is None else [value]:
            if number not in its:
                yield f"--{name} is {number}; give {its}"
