"""Where terms stand in a text: as whole words, as the glossary writes them, the longest first.

A term matches as it is written, or with its first letter as a capital, as at the beginning of a sentence. Nothing else
is guessed: no inflection, no other case, no other form of a character.

It must be a whole word: at either end of it no two characters of a word may meet. Letters, marks, digits and "_" are
characters of a word. Letters of scripts without spaces, such as Han and Thai, may meet each other; a combining mark is
never cut from its letter.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import regex

from vaswani.data.scripts import WITHOUT_SPACES

_WORD = regex.compile(r"[\p{L}\p{M}\p{N}_]")
_MARK = regex.compile(r"\p{M}")
_APART = regex.compile("[" + "".join(rf"\p{{Script={script}}}" for script in WITHOUT_SPACES) + "]")


class Found(NamedTuple):
    """A term in a text."""

    start: int
    end: int
    number: int
    """Of the term, from 0."""


def forms(term: str) -> tuple[str, ...]:
    """Return the ways in which a term may be written: as it is, and with a capital."""
    capital = term[:1].upper()
    return (term,) if len(capital) != 1 or capital == term[:1] else (term, capital + term[1:])


@lru_cache(maxsize=1 << 16)
def is_of_word(character: str) -> bool:
    """Return whether a character is a letter, a mark, a digit or "_"."""
    return _WORD.match(character) is not None


@lru_cache(maxsize=1 << 16)
def is_apart(character: str) -> bool:
    """Return whether a character is of a script that puts no spaces between words."""
    return _APART.match(character) is not None


@lru_cache(maxsize=1 << 16)
def _is_mark(character: str) -> bool:
    return _MARK.match(character) is not None


def is_boundary(before: str, after: str) -> bool:
    """Return whether a word may end between two characters; either may be "", the end of the text."""
    if not before or not after:
        return True
    if _is_mark(after):
        return False
    return not (is_of_word(before) and is_of_word(after)) or is_apart(before) or is_apart(after)


def is_whole(text: str, start: int, end: int) -> bool:
    """Return whether a part of a text is whole words."""
    return is_boundary(text[max(0, start - 1) : start], text[start : start + 1]) and is_boundary(
        text[end - 1 : end], text[end : end + 1]
    )


class TermFinder:
    """Finds terms in texts.

    Args:
        terms: at least one character each; of equal ones the first counts.

    """

    def __init__(self, terms: Sequence[str]) -> None:
        self._numbers: dict[str, int] = {}
        for kind in range(2):  # a term as it is written goes before another one's capital
            for number, term in enumerate(terms):
                for form in forms(term)[kind : kind + 1]:
                    self._numbers.setdefault(form, number)
        lengths: dict[str, set[int]] = {}
        for form in self._numbers:
            lengths.setdefault(form[0], set()).add(len(form))
        self._lengths = {first: sorted(each, reverse=True) for first, each in lengths.items()}

    def find(self, text: str) -> list[Found]:
        """Return the terms in a text from left to right; where several begin at one place the longest, and no two meet.

        Both hold of the text that is left behind the term before.
        """
        found: list[Found] = []
        place = 0
        while place < len(text):
            first = text[place]
            lengths = self._lengths.get(first)
            each = None
            if lengths and is_boundary(text[max(0, place - 1) : place], first):
                each = self._longest(text, place, lengths)
            if each is not None:
                found.append(each)
            place = place + 1 if each is None else each.end
        return found

    def _longest(self, text: str, start: int, lengths: Iterable[int]) -> Found | None:
        for length in lengths:
            end = start + length
            number = self._numbers.get(text[start:end]) if end <= len(text) else None
            if number is not None and is_boundary(text[end - 1], text[end : end + 1]):
                return Found(start, end, number)
        return None


def count(text: str, terms: Sequence[str]) -> int:
    """Return how often any of some terms stands in a text."""
    return len(_finder(tuple(terms)).find(text))


@lru_cache(maxsize=4096)
def _finder(terms: tuple[str, ...]) -> TermFinder:
    return TermFinder(terms)
