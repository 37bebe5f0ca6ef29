"""Attention heads as in the paper's appendix: lines from each token to those that it looks at.

Shapes: H heads, Q tokens that look, K tokens that are looked at.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from .style import COLOURS, LINES, styled

FAINTEST = 0.02
"""Lines of less weight are not drawn: hundreds of them would hide the others."""
STEP, HIGH, LETTER = 0.3, 1.9, 0.085
"""Inches: from a token to the next, from the upper ones to the lower ones, and a letter's width."""


@styled
def draw_attention_lines(
    weights: NDArray[np.floating],
    looking: Sequence[str],
    looked_at: Sequence[str],
    names: Sequence[str],
    title: str,
    together: bool = False,
) -> Figure:
    """Draw `[H, Q, K]` weights: the tokens that look above, those looked at below, a line as strong as its weight.

    Args:
        weights: from 0 to 1.
        looking: Q tokens; one whose weights are all 0 is written paler.
        looked_at: K tokens.
        names: of the H heads.
        title: above all.
        together: all heads in one picture, distinguished by colour, more than eight also by line style; or else one
            picture each.

    """
    colours = [COLOURS[head % len(COLOURS)] for head in range(len(weights))]
    strokes: list[Literal["-", "--", ":"]] = [
        LINES[head // len(COLOURS) % len(LINES)] if together else "-" for head in range(len(weights))
    ]
    panels = [list(range(len(weights)))] if together else [[head] for head in range(len(weights))]
    width = STEP * max(len(looking), len(looked_at), 8) + 0.6
    columns = 1 if len(panels) == 1 or width > 7 else 2
    rows = math.ceil(len(panels) / columns)
    labels = LETTER * (max(map(len, looking)) + max(map(len, looked_at)))
    figure = Figure(
        figsize=(max(columns * width, 6), rows * (labels + HIGH + 0.3) + 0.6), dpi=110, layout="constrained"
    )
    for place, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        if place >= len(panels):
            axes.set_visible(False)
            continue
        for head in panels[place]:
            aside = 0.09 * (head - (len(weights) - 1) / 2) if together else 0.0
            draw_lines(axes, weights[head], colours[head], strokes[head], aside, strength=0.5 if together else 1.0)
        frame(axes, looking, looked_at, weights.max(axis=(0, 2)) > 0)
        if not together:
            axes.text(
                axes.get_xlim()[0],
                0.5,
                names[place],
                rotation=90,
                ha="right",
                va="center",
                color=colours[place],
                fontweight="bold",
            )
    if together:
        handles = [
            Line2D([], [], color=colour, linestyle=stroke, linewidth=3)
            for colour, stroke in zip(colours, strokes, strict=True)
        ]
        figure.legend(handles, names, loc="outside lower center", ncols=min(len(names), 8))
    figure.suptitle(title, fontsize=11, parse_math=False)
    return figure


def places(count: int) -> NDArray[np.floating]:
    """Return where so many tokens stand, a step apart around 0."""
    return np.arange(count) - (count - 1) / 2


def draw_lines(
    axes: Axes, weights: NDArray[np.floating], colour: str, stroke: str, aside: float, strength: float
) -> None:
    """Draw one head's `[Q, K]` weights from height 1 down to 0, as opaque as weight ** strength."""
    above, below = (places(count) + aside for count in weights.shape)
    seen = [(q, k) for q in range(weights.shape[0]) for k in range(weights.shape[1]) if weights[q, k] >= FAINTEST]
    axes.add_collection(
        LineCollection(
            [[(above[q], 1), (below[k], 0)] for q, k in seen],
            colors=[to_rgba(colour, min(1.0, float(weights[q, k]) ** strength)) for q, k in seen],
            linewidths=[0.6 + 2.4 * float(weights[q, k]) for q, k in seen],
            linestyles=stroke,
            capstyle="round",
        )
    )


def frame(axes: Axes, looking: Sequence[str], looked_at: Sequence[str], looks: NDArray[np.bool_]) -> None:
    """Write the tokens above and below."""
    longer = max(len(looking), len(looked_at), 8)
    axes.set(xlim=(-longer / 2 - 0.5, longer / 2 + 0.5), ylim=(-0.02, 1.02))
    axes.axis("off")
    for tokens, height, end, black in (
        (looking, 1.04, "bottom", looks),
        (looked_at, -0.04, "top", np.ones(len(looked_at))),
    ):
        for place, token, is_black in zip(places(len(tokens)), tokens, black, strict=True):
            axes.text(
                float(place),
                height,
                token,
                rotation=90,
                ha="center",
                va=end,
                color="black" if is_black else "0.65",
                parse_math=False,
            )
