"""The learning curve as a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")  # no screen is needed
import matplotlib.pyplot as plt

from .quality import quality_of


def draw_curve(history: Sequence[dict[str, Any]], folder: Path, title: str) -> None:
    """Draw loss, validation loss and validation BLEU, or F1, against steps into `folder`/curve.png and curve.svg.

    Args:
        history: the Trainer's log, a dictionary a line.
        folder: where the pictures go.
        title: said above the picture.

    """
    training = [(line["step"], line["loss"]) for line in history if "loss" in line]
    validation = [line for line in history if "eval_loss" in line]
    figure, left = plt.subplots(figsize=(8, 4.5), layout="constrained")
    right = left.twinx()
    if training:
        left.plot(*zip(*training, strict=True), color="tab:blue", alpha=0.5, label="training loss, smoothed labels")
    if validation:
        steps = [line["step"] for line in validation]
        qualities = [quality_of(line, "eval_") for line in validation]
        name = qualities[0].name
        left.plot(
            steps,
            [line["eval_loss"] for line in validation],
            color="tab:blue",
            marker="o",
            markersize=3,
            label="validation loss",
        )
        values = [each.value for each in qualities]
        right.plot(steps, values, color="tab:orange", marker="o", markersize=3, label=f"validation {name}")
        right.set_ylabel(name)
    left.set(xlabel="steps", ylabel="loss, nats a token", title=title)
    left.set_ylim(bottom=0)
    right.set_ylim(bottom=0)
    left.grid(alpha=0.3)
    lines, labels = (
        a + b for a, b in zip(left.get_legend_handles_labels(), right.get_legend_handles_labels(), strict=True)
    )
    left.legend(lines, labels, loc="center right")
    for suffix in ("png", "svg"):
        figure.savefig(folder / f"curve.{suffix}", dpi=150)
    plt.close(figure)
