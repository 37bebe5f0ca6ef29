"""One run's learning: loss, validation loss and validation metrics of outputs, against steps."""

from collections.abc import Sequence
from itertools import cycle
from typing import Any

from matplotlib.figure import Figure

from vaswani.evaluation.metric_table import METRICS

from .style import COLOURS, styled


@styled
def draw_learning_curve(history: Sequence[dict[str, Any]], title: str) -> Figure:
    """Draw loss, validation loss and every metric of outputs that validation measured, against steps.

    Args:
        history: the Trainer's log, one dictionary per line; further validation sets have other strokes.
        title: above the picture.

    """
    training = [(line["step"], line["loss"]) for line in history if "loss" in line]
    validation = [(line["step"], line["eval_loss"]) for line in history if "eval_loss" in line]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    left = figure.subplots()
    right = left.twinx()
    blue, *others = COLOURS
    if training:
        left.plot(*zip(*training, strict=True), color=blue, alpha=0.5, label="training loss, smoothed labels")
    if validation:
        left.plot(*zip(*validation, strict=True), color=blue, marker="o", markersize=3, label="validation loss")
    measured = [each for each in METRICS.values() if any(f"eval_{each.key}" in line for line in history)]
    for metric, colour in zip(measured, cycle(others)):
        points = [(line["step"], line[f"eval_{metric.key}"]) for line in history if f"eval_{metric.key}" in line]
        label = f"validation {metric.name}"
        right.plot(*zip(*points, strict=True), color=colour, marker="o", markersize=3, label=label)
    for name, line_style in zip(further_sets(history), cycle(("--", ":", "-."))):
        drawn = [(left, f"eval_{name}/loss", f"{name}: loss", blue)]
        drawn += [
            (right, f"eval_{name}/{metric.key}", f"{name}: {metric.name}", colour)
            for metric, colour in zip(measured, cycle(others))
        ]
        for axes, key, label, colour in drawn:
            points = [(line["step"], line[key]) for line in history if key in line]
            if points:
                axes.plot(*zip(*points, strict=True), color=colour, linestyle=line_style, label=label)
    right.set_ylabel(", ".join(each.name for each in measured))
    left.set(xlabel="steps", ylabel="loss, nats a token")
    left.set_title(title, parse_math=False)
    left.set_ylim(bottom=0)
    right.set_ylim(bottom=0)
    right.spines["right"].set_visible(True)
    left.grid()
    lines, labels = (
        a + b for a, b in zip(left.get_legend_handles_labels(), right.get_legend_handles_labels(), strict=True)
    )
    left.legend(lines, labels, loc="center right")
    return figure


def further_sets(history: Sequence[dict[str, Any]]) -> list[str]:
    """Return the names of the validation sets beside the first one."""
    keys = dict.fromkeys(key for line in history for key in line if key.startswith("eval_") and key.endswith("/loss"))
    return [key.removeprefix("eval_").removesuffix("/loss") for key in keys]
