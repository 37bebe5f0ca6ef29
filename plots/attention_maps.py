"""Attention heads as heat maps: the attention of each token, one map for each head.

Shapes: H heads, Q tokens that look, K tokens that are looked at.
"""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .style import styled


@styled
def draw_attention_maps(
    weights: NDArray[np.floating], looking: Sequence[str], looked_at: Sequence[str], names: Sequence[str], title: str
) -> Figure:
    """Draw `[H, Q, K]` weights: a row for each token that looks, a column for each that is looked at.

    Args:
        weights: from 0 to 1; a row of a head sums to 1.
        looking: Q tokens.
        looked_at: K tokens.
        names: of the H heads, each above its map; an empty one is left out.
        title: above all.

    """
    columns = math.ceil(math.sqrt(len(weights))) if len(weights) < 4 else min(4, math.ceil(len(weights) / 2))
    rows = math.ceil(len(weights) / columns)
    square = 0.3 if len(weights) == 1 else 0.2  # inches
    wide, high = max(square * len(looked_at), 1.8), max(square * len(looking), 1.2)
    longest = 0.075 * max(map(len, (*looking, *looked_at)))  # inches that a label takes
    figure = Figure(
        figsize=(columns * (wide + 0.25) + longest + 1.4, rows * (high + 0.4) + longest + 0.8),
        dpi=110,
        layout="constrained",
    )
    panels = figure.subplots(rows, columns, squeeze=False)
    size = 10 if len(weights) == 1 else 8
    for place, axes in enumerate(panels.flat):
        if place >= len(weights):
            axes.set_visible(False)
            continue
        image = axes.imshow(weights[place], cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        axes.tick_params(length=0, labelsize=size)
        axes.spines[:].set_visible(True)
        axes.spines[:].set_color("0.8")
        # A dollar sign is text here, not the beginning of a formula.
        axes.set_xticks(
            range(len(looked_at)),
            looked_at if place < columns else [],
            rotation=60,
            ha="left",
            rotation_mode="anchor",
            parse_math=False,
        )
        axes.set_yticks(range(len(looking)), looking if place % columns == 0 else [], parse_math=False)
        axes.xaxis.tick_top()
        axes.set_xlabel(names[place], fontsize=size + 1, labelpad=3)
    figure.suptitle(title, fontsize=11, parse_math=False)
    bar = figure.colorbar(image, ax=panels, shrink=min(1.0, 3 / (rows * high)), aspect=20, label="weight", pad=0.02)
    bar.outline.set_visible(False)
    return figure
