"""Several runs' learning side by side: training loss, validation loss and validation metrics of outputs."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from vaswani.evaluation.metric_table import METRICS

from .style import name_lines, styled

PANELS = (
    ("loss", "training loss, smoothed labels", "nats a token"),
    ("eval_loss", "validation loss", "nats a token"),
)
"""Key in the log, title and unit of the figures that every run has."""


@styled
def draw_learning_curves(histories: Mapping[str, Sequence[dict[str, Any]]]) -> Figure:
    """Draw a panel for each figure and a line for each run; a figure that no run logged has no panel.

    Args:
        histories: the Trainer's logs, one dictionary per line, by the names of the runs.

    Raises:
        ValueError: none logged any of the figures.

    """
    of_outputs = [(f"eval_{each.key}", f"validation {each.name}", each.name) for each in METRICS.values()]
    shown = [
        panel for panel in (*PANELS, *of_outputs) if any(panel[0] in line for log in histories.values() for line in log)
    ]
    if not shown:
        raise ValueError(f"{', '.join(histories)}: the log has no loss and no validation")
    figure = Figure(figsize=(0.6 + 3.8 * len(shown), 4), layout="constrained")
    for axes, (key, title, unit) in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        lines = []
        for log in histories.values():
            points = [(line["step"], line[key]) for line in log if key in line]
            mark = "o" if key.startswith("eval") else None
            lines += axes.plot(*zip(*points, strict=True) if points else ([], []), marker=mark, markersize=3)
        axes.set(title=title, xlabel="step", ylabel=unit)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.grid()
    name_lines(figure, lines, list(histories), loc="outside lower center", ncols=min(len(histories), 4))
    return figure
