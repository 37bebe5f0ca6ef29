"""gettext's PO files: messages without a translation get one.

Format: GNU gettext manual, "The Format of PO Files". Header, comments, contexts, flags, obsolete messages and those
that have a translation, fuzzy or not, stay byte for byte.
"""

import re
from collections.abc import Callable, Iterator

from .po_entries import Entry, Text, entries, form_of_one
from .unit import Unit, line_end_of

TO_ESCAPE = {
    "\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v",
}  # fmt: skip
WIDTH = 79
"""Columns of a line that gettext's programs write."""


def po_units(text: str) -> list[Unit]:
    """Return the messages without a translation; a plural's forms are units of their own.

    The form of several that the language has for one translates `msgid`, all others `msgid_plural`.

    Raises:
        DocumentError: a line that is not of the format.

    """
    line_end = line_end_of(text)
    units: list[Unit] = []
    one = 0
    for entry in entries(text):
        if entry.is_header:
            one = form_of_one(entry.translations[0].text)
        elif not entry.is_obsolete:
            units += _units_of(entry, text, line_end, one)
    return units


def _units_of(entry: Entry, text: str, line_end: str, one: int) -> Iterator[Unit]:
    """Yield a unit for each empty translation."""
    assert entry.id is not None
    for number, form in entry.translations.items():
        if form.text:
            continue
        is_of_one = entry.plural is None or (number == one and len(entry.translations) > 1)
        source = entry.id if is_of_one or entry.plural is None else entry.plural
        keyword = "msgstr" if entry.plural is None else f"msgstr[{number}]"
        yield Unit(source.text, form.line, form.start, form.end, _writer(source, text, keyword, line_end))


def _writer(source: Text, text: str, keyword: str, line_end: str) -> Callable[[str], str]:
    """Return what writes a translation as its source is written: wrapped if that is, with its line ends."""
    raw = text[source.start : source.end]
    is_wrapped = max(map(len, raw.splitlines()), default=0) <= WIDTH + 1

    def written(translation: str) -> str:
        return raw if translation == source.text else _quoted(translation, keyword, is_wrapped, line_end)

    return written


def _quoted(value: str, keyword: str, is_wrapped: bool, line_end: str) -> str:
    r"""Return a string as gettext's programs write it: a line for each \\n, and wrapped at spaces."""
    lines = [line for part in re.split(r"(?<=\n)", value) if part for line in _wrapped(part, is_wrapped)]
    if len(lines) == 1 and (not is_wrapped or len(keyword) + 3 + len(lines[0]) <= WIDTH):
        return f'"{lines[0]}"'
    return line_end.join(['""', *(f'"{line}"' for line in lines)])


def _wrapped(text: str, is_wrapped: bool) -> list[str]:
    escaped = "".join(TO_ESCAPE.get(letter, letter) for letter in text)
    if not is_wrapped:
        return [escaped]
    lines = [""]
    for word in re.findall(r"[^ ]* *", escaped):
        if lines[-1] and len(lines[-1]) + len(word.rstrip(" ")) > WIDTH - 2:
            lines.append("")
        lines[-1] += word
    return lines
