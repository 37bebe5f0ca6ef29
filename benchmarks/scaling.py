"""Measure how the cost of a training step grows with each of its dimensions, the others held, and fit straight lines.

python benchmarks/scaling.py --threads 1 --rounds 3 --output scaling.json --picture scaling

Axes: target tokens of a batch, length of its sentences at as many tokens, vocabulary V, layers N, width d_model (with
d_ff = 4 d_model and heads of 64). Each round runs every point of every axis once; a point is the median over the
rounds. Beside the seconds stand the counted FLOPs a second: where they rise, a larger step uses the machine better.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from machine import machine
from matplotlib.figure import Figure
from torch.utils.flop_counter import FlopCounterMode
from train_step import batch, ours, rounds, step

from vaswani.modeling import VaswaniConfig
from vaswani.plots import save
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


def config(point: Point) -> VaswaniConfig:
    """Return the network of a point."""
    return VaswaniConfig(
        vocab_size=point.symbols, d_model=point.width, d_ff=4 * point.width, num_heads=point.width // 64,
        encoder_layers=point.layers, decoder_layers=point.layers,
    )  # fmt: skip


def operations(point: Point) -> float:
    """Return the FLOPs of a step, counted."""
    inputs = batch(point.symbols, point.tokens // point.length, point.length)
    with FlopCounterMode(display=False) as counter:
        step(ours(config(point), "eager", fused=False), False, inputs)()
    return float(counter.get_total_flops())


def line(x: list[float], y: list[float]) -> tuple[float, float, float]:
    """Return slope, intercept and the share of variance that a straight line explains."""
    slope, intercept = np.polyfit(x, y, 1)
    left = np.square(np.array(y) - slope * np.array(x) - intercept).sum()
    return float(slope), float(intercept), float(1 - left / np.square(np.array(y) - np.mean(y)).sum())


@styled
def draw(found: dict[str, dict[str, Any]]) -> Figure:
    """Draw milliseconds of a step along each axis, and the fitted line."""
    figure = Figure(figsize=(12, 2.9), layout="constrained")
    for place, (axis, each) in zip(figure.subplots(1, len(found)), found.items(), strict=True):
        slope, intercept, explained = each["line"]
        values = each["values"]
        place.plot(values, [1e3 * seconds for seconds in each["seconds"]], "o", color=COLOURS[0])
        ends = np.array([0, max(values)])
        place.plot(ends, 1e3 * (slope * ends + intercept), color=COLOURS[1], linewidth=1, label=f"R² = {explained:.3f}")
        place.set(xlabel=AXES[axis][0], xlim=(0, None), ylim=(0, None))
        place.legend(loc="lower right", handlelength=1)
        place.grid()
    figure.axes[0].set_ylabel("ms a step")
    return figure


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--output", type=Path, help="a JSON file for every figure")
    parser.add_argument("--picture", type=Path, help="where the picture goes, without .png and .svg")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    points = {
        f"{axis} {value}": Point(**{axis: value}) for axis, (_, values) in AXES.items() for value in values
    }  # fmt: skip
    ways = {}
    for name, point in points.items():
        inputs = batch(point.symbols, point.tokens // point.length, point.length)
        ways[name] = step(ours(config(point), "eager", throughout=True), False, inputs)
    seconds = {name: statistics.median(each) for name, each in rounds(ways, given.rounds).items()}
    flops = {name: operations(point) for name, point in points.items()}
    found: dict[str, dict[str, Any]] = {}
    for axis, (_, values) in AXES.items():
        names = [f"{axis} {value}" for value in values]
        of_axis = [seconds[name] for name in names]
        found[axis] = {
            "values": list(values), "seconds": of_axis, "flops": [flops[name] for name in names],
            "line": line([float(value) for value in values], of_axis),
        }  # fmt: skip
    print("\n".join(f"{name}: {value}" for name, value in machine("torch").items()))
    print("\n| axis | values | ms a step | GFLOP/s | straight line, R² |\n|---|---|---|---|---|")
    for axis, each in found.items():
        speeds = [flop / second / 1e9 for flop, second in zip(each["flops"], each["seconds"], strict=True)]
        cells = (each["values"], [1e3 * second for second in each["seconds"]], speeds)
        columns = (" / ".join(f"{number:,.0f}" for number in numbers) for numbers in cells)
        slope, intercept, explained = each["line"]
        fit = f"{1e3 * intercept:.0f} ms + {1e3 * slope:.3g} x, {explained:.3f}"
        print(f"| {AXES[axis][0]} | {' | '.join(columns)} | {fit} |")
    if given.output:
        given.output.write_text(
            json.dumps({"machine": machine("torch"), "axes": found}, indent=2) + "\n", encoding="utf-8"
        )
    if given.picture:
        save(draw(found), given.picture)


if __name__ == "__main__":
    main()
