"""A student beside its teacher: BLEU against speed, and against size."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from .style import COLOURS, name_lines, styled

MARKS = "osD^vP*X"


class SystemPoint(NamedTuple):
    """One system of the picture."""

    name: str
    bleu: float
    sentences_a_second: Sequence[float]
    """In each round."""
    megabytes: float


@styled
def draw_distillation(systems: Sequence[SystemPoint], test_set: str) -> Figure:
    """Draw BLEU over sentences a second on the left, over megabytes on the right; both axes of these are logarithmic.

    Args:
        systems: in the order of the legend; a bar spans the rounds.
        test_set: whose BLEU it is.

    """
    figure = Figure(figsize=(9, 4.2 + 0.2 * len(systems)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    marks = []
    for number, system in enumerate(systems):
        colour = COLOURS[number % len(COLOURS)]
        how: dict[str, Any] = {"color": colour, "marker": MARKS[number % len(MARKS)], "markersize": 8, "ls": "none"}
        rates = sorted(system.sentences_a_second)
        middle = rates[len(rates) // 2]
        left.plot([rates[0], rates[-1]], [system.bleu] * 2, color=colour, linestyle="-", linewidth=1.2)
        [mark] = left.plot([middle], [system.bleu], **how)
        right.plot([system.megabytes], [system.bleu], **how)
        marks.append(mark)
    left.set(xlabel="sentences a second, one thread (right is better)", ylabel=f"BLEU, {test_set}")
    right.set(xlabel="megabytes on disk (left is better)")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.margins(x=0.15, y=0.2)
        axes.grid()
    figure.suptitle("Student and teacher")
    name_lines(figure, marks, [system.name for system in systems], loc="outside lower center", ncols=2)
    return figure
