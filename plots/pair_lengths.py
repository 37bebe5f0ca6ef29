"""A histogram of the lengths of a corpus's pairs, in tokens."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .style import styled


@styled
def draw_pair_lengths(sides: Mapping[str, NDArray[np.int64]], title: str) -> Figure:
    """Draw a histogram of each side: how many pairs have 0, 1, 2 ... tokens."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for label, pairs in sides.items():
        axes.stairs(pairs, np.arange(len(pairs) + 1) - 0.5, fill=True, alpha=0.45, label=label)
    axes.set(xlabel="tokens, </s> included", ylabel="pairs")
    axes.set_title(title, wrap=True, parse_math=False)
    axes.grid()
    axes.legend()
    return figure
