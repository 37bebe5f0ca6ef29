"""One run's learning: loss, validation loss and validation BLEU against steps."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from .style import COLOURS, styled


@styled
def draw_learning_curve(history: Sequence[dict[str, Any]], title: str) -> Figure:
    """Draw loss, validation loss and validation BLEU against steps.

    Args:
        history: the Trainer's log, a dictionary a line.
        title: said above the picture.

    """
    training = [(line["step"], line["loss"]) for line in history if "loss" in line]
    validation = [(line["step"], line["eval_loss"], line["eval_bleu"]) for line in history if "eval_loss" in line]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    left = figure.subplots()
    right = left.twinx()
    blue, orange, *_ = COLOURS
    if training:
        left.plot(*zip(*training, strict=True), color=blue, alpha=0.5, label="training loss, smoothed labels")
    if validation:
        steps, losses, bleus = zip(*validation, strict=True)
        left.plot(steps, losses, color=blue, marker="o", markersize=3, label="validation loss")
        right.plot(steps, bleus, color=orange, marker="o", markersize=3, label="validation BLEU")
    left.set(xlabel="steps", ylabel="loss, nats a token", title=title)
    left.set_ylim(bottom=0)
    right.set_ylabel("BLEU")
    right.set_ylim(bottom=0)
    right.spines["right"].set_visible(True)
    left.grid()
    lines, labels = (
        a + b for a, b in zip(left.get_legend_handles_labels(), right.get_legend_handles_labels(), strict=True)
    )
    left.legend(lines, labels, loc="center right")
    return figure
