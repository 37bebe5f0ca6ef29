"""Symbols of a vocabulary as one can read them."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase
from transformers.convert_slow_tokenizer import bytes_to_unicode

BYTES = {letter: byte for byte, letter in bytes_to_unicode().items()}
"""What each letter of a byte-level vocabulary stands for."""


def tokens_as_text(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> list[str]:
    r"""Return each token as one can read it: a space as ▁, a line end as ↵, bytes of a letter that it cuts as \xe7."""

    def text(count: int, symbol: int) -> str:
        return str(tokenizer.decode([symbol] * count, clean_up_tokenization_spaces=False))

    # A decoder takes the space off the first token of a text, so the second one is looked at.
    texts = [spelled(tokenizer, each, text(2, each).removeprefix(text(1, each))) for each in ids]
    return [each.replace(" ", "▁").replace("\n", "↵") for each in texts]


def spelled(tokenizer: PreTrainedTokenizerBase, symbol: int, text: str) -> str:
    """Return the text of a token, with the bytes that make no letter by themselves as numbers."""
    letters = str(tokenizer.convert_ids_to_tokens(symbol))
    if "\ufffd" not in text or not BYTES.keys() >= set(letters):
        return text
    return bytes(BYTES[letter] for letter in letters).decode("utf-8", "backslashreplace")


def tokens_as_words(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> list[str]:
    """Return each token as it stands in a picture: words plainly, and what goes on with a word behind a dot."""
    symbols = tokens_as_text(tokenizer, ids)
    return [
        each.removeprefix("▁") or "▁" if each.startswith("▁") or not each[:1].isalnum() else f"·{each}"
        for each in symbols
    ]
