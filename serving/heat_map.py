"""A picture of where a translation looked: the decoder's attention to the source (section 3.2.3).

Shapes: T symbols of the translation, S of the source.
"""

from collections.abc import Sequence

from matplotlib.figure import Figure
from torch import Tensor
from transformers import PreTrainedTokenizerBase


def symbols_as_text(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> list[str]:
    """Return each symbol as one can read it: a space as ▁, a line end as ↵."""

    def text(count: int, symbol: int) -> str:
        return str(tokenizer.decode([symbol] * count, clean_up_tokenization_spaces=False))

    # A decoder takes the space off the first symbol of a text, so the second one is looked at.
    texts = [text(2, each).removeprefix(text(1, each)) for each in ids]
    return [each.replace(" ", "▁").replace("\n", "↵") for each in texts]


def draw(weights: Tensor, source: Sequence[str], target: Sequence[str], title: str) -> Figure:
    """Draw `[T, S]` weights: a row for each symbol of the translation, a column for each of the source."""
    width, height = 2 + 0.42 * len(source), 1.6 + 0.34 * len(target)
    figure = Figure(figsize=(max(width, 5), max(height, 3)), dpi=110, layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(weights.float().numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    # A dollar sign is text here, not the beginning of a formula.
    axes.set_xticks(range(len(source)), source, rotation=60, ha="left", rotation_mode="anchor", parse_math=False)
    axes.set_yticks(range(len(target)), target, parse_math=False)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_xlabel(title)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, shrink=0.8, label="weight")
    return figure
