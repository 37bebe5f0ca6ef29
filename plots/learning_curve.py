"""One run's learning: loss, validation loss and validation BLEU, or F1, against steps."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from .style import COLOURS, styled

QUALITIES = {"eval_bleu": "BLEU", "eval_f1": "F1"}
"""How good outputs are, by their keys in the Trainer's log."""


@styled
def draw_learning_curve(history: Sequence[dict[str, Any]], title: str) -> Figure:
    """Draw loss, validation loss and validation BLEU, or F1, against steps.

    Args:
        history: the Trainer's log, a dictionary a line.
        title: said above the picture.

    """
    training = [(line["step"], line["loss"]) for line in history if "loss" in line]
    validation = [(line["step"], line["eval_loss"]) for line in history if "eval_loss" in line]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    left = figure.subplots()
    right = left.twinx()
    blue, orange, *_ = COLOURS
    if training:
        left.plot(*zip(*training, strict=True), color=blue, alpha=0.5, label="training loss, smoothed labels")
    if validation:
        left.plot(*zip(*validation, strict=True), color=blue, marker="o", markersize=3, label="validation loss")
    for key, name in QUALITIES.items():
        if points := [(line["step"], line[key]) for line in history if key in line]:
            right.plot(*zip(*points, strict=True), color=orange, marker="o", markersize=3, label=f"validation {name}")
            right.set_ylabel(name)
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
