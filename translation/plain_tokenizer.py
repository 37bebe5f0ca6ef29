"""A saved tokenizer by the `tokenizers` library alone, without transformers, which takes seconds to import.

Ids and texts are the same where tokenizer_config.json only repeats what tokenizer.json says, as in models of this
package. Any other tokenizer is left to transformers.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from tokenizers import Tokenizer

CLASSES = ("TokenizersBackend", "PreTrainedTokenizerFast")
"""The names, in transformers, of a tokenizer that is nothing but its tokenizer.json."""
SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token")
WITHOUT_EFFECT = (
    *("backend", "is_local", "local_files_only", "model_input_names", "padding_side", "truncation_side"),
    *("tokenizer_class", "split_special_tokens", "clean_up_tokenization_spaces", "model_max_length"),
    *("max_length", "pad_to_multiple_of", "pad_token_type_id"),
)
"""Further keys of tokenizer_config.json: read below, or without effect on a text that is neither padded nor cut."""
UNLIMITED = 10**9
"""A `model_max_length` below it makes transformers warn of longer texts."""
FURTHER_FILES = ("special_tokens_map.json", "added_tokens.json")


class Encoded(NamedTuple):
    """Ids of a text, or of each of several."""

    input_ids: Any


class PlainTokenizer:
    """A tokenizer that turns text into ids and back.

    Args:
        backend: does the work; it is changed.
        splits_special: whether `</s>` in a text is taken as four letters.

    """

    def __init__(self, backend: Tokenizer, splits_special: bool) -> None:
        self._backend = backend
        backend.encode_special_tokens = splits_special
        backend.no_padding()

    def __call__(self, text: str | list[str]) -> Encoded:
        """Return the ids of a text, or of each of several, with </s>."""
        if isinstance(text, str):
            return Encoded(self._backend.encode(text).ids)
        return Encoded([each.ids for each in self._backend.encode_batch(text)])

    def decode(
        self,
        token_ids: list[int],
        *,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool = False,
    ) -> str:
        """Return the text of some ids; `clean_up_tokenization_spaces` has to be false."""
        assert not clean_up_tokenization_spaces
        text: str = self._backend.decode(token_ids, skip_special_tokens=skip_special_tokens)
        return text

    def get_vocab(self) -> dict[str, int]:
        """Return the id of each token."""
        found: dict[str, int] = self._backend.get_vocab(with_added_tokens=True)
        return found


def load_plain(folder: Path) -> PlainTokenizer | None:
    """Return the tokenizer of a folder; None if it is not of this kind or damaged, which transformers is to judge."""
    try:
        about = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception:  # tokenizers raises a bare one
        return None
    if not isinstance(about, dict) or any((folder / name).exists() for name in FURTHER_FILES):
        return None
    special = [each.content for each in backend.get_added_tokens_decoder().values() if each.special]
    is_plain = (
        about.get("tokenizer_class") in CLASSES
        and about.keys() <= {*SPECIAL, *WITHOUT_EFFECT}
        and about.get("clean_up_tokenization_spaces") in (None, False)
        and isinstance(about.get("model_max_length", UNLIMITED), int | float)
        and about.get("model_max_length", UNLIMITED) >= UNLIMITED
        and all(about[name] in special for name in SPECIAL if name in about)
        and backend.truncation is None
    )
    return PlainTokenizer(backend, about.get("split_special_tokens") is True) if is_plain else None
