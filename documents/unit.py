"""What is to be translated in a document, and where its translation goes."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Unit:
    """One text of a document: a message, a segment, a paragraph, a subtitle."""

    source: str
    """As a reader sees it, with markup and placeholders as they stand; lines are translated one by one."""
    line: int
    """Where it begins in the file, from 1."""
    start: int
    """Characters of the file in front of what the translation replaces."""
    end: int
    """The first character after it; `start` if it is added."""
    written: Callable[[str], str]
    """Turns the translation into what stands in the file."""
    unfinished: str | None = None
    """What stands there if no translation keeps all placeholders; None leaves the file's own characters."""
    markup: tuple[str, ...] = ()
    """Parts of `source` that are the format's markup: tags, link targets, emphasis."""


class DocumentError(ValueError):
    """A document that is not what its format asks for."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")


def spliced(text: str, changes: Iterable[tuple[int, int, str]]) -> str:
    """Return the text with each span (start, end) replaced; everything else stays as it is."""
    parts, done = [], 0
    for start, end, new in sorted(changes, key=lambda change: change[:2]):
        parts += [text[done:start], new]
        done = end
    return "".join([*parts, text[done:]])


def finished(text: str, units: list[Unit], translations: list[str | None]) -> str:
    """Return the document with the translations in their places; None stays untranslated, as the format says it."""
    changes = []
    for unit, translation in zip(units, translations, strict=True):
        new = unit.unfinished if translation is None else unit.written(translation)
        if new is not None:
            changes.append((unit.start, unit.end, new))
    return spliced(text, changes)


def line_end_of(text: str) -> str:
    """Return the line end of a file."""
    return "\r\n" if "\r\n" in text else "\n"


def indent_of(text: str, place: int) -> str | None:
    """Return the spaces in front of a place if nothing else stands before it on its line."""
    start = place
    while start and text[start - 1] in " \t":
        start -= 1
    return text[start:place] if not start or text[start - 1] == "\n" else None


def line_starts(text: str) -> list[int]:
    r"""Return where each line begins; lines end with \n, \r\n or \r alone."""
    return [0, *(end.end() for end in re.finditer(r"\r\n|\n|\r", text))]
