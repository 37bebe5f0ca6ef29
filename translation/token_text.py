"""Tokens of a vocabulary as readable text."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase
from transformers.convert_slow_tokenizer import bytes_to_unicode

BYTES = {letter: byte for byte, letter in bytes_to_unicode().items()}
"""What each letter of a byte-level vocabulary stands for."""


def tokens_as_text(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> list[str]:
    r"""Return each token as readable text: a space as ▁, a line end as ↵, single bytes of a letter as \xe7."""

    def text(count: int, token: int) -> str:
        return str(tokenizer.decode([token] * count, clean_up_tokenization_spaces=False))

    # A decoder removes the space of the first token of a text, so the second one is used.
    texts = [spelled(tokenizer, each, text(2, each).removeprefix(text(1, each))) for each in ids]
    return [each.replace(" ", "▁").replace("\n", "↵") for each in texts]


def spelled(tokenizer: PreTrainedTokenizerBase, token: int, text: str) -> str:
    """Return the text of a token, with bytes that are not a whole letter as numbers."""
    letters = str(tokenizer.convert_ids_to_tokens(token))
    if "\ufffd" not in text or not BYTES.keys() >= set(letters):
        return text
    return bytes(BYTES[letter] for letter in letters).decode("utf-8", "backslashreplace")


def tokens_as_words(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> list[str]:
    """Return each token for a picture: the beginning of a word as it is, a continuation of a word after a dot."""
    texts = tokens_as_text(tokenizer, ids)
    return [
        each.removeprefix("▁") or "▁" if each.startswith("▁") or not each[:1].isalnum() else f"·{each}"
        for each in texts
    ]
