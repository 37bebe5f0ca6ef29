"""A sweep: the validation metric of every trial over steps, and where the best ones alone went on."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter

from .style import COLOURS, name_lines, styled

NAMED = 6
"""Trials that the legend names."""


class TrialCurve(NamedTuple):
    """One line of the picture."""

    name: str
    points: Sequence[tuple[int, float]]
    """Step and value of each validation."""
    is_best: bool


@styled
def draw_sweep(trials: Sequence[TrialCurve], rungs: Sequence[int], metric: str) -> Figure:
    """Draw a line for each trial; the first ones are named, the others grey.

    Args:
        trials: those that came furthest first.
        rungs: steps after which only the best went on, and the last one of all.
        metric: the name and unit of the values.

    """
    named, others = trials[:NAMED], trials[NAMED:]
    figure = Figure(figsize=(8, 4.5 + 0.2 * len(named)), layout="constrained")
    axes = figure.subplots()
    for steps in rungs:
        axes.axvline(steps, color="0.7", linestyle="--", linewidth=0.8, zorder=1)
        axes.text(steps, 1.01, f"{steps:,}", transform=axes.get_xaxis_transform(), ha="center", color="0.4", size=8)
    lines, names = [], []
    grey: list[Line2D] = []
    for trial in others:
        grey = axes.plot(*columns(trial), color="0.75", linestyle="-", linewidth=1, marker="o", markersize=2, zorder=2)
    for trial, colour in zip(named, COLOURS, strict=False):
        width = 2.8 if trial.is_best else 1.2
        order = 4 if trial.is_best else 3
        [line] = axes.plot(
            *columns(trial), color=colour, linestyle="-", linewidth=width, marker="o", markersize=3, zorder=order
        )
        lines.append(line)
        names.append(f"{trial.name} (best)" if trial.is_best else trial.name)
    if others:
        lines += grey
        names.append("1 other" if len(others) == 1 else f"{len(others)} others")
    axes.set(xlabel="steps; dashed: ends of rungs, after which only the best went on", ylabel=f"validation {metric}")
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.grid(axis="y")
    axes.set_title("Every trial of the sweep, as far as it was trained", pad=18)
    name_lines(figure, lines, names, loc="outside lower center", ncols=1 if max(map(len, names)) > 45 else 2)
    return figure


def columns(trial: TrialCurve) -> tuple[list[int], list[float]]:
    """Return the steps and the values of a trial."""
    return [step for step, _ in trial.points], [value for _, value in trial.points]
