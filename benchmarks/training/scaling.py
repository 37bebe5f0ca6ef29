"""Measure how time and memory of a training step grow with each of its dimensions, and fit polynomials.

python -m benchmarks.training.scaling --threads 1 --rounds 3

Axes: target tokens of a batch, length of its sentences at as many tokens, vocabulary V, layers N, width d_model (with
d_ff = 4 d_model and heads of 64). The points of an axis take turns, each in a process of its own, the other dimensions
held; seconds are the median over the rounds, memory is what the first two steps take above what was held before. Beside
the seconds stand the counted FLOPs a second: where they rise, a larger step uses the machine better. Fits are straight
lines, but for the seconds by width: a layer's weights grow with its square.
"""

import argparse
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure

from benchmarks.contenders.contender import Contender, clock, operations
from benchmarks.contenders.stepping import Setting
from benchmarks.measuring.flags import add_rounds, add_threads
from benchmarks.measuring.machine import machine
from benchmarks.measuring.report import add_output, leave
from benchmarks.measuring.turns import in_turn
from vaswani.plots.style import COLOURS, styled


class Point(NamedTuple):
    """A training step by its dimensions."""

    tokens: int = 2048
    length: int = 32
    symbols: int = 8000
    layers: int = 3
    width: int = 256


AXES: dict[str, tuple[str, tuple[int, ...]]] = {
    "tokens": ("target tokens of a batch", (512, 1024, 2048, 4096)),
    "length": ("length of a sentence", (16, 32, 128, 256)),
    "symbols": ("vocabulary V", (2000, 8000, 16_000, 32_000)),
    "layers": ("layers N", (1, 2, 4, 6)),
    "width": ("d_model", (128, 256, 384, 512)),
}


def setting(point: Point) -> Setting:
    """Return what a point asks for."""
    return Setting(
        "as --bf16_throughout trains",
        threads=torch.get_num_threads(),
        vocab_size=point.symbols,
        d_model=point.width,
        d_ff=4 * point.width,
        num_heads=point.width // 64,
        layers=point.layers,
        dropout=0.1,
        label_smoothing=0.1,
        sentences=point.tokens // point.length,
        length=point.length,
    )


class Fit(NamedTuple):
    """A polynomial by least squares."""

    coefficients: tuple[float, ...]
    """Of 1, x, x^2, ..."""
    explained: float
    """R^2, the share of variance."""

    def as_text(self, unit: float) -> str:
        """Return it in words, its values times `unit`."""
        powers = ("", " x", " x²")
        return " + ".join(f"{unit * c:.3g}{power}" for c, power in zip(self.coefficients, powers, strict=False))


def fit(x: Sequence[float], y: Sequence[float], degree: int = 1) -> Fit:
    """Return the polynomial of a degree that comes nearest to the points."""
    found = np.polynomial.Polynomial.fit(x, y, degree).convert()
    left = np.square(np.array(y) - found(np.array(x))).sum()
    return Fit(tuple(map(float, found.coef)), float(1 - left / np.square(np.array(y) - np.mean(y)).sum()))


def measure(values: tuple[int, ...], axis: str, rounds: int) -> dict[str, Any]:
    """Return seconds, bytes and FLOPs of the points of an axis, with their lines."""
    settings = {str(value): setting(Point(**{axis: value})) for value in values}
    contenders = {name: Contender("ours", each) for name, each in settings.items()}
    found = in_turn({name: each.step for name, each in contenders.items()}, rounds)
    goes_by = clock(torch.get_num_threads())
    seconds = [statistics.median(turn[goes_by] for turn in found[name]) for name in settings]
    memory = [contenders[name].about["peak_bytes"] for name in settings]
    for each in contenders.values():
        each.end()
    return {
        "values": list(values),
        "seconds": seconds,
        "bytes": memory,
        "flops": [operations(each) for each in settings.values()],
        "fit": fit(values, seconds, 2 if axis == "width" else 1),
        "fit_of_bytes": fit(values, memory),
    }


@styled
def draw(found: dict[str, dict[str, Any]]) -> Figure:
    """Draw milliseconds and memory of a step along each axis, and what was fitted."""
    figure = Figure(figsize=(12, 5), layout="constrained")
    rows = (("seconds", "fit", 1e3, "ms a step"), ("bytes", "fit_of_bytes", 1e-9, "GB of a step"))
    panels = figure.subplots(2, len(found), sharex="col")
    for row, (quantity, of, unit, label) in zip(panels, rows, strict=True):
        for place, each in zip(row, found.values(), strict=True):
            values = each["values"]
            place.plot(values, [unit * number for number in each[quantity]], "o", color=COLOURS[0])
            x = np.linspace(0, max(values))
            y = np.polynomial.Polynomial(each[of].coefficients)(x)
            place.plot(x, unit * y, color=COLOURS[1], linewidth=1, label=f"R² = {each[of].explained:.3f}")
            place.set(xlim=(0, None), ylim=(0, None))
            place.legend(loc="lower right", handlelength=1)
            place.grid()
        row[0].set_ylabel(label)
    for place, axis in zip(panels[-1], found, strict=True):
        place.set_xlabel(AXES[axis][0])
    return figure


def main() -> None:
    """Measure, and leave a report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_rounds(parser, 3)
    add_threads(parser)
    add_output(parser)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    found = {axis: measure(values, axis, given.rounds) for axis, (_, values) in AXES.items()}
    about = machine("torch") | {"seconds": f"of the {clock(given.threads)}", "rounds": str(given.rounds)}
    lines = [
        "| axis | values | ms a step | GFLOP/s | MB | ms a step, fitted | R² | MB, fitted | R² |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for axis, each in found.items():
        speeds = [flop / second / 1e9 for flop, second in zip(each["flops"], each["seconds"], strict=True)]
        numbers = (each["values"], [1e3 * s for s in each["seconds"]], speeds, [b / 1e6 for b in each["bytes"]])
        columns = [" / ".join(f"{number:,.0f}" for number in column) for column in numbers]
        for fitted, unit in ((each["fit"], 1e3), (each["fit_of_bytes"], 1e-6)):
            columns += [fitted.as_text(unit), f"{fitted.explained:.3f}"]
        lines.append(f"| {AXES[axis][0]} | {' | '.join(columns)} |")
    leave(given.output, about, "\n".join(lines), {"axes": found}, draw(found))


if __name__ == "__main__":
    main()
