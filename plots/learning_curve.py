"""One run's learning: loss, validation loss and quality against steps."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from .style import COLOURS, styled

QUALITIES = {"eval_bleu": "BLEU", "eval_f1": "F1"}
"""What tells the quality of translations, and of parses, by its name in the log."""


@styled
def draw_learning_curve(history: Sequence[dict[str, Any]], title: str) -> Figure:
    """Draw loss, validation loss and validation BLEU, or of parses F1, against steps.

    Args:
        history: the Trainer's log, a dictionary a line.
        title: said above the picture.

    """
    training = [(line["step"], line["loss"]) for line in history if "loss" in line]
    validation = [line for line in history if "eval_loss" in line]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    left = figure.subplots()
    right = left.twinx()
    blue, orange, *_ = COLOURS
    if training:
        left.plot(*zip(*training, strict=True), color=blue, alpha=0.5, label="training loss, smoothed labels")
    if validation:
        steps = [line["step"] for line in validation]
        key, name = next((key, name) for key, name in QUALITIES.items() if key in validation[0])
        losses, values = ([line[each] for line in validation] for each in ("eval_loss", key))
        left.plot(steps, losses, color=blue, marker="o", markersize=3, label="validation loss")
        right.plot(steps, values, color=orange, marker="o", markersize=3, label=f"validation {name}")
        right.set_ylabel(name)
    left.set(xlabel="steps", ylabel="loss, nats a token", title=title)
    left.set_ylim(bottom=0)
    right.set_ylim(bottom=0)
    right.spines["right"].set_visible(True)
    left.grid()
    lines, labels = (
        a + b for a, b in zip(left.get_legend_handles_labels(), right.get_legend_handles_labels(), strict=True)
    )
    left.legend(lines, labels, loc="center right")
    return figure
