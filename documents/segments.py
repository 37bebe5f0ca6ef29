"""Translate the units of a document: in lines, each kept whole if its placeholders survive, else in pieces."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from .accelerators import Accelerator, accelerator_of, marked, without
from .placeholders import MESSAGE, has_words, in_parts, is_kept, is_nested, pattern_of
from .unit import Unit

Translate = Callable[[list[str]], list[str | None]]
"""Lines to their translations, None for one that is too long."""
Split = Callable[[str], list[str]]
"""A line to its sentences; joined, they are the line."""

EDGES = re.compile(r"(\s*)(.*?)(\s*)", re.DOTALL)


@dataclass(frozen=True)
class Counts:
    """How the lines of a document fared."""

    units: int
    finished: int
    in_pieces: int
    """Units with a line that lost a placeholder as a whole and was translated between its placeholders."""


@dataclass(frozen=True)
class _Line:
    """A line of a unit, or a sentence of it, as the network gets it."""

    text: str
    pattern: re.Pattern[str]

    @property
    def is_to_translate(self) -> bool:
        return has_words(self.text, self.pattern)

    @cached_property
    def accelerator(self) -> Accelerator | None:
        return accelerator_of(self.text, self.pattern)

    @cached_property
    def parts(self) -> list[str]:
        """What is translated, at even places, and placeholders at odd ones; without the mark of a menu."""
        text = self.text if self.accelerator is None else without(self.text, self.accelerator)
        return in_parts(text, self.pattern)


class _Piece(NamedTuple):
    """A part of a line that stands between placeholders, or is one."""

    before: str
    """What stays in front of it."""
    text: str
    """To be translated; empty if nothing is."""
    after: str


def translate_units(
    units: Sequence[Unit], translate: Translate, split: Split | None = None
) -> tuple[list[str | None], Counts]:
    """Translate each unit; calls `translate` exactly twice, so that other processes can take part.

    White space at both ends of a line stays. A line without a letter outside its placeholders stays as it is. What
    loses, doubles or changes a placeholder is translated again in pieces between its placeholders.

    Args:
        units: of a document.
        translate: lines, none of them blank, in one call each.
        split: into sentences, which are translated one by one; lines if None.

    Returns:
        Translations, None where no way kept the placeholders or a piece was too long, and the counts.

    """
    cut = [_lines_of(unit, split) for unit in units]
    lines = {line for pieces in cut for line in pieces if isinstance(line, _Line) and line.is_to_translate}
    whole = _by_text(translate, (line.text for line in lines))
    done = {line: text for line in lines if (text := whole[line.text]) is not None and _is_good(line, text)}
    pieces = {line: _pieces_of(line) for line in lines - done.keys()}
    parts = _by_text(translate, (piece.text for each in pieces.values() for piece in each if piece.text))
    again = {line: text for line in pieces if (text := _joined(line, pieces[line], parts)) is not None}
    found = done | again
    translations = [_unit_of(each, found) for each in cut]
    in_pieces = sum(
        any(line in again for line in each) and text is not None for each, text in zip(cut, translations, strict=True)
    )
    return translations, Counts(len(units), sum(each is not None for each in translations), in_pieces)


def _lines_of(unit: Unit, split: Split | None) -> list["_Line | str"]:
    """Cut a unit into lines to translate and, as plain strings, the white space between them."""
    pattern = pattern_of(unit.markup)
    found: list[_Line | str] = []
    for line in _split_lines(unit.source, pattern):
        for sentence in [line] if split is None or not line.strip() else _whole_sentences(split(line), pattern):
            before, text, after = EDGES.fullmatch(sentence).groups()  # type: ignore[union-attr]
            found += [before, _Line(text, pattern), after] if text else [before]
    return found


def _split_lines(text: str, pattern: re.Pattern[str]) -> list[str]:
    """Cut a text at its line ends, which are kept, but not within a placeholder, such as a tag over two lines."""
    lines = [""]
    for place, part in enumerate(in_parts(text, pattern)):
        first, *more = [part] if place % 2 else re.split(r"(\r?\n)", part)
        lines[-1] += first
        lines += more
    return lines


def _whole_sentences(sentences: list[str], pattern: re.Pattern[str]) -> list[str]:
    """Put together again sentences that were cut within a placeholder, or between the tags of a pair."""
    line = "".join(sentences)
    inside = {place for found in pattern.finditer(line) for place in range(found.start() + 1, found.end())}
    whole: list[str] = []
    begun, place = "", 0
    for sentence in sentences:
        begun, place = begun + sentence, place + len(sentence)
        if place not in inside and is_nested(in_parts(begun, pattern)[1::2]):
            whole.append(begun)
            begun = ""
    return [*whole, begun] if begun else whole


def _by_text(translate: Translate, texts: Iterable[str]) -> dict[str, str | None]:
    """Translate each distinct text once; the order is that of the texts, so that a run can be repeated."""
    distinct = sorted(set(texts))
    return dict(zip(distinct, translate(distinct), strict=True))


def _is_good(line: _Line, translation: str) -> bool:
    """Say whether all of the line is in its translation that must be."""
    if line.accelerator is not None:
        found = accelerator_of(translation, line.pattern)
        if found is None or found.mark != line.accelerator.mark:
            return False
    return bool(translation.strip()) and is_kept(line.text, translation, line.pattern)


def _pieces_of(line: _Line) -> list[_Piece]:
    """Return the parts of a line between its placeholders, without the mark of a menu."""
    last = len(line.parts) - 1
    return [
        _piece(part, place == 0, place == last) if place % 2 == 0 else _Piece(part, "", "")
        for place, part in enumerate(line.parts)
    ]


def _piece(part: str, is_first: bool, is_last: bool) -> _Piece:
    """Cut off what stands next to a placeholder and is no word, such as a quotation mark: it belongs to it."""
    if not any(map(str.isalpha, part)):
        return _Piece(part, "", "")
    before = re.match(r"\s*" if is_first else r"[\W_]*", part)
    after = re.search(r"\s*$" if is_last else r"[\W_]*$", part)
    assert before is not None
    assert after is not None
    return _Piece(before.group(), part[before.end() : after.start()], after.group())


def _joined(line: _Line, pieces: list[_Piece], parts: dict[str, str | None]) -> str | None:
    """Return a line of translated pieces, or None if one is missing or adds a placeholder."""
    if MESSAGE.search(line.text):
        return None  # its texts are within the placeholder
    texts = []
    for before, text, after in pieces:
        translation = parts[text] if text else ""
        if text and (not translation or in_parts(translation, line.pattern)[1:]):
            return None
        texts.append(f"{before}{(translation or '').strip()}{after}")
    joined = "".join(texts)
    if line.accelerator is not None:
        joined = marked(joined, line.accelerator, line.pattern)
    return joined if _is_good(line, joined) else None


def _unit_of(pieces: list["_Line | str"], found: dict[_Line, str]) -> str | None:
    """Put a unit together; None if one of its lines has no translation."""
    texts = []
    for piece in pieces:
        if isinstance(piece, str):
            texts.append(piece)
        elif not piece.is_to_translate:
            if MESSAGE.search(piece.text):
                return None
            texts.append(piece.text)
        elif piece in found:
            texts.append(found[piece])
        else:
            return None
    return "".join(texts)
