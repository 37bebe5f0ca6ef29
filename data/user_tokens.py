"""Entries that a user asks the vocabulary to have: each is one token wherever it stands, and never a part of another.

They are text, as the user_defined_symbols of SentencePiece are (Marian's too): decoding gives them back, and
`skip_special_tokens` leaves them. Nothing is normalised before they are looked for, so a token is what was typed, to
the letter and in its case. Of several that begin at one place the longest is taken.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from .blank_text import is_blank

_PARTS = re.compile(r"[ \t\r\n]+")
_SYNTAX = re.compile(r"[\\^$.|?*+()\[\]{}]")


def split_tokens(given: Sequence[str]) -> list[str]:
    """Return the tokens of a flag, which may come parted by spaces: "<2de> <BT>" are two."""
    return [symbol for text in given for symbol in _PARTS.split(text) if symbol]


def check_tokens(symbols: Sequence[str], special_tokens: Sequence[str]) -> None:
    """Raise ValueError, naming the token, unless each can be an entry of its own beside special tokens and bytes."""
    for place, symbol in enumerate(symbols):
        fault = _fault(symbol, special_tokens)
        if symbol in symbols[:place]:
            fault = "is given twice"
        if fault:
            raise ValueError(f"user_tokens has {symbol!r}, which {fault}. Give each token once, such as <2de>.")


def _fault(symbol: str, special_tokens: Sequence[str]) -> str | None:
    kinds = {unicodedata.category(letter) for letter in symbol}
    if any(letter.isspace() for letter in symbol):
        return "has white space inside"
    if is_blank(symbol):
        return "shows nothing"
    if "Cs" in kinds:
        return "is not UTF-8"
    if "Cc" in kinds:
        return "has a control character, and pairs with one are dropped"
    if symbol in special_tokens:
        return f"is a special token ({', '.join(special_tokens)} are there already)"
    if len(symbol.encode()) == 1:
        return "is a single byte, and every byte is an entry already, of which others are made"
    return None


def any_of(symbols: Sequence[str]) -> str:
    """Return a pattern of the tokens, as Python, Rust and JavaScript read it; it finds the longest at a place."""
    return "|".join(_SYNTAX.sub(r"\\\g<0>", symbol) for symbol in sorted(symbols, key=lambda each: (-len(each), each)))


def words_around(symbols: Sequence[str]) -> str:
    """Return a pattern of the tokens, and of what ByteLevel would split off by itself (GPT-2's) between them."""
    found = any_of(symbols)
    none_here = f"(?!{found})"
    return (
        rf"{found}"
        rf"|'{none_here}(?:[sdmt]|l{none_here}l|v{none_here}e|r{none_here}e)"
        rf"| ?(?:{none_here}\p{{L}})+| ?(?:{none_here}\p{{N}})+| ?(?:{none_here}[^\s\p{{L}}\p{{N}}])+"
        rf"|\s+(?={found})|\s+(?!\S)|\s+"
    )


def without_tokens(text: str, symbols: str) -> str:
    """Return a text with a space in the place of each of the tokens, which are joined by spaces."""
    return _pattern(symbols).sub(" ", text) if symbols else text


@lru_cache(maxsize=16)
def _pattern(symbols: str) -> re.Pattern[str]:
    return re.compile(any_of(symbols.split(" ")))
