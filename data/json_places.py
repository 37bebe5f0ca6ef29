"""A single JSON document, read with the places of the elements of its arrays."""

import json
import re
from collections.abc import Callable
from typing import NamedTuple

_BLANK = re.compile(r"[ \t\n\r]*")

Span = tuple[int, int]
"""Where an element begins and ends, in characters from 0."""


class Document(NamedTuple):
    """The contents of a JSON text."""

    value: object
    spans: dict[str | None, list[Span]]
    """Of the elements of arrays: under None if the text is an array, or else by the key of which it is the value."""


class LinesOf:
    """Gives the line numbers, from 1, of places in rising order, each counted from the one before."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place, self._line = 0, 1

    def __call__(self, place: int) -> int:
        """Return the line of a character."""
        self._line += self._text.count("\n", self._place, place)
        self._place = place
        return self._line


def read_document(
    text: str, start: int, read: json.JSONDecoder, make: Callable[[list[tuple[str, object]]], object]
) -> Document:
    """Read JSON as `read.decode` does, with places; raises json.JSONDecodeError as it does.

    Args:
        text: all of it; the characters before `start` are skipped.
        start: where the value begins.
        read: reads what is inside.
        make: an object from its keys and values.

    """
    place = _skip(text, start)
    spans: dict[str | None, list[Span]] = {}
    value: object
    if text.startswith("[", place):
        value, spans[None], end = _array(text, place, read)
    elif text.startswith("{", place):
        pairs: list[tuple[str, object]] = []
        end = _skip(text, place + 1)
        while not text.startswith("}", end) or pairs:
            if not text.startswith('"', end):
                raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, end)
            key, end = read.raw_decode(text, end)
            end = _after(text, end, ":")
            if text.startswith("[", end):
                inner, spans[key], end = _array(text, end, read)
            else:
                inner, end = read.raw_decode(text, end)
                spans.pop(key, None)
            pairs.append((key, inner))
            end = _skip(text, end)
            if text.startswith("}", end):
                break
            end = _after(text, end, ",")
        value, end = make(pairs), end + 1
    else:
        value, end = read.raw_decode(text, place)
    if (end := _skip(text, end)) != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return Document(value, spans)


def _array(text: str, place: int, read: json.JSONDecoder) -> tuple[list[object], list[Span], int]:
    """Return the elements of the array that opens at a place, their places, and where the array ends."""
    values: list[object] = []
    spans: list[Span] = []
    place = _skip(text, place + 1)
    while not text.startswith("]", place) or values:
        value, end = read.raw_decode(text, place)
        values.append(value)
        spans.append((place, end))
        place = _skip(text, end)
        if text.startswith("]", place):
            break
        place = _after(text, place, ",")
    return values, spans, place + 1


def _skip(text: str, place: int) -> int:
    found = _BLANK.match(text, place)
    assert found is not None
    return found.end()


def _after(text: str, place: int, sign: str) -> int:
    """Return the place after a character and the blanks around it."""
    place = _skip(text, place)
    if not text.startswith(sign, place):
        raise json.JSONDecodeError(f"Expecting {sign!r} delimiter", text, place)
    return _skip(text, place + 1)
