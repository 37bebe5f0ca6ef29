"""Vocabulary entries that a user asks for: each is one token wherever it occurs, and never part of another.

They are text, like the user_defined_symbols of SentencePiece (and Marian): decoding keeps them, and so does
`skip_special_tokens`. Nothing is normalised before they are matched, so a token is exactly what was typed, case
included. Of several that begin at one place the longest is taken.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from .blank_text import is_blank

_PARTS = re.compile(r"[ \t\r\n]+")
_SYNTAX = re.compile(r"[\\^$.|?*+()\[\]{}]")


def split_tokens(given: Sequence[str]) -> list[str]:
    """Return the tokens of a flag, which may be separated by spaces: "<2de> <BT>" are two."""
    return [token for text in given for token in _PARTS.split(text) if token]


def check_tokens(tokens: Sequence[str], special_tokens: Sequence[str]) -> None:
    """Raise ValueError, naming the token, unless each can be an entry in addition to special tokens and bytes."""
    for place, token in enumerate(tokens):
        fault = _fault(token, special_tokens)
        if token in tokens[:place]:
            fault = "is given twice"
        if fault:
            raise ValueError(f"user_tokens has {token!r}, which {fault}. Give each token once, such as <2de>.")


def _fault(token: str, special_tokens: Sequence[str]) -> str | None:
    kinds = {unicodedata.category(letter) for letter in token}
    if any(letter.isspace() for letter in token):
        return "has white space inside"
    if is_blank(token):
        return "shows nothing"
    if "Cs" in kinds:
        return "is not UTF-8"
    if "Cc" in kinds:
        return "has a control character, and pairs with one are dropped"
    if token in special_tokens:
        return f"is a special token ({', '.join(special_tokens)} are there already)"
    if len(token.encode()) == 1:
        return "is a single byte, and every byte is an entry already"
    return None


def any_of(tokens: Sequence[str]) -> str:
    """Return a pattern of the tokens for Python, Rust and JavaScript; it matches the longest at a place."""
    return "|".join(_SYNTAX.sub(r"\\\g<0>", token) for token in sorted(tokens, key=lambda each: (-len(each), each)))


def words_around(tokens: Sequence[str]) -> str:
    """Return a pattern of the tokens, and of ByteLevel's own split (GPT-2's) between them."""
    found = any_of(tokens)
    none_here = f"(?!{found})"
    return (
        rf"{found}"
        rf"|'{none_here}(?:[sdmt]|l{none_here}l|v{none_here}e|r{none_here}e)"
        rf"| ?(?:{none_here}\p{{L}})+| ?(?:{none_here}\p{{N}})+| ?(?:{none_here}[^\s\p{{L}}\p{{N}}])+"
        rf"|\s+(?={found})|\s+(?!\S)|\s+"
    )


def without_tokens(text: str, tokens: str) -> str:
    """Return a text with each of the tokens, which are joined by spaces, replaced by a space."""
    return _pattern(tokens).sub(" ", text) if tokens else text


@lru_cache(maxsize=16)
def _pattern(tokens: str) -> re.Pattern[str]:
    return re.compile(any_of(tokens.split(" ")))
