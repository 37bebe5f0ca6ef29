"""Table 3 as a picture: how far each row is from base, here and in the paper."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from .style import COLOURS, styled


class Difference(NamedTuple):
    """The difference of a row from base."""

    name: str
    loss: float
    """Nats per token: the logarithm of the ratio of perplexities."""
    loss_error: float | None
    """Its standard error; None if nothing was trained with several seeds."""
    paper_loss: float
    bleu: float
    bleu_error: float | None
    paper_bleu: float


@styled
def draw_table3(rows: Sequence[Difference]) -> Figure:
    """Draw the rows downwards, loss on the left and BLEU on the right."""
    figure = Figure(figsize=(9, 1.6 + 0.28 * len(rows)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    places = range(len(rows))
    panels = (
        (
            left,
            "nats a token, less base (left is better)",
            [(row.loss, row.loss_error, row.paper_loss) for row in rows],
        ),
        (right, "BLEU, less base (right is better)", [(row.bleu, row.bleu_error, row.paper_bleu) for row in rows]),
    )
    for axes, label, values in panels:
        here, errors, paper = zip(*values, strict=True)
        axes.axvline(0, color="0.5", linewidth=1)
        widths = None if errors[0] is None else [2 * error for error in errors]
        axes.errorbar(
            here,
            places,
            xerr=widths,
            fmt="o",
            color=COLOURS[0],
            capsize=2,
            label="here" if widths is None else "here, ± two standard errors",
        )
        axes.plot(paper, places, "D", color=COLOURS[1], fillstyle="none", label="the paper")
        axes.set_xlabel(label)
        axes.grid(axis="x")
        for place in places:
            if place and rows[place].name[0] != rows[place - 1].name[0]:
                axes.axhline(place - 0.5, color="0.85", linewidth=1)
    left.set_yticks(places, [row.name for row in rows])
    left.invert_yaxis()
    figure.suptitle("Table 3: each row against base")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
