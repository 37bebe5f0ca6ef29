"""BLEU of sentences of similar length: whether a network gets worse as they grow longer."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from vaswani.evaluation.bucket import Bucket

from .style import name_lines, styled


@styled
def draw_bleu_by_length(outputs: Mapping[str, Sequence[Bucket]], unit: str = "words") -> Figure:
    """Draw BLEU of each bucket for one or several translations of the same sentences, and how many there are.

    Args:
        outputs: the buckets of each translation, by its name.
        unit: what the lengths count.

    """
    buckets = next(iter(outputs.values()))
    figure = Figure(figsize=(max(5.0, 1.6 + 0.85 * len(buckets)), 5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    places = np.arange(len(buckets))
    lines = []
    for number, found in enumerate(outputs.values()):
        beside = (number - (len(outputs) - 1) / 2) * min(0.16, 0.6 / len(outputs))
        lines.append(
            above.errorbar(
                places + beside,
                [each.bleu for each in found],
                yerr=[each.interval for each in found],
                marker="o",
                markersize=5,
                capsize=3,
                elinewidth=1,
            )
        )
    below.bar(places, [each.sentences for each in buckets], color="0.75", width=0.7)
    for place, each in zip(places, buckets, strict=True):
        below.annotate(
            f"{each.sentences:,}",
            (float(place), each.sentences),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=8,
        )
    above.set(ylabel="sacreBLEU, 95% interval", title="BLEU by length of the source")
    above.set_ylim(bottom=0)
    above.grid(axis="y")
    below.set(ylabel="sentences", xlabel=f"{unit} of the source")
    below.margins(y=0.25)
    below.set_xticks(
        places, [str(b.shortest) if b.shortest == b.longest else f"{b.shortest}–{b.longest}" for b in buckets]
    )
    if len(outputs) > 1:
        name_lines(above, lines, list(outputs), loc="lower left")
    return figure
