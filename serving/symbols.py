"""Symbols of a vocabulary as one can read them."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase


def symbols_as_text(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> list[str]:
    """Return each symbol as one can read it: a space as ▁, a line end as ↵."""

    def text(count: int, symbol: int) -> str:
        return str(tokenizer.decode([symbol] * count, clean_up_tokenization_spaces=False))

    # A decoder takes the space off the first symbol of a text, so the second one is looked at.
    texts = [text(2, each).removeprefix(text(1, each)) for each in ids]
    return [each.replace(" ", "▁").replace("\n", "↵") for each in texts]


def symbols_as_words(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> list[str]:
    """Return each symbol as it stands in a picture: words plainly, and what goes on with a word behind a dot."""
    symbols = symbols_as_text(tokenizer, ids)
    return [each.removeprefix("▁") or "▁" if each.startswith("▁") or not each[:1].isalnum() else f"·{each}"
            for each in symbols]  # fmt: skip
