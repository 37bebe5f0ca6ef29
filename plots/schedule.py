"""Equation 3 as curves: the learning rate against steps."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from numpy.typing import NDArray

from .style import styled


@styled
def draw_schedule(rates: Mapping[str, NDArray[np.floating]]) -> Figure:
    """Draw the rates of steps 1, 2, 3 ... of each schedule, by its name."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, values in rates.items():
        steps = np.arange(1, len(values) + 1)
        [line] = axes.plot(steps, values, label=name)
        peak = int(np.argmax(values))
        if peak < len(values) - 1:  # or else its warm-up may continue beyond the picture
            axes.plot(steps[peak], values[peak], "o", color=line.get_color(), markersize=4)
    axes.set(xlabel="step", ylabel="learning rate", title="Learning rate (section 5.3, equation 3)")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-3, -3), useMathText=True)
    axes.grid()
    axes.legend(title="dots are peaks, at the end of the warm-up", alignment="left")
    return figure
