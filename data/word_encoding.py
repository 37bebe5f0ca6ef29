"""Token ids of a text from those of its words: each word is encoded once, in a fraction of the time.

The vocabulary of `learn_tokenizer` never merges across the space between two words, so the tokens of a text are those
of its words, one after another. A text with other white space, or with a user's token behind a space, is encoded as a
whole, as is everything where the tokenizer is another's. The tokens are the same in both ways.
"""

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerBase

from .encoding import Ragged, encode
from .tokenizer import words_apart

KEPT = 200_000
"""Words that are kept, in some tens of megabytes; at more, keeping begins anew."""


class WordEncoder:
    """Returns the token ids of texts, with </s>, as `encode` does.

    Args:
        tokenizer: any; only one of `learn_tokenizer` becomes faster.

    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._dtype = np.min_scalar_type(len(tokenizer))
        symbols = words_apart(tokenizer)
        self._is_by_words = symbols is not None
        self._behind_space = [f" {symbol}" for symbol in symbols or ()]
        self._end = np.array(tokenizer.eos_token_id, self._dtype).tobytes()
        self._known: dict[str, bytes] = {}

    def __call__(self, texts: Iterable[str]) -> Ragged:
        """Return the ids of each text."""
        texts = list(texts)
        cut = [self._words(text) for text in texts]
        met = set().union(*cut)
        known = self._known  # other threads may put another in its place, and add to this one
        new = met.difference(known)
        if len(known) + len(new) > KEPT:
            known, new = {}, met
        if new:
            known |= self._of_words(new)
        self._known = known
        others = encode(self._tokenizer, [text for text, words in zip(texts, cut, strict=True) if not words])
        whole = (others.row(number)[:-1].tobytes() for number in range(len(others.starts) - 1))
        rows = [b"".join(map(known.__getitem__, words)) if words else next(whole) for words in cut]
        starts = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, rows), np.int64, len(rows)) // self._dtype.itemsize + 1, out=starts[1:])
        return Ragged(np.frombuffer(self._end.join([*rows, b""]), self._dtype), starts)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Unpickle in a spawned loader worker, as on macOS."""
        self.__dict__ |= state
        # Pickling loses this setting, and </s> in a text would become the token.
        self._tokenizer.backend_tokenizer.encode_special_tokens = True

    def _words(self, text: str) -> list[str]:
        """Return the words of a text, or none if it is to be encoded as a whole."""
        words = text.split() if self._is_by_words else []
        is_plain = " ".join(words) == text and not any(each in text for each in self._behind_space)
        return words if is_plain else []

    def _of_words(self, words: Collection[str]) -> dict[str, bytes]:
        """Return the ids of each word, without </s>, as they lie in an array."""
        encodings = self._tokenizer.backend_tokenizer.encode_batch_fast(list(words), add_special_tokens=False)
        return {word: np.array(each.ids, self._dtype).tobytes() for word, each in zip(words, encodings, strict=True)}
