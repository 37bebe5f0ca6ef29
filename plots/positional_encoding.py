"""Section 3.5 as heat maps: position against depth."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .style import styled


@styled
def draw_positional_encoding(encoding: NDArray[np.floating]) -> Figure:
    """Draw `[T, D]` encodings, positions downwards and depth to the right, values from -1 to 1 by colour.

    The upper map shows them as the network adds them, the lower ones sines and cosines separately.
    """
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    panels = figure.subplot_mosaic([["all", "all"], ["sines", "cosines"]], height_ratios=(1.25, 1))
    d_model = encoding.shape[1]
    for name, first, step, said in (
        ("all", 0, 1, "as it is added: sine and cosine in turn"),
        ("sines", 0, 2, "even dimensions: sines"),
        ("cosines", 1, 2, "odd dimensions: cosines"),
    ):
        axes = panels[name]
        image = axes.imshow(
            encoding[:, first::step],
            cmap="RdBu_r",
            vmin=-1,
            vmax=1,
            aspect="auto",
            interpolation="nearest",
            extent=(-0.5, d_model - 0.5, len(encoding) - 0.5, -0.5),
        )
        axes.set_title(said)
        axes.set_xlabel("depth (dimension)")
        axes.set_ylabel("" if name == "cosines" else "position")
        axes.spines[:].set_visible(False)
    figure.suptitle("Positional encoding (section 3.5)", fontsize=12)
    bar = figure.colorbar(image, ax=list(panels.values()), label="value", ticks=[-1, -0.5, 0, 0.5, 1], aspect=40)
    bar.outline.set_visible(False)
    return figure
