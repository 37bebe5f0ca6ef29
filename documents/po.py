"""gettext's PO files: messages without a translation get one.

Format: GNU gettext manual, "The Format of PO Files". Header, comments, contexts, fuzzy and obsolete messages and those
that have a translation stay byte for byte.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from .unit import DocumentError, Unit, line_starts

KEYWORD = re.compile(r"(msgctxt|msgid_plural|msgid|msgstr(?:\[(\d+)\])?)[ \t]*(?=\")")
STRING = re.compile(r'[ \t]*"((?:[^"\\\r\n]|\\.)*)"[ \t]*(?:\r?\n|\r|$)')
ESCAPE = re.compile(r"\\(?:([abfnrtv\\\"'?])|([0-7]{1,3})|x([0-9A-Fa-f]{2}))")
ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
TO_ESCAPE = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\a": "\\a", "\b": "\\b"} | {
    "\f": "\\f",
    "\v": "\\v",
}
WIDTH = 79
"""Columns of a line that gettext's programs write."""


@dataclass
class _Field:
    """A keyword and its string."""

    value: str
    line: int
    start: int
    """Of what follows the keyword."""
    end: int
    """After the last character of the string, its line end apart."""


@dataclass
class _Message:
    """What a blank line, or the next comment, ends."""

    fields: dict[str, _Field] = field(default_factory=dict)


def po_units(text: str) -> list[Unit]:
    """Return the messages without a translation; a plural's forms are units of their own.

    The first form of several translates `msgid`, all others `msgid_plural`.

    Raises:
        DocumentError: a line that is not of the format.

    """
    return [unit for message in _messages(text) for unit in _units_of(message, text)]


def _messages(text: str) -> list[_Message]:
    messages = [_Message()]
    starts = line_starts(text)
    number = 0
    while number < len(starts):
        start = starts[number]
        if (keyword := KEYWORD.match(text, start)) is None:
            line = text[start : starts[number + 1] if number + 1 < len(starts) else len(text)].strip()
            if line and not line.startswith("#"):
                raise DocumentError(
                    number + 1, f"{line[:60]!r} is no comment, keyword or string of a PO file; see `msgfmt --check`"
                )
            number += 1
            continue
        name = keyword.group(1)
        if name in ("msgctxt", "msgid") and ("msgid" in messages[-1].fields):
            messages.append(_Message())
        if name in messages[-1].fields:
            raise DocumentError(number + 1, f"a second {name} in one message; see `msgfmt --check`")
        value, end, count = _string(text, keyword.end(), number + 1)
        messages[-1].fields[name] = _Field(value, number + 1, keyword.end(), end)
        number += count
    return messages


def _string(text: str, start: int, line: int) -> tuple[str, int, int]:
    """Return the value of the strings from here on, where they end, and their lines."""
    parts, end, count = [], start, 0
    while found := STRING.match(text, start):
        parts.append(found.group(1))
        start, count = found.end(), count + 1
        end = len(text[: found.end()].rstrip("\r\n")) if found.end() > found.start() else end
        if found.end() == len(text):
            break
    if not parts:
        raise DocumentError(line, "a string without its closing quotation mark; see `msgfmt --check`")
    return ESCAPE.sub(_unescaped, "".join(parts)), end, count


def _unescaped(found: re.Match[str]) -> str:
    letter, octal, hexadecimal = found.groups()
    if letter:
        return ESCAPED.get(letter, letter)
    return chr(int(octal, 8) if octal else int(hexadecimal, 16))


def _units_of(message: _Message, text: str) -> list[Unit]:
    fields = message.fields
    if "msgid" not in fields or not fields["msgid"].value:
        return []  # the header, or the end of the file
    forms = [name for name in fields if name.startswith("msgstr")]
    units = []
    for name in forms:
        if fields[name].value:
            continue
        is_plural = "msgid_plural" in fields and not (name == "msgstr[0]" and len(forms) > 1)
        source = fields["msgid_plural" if is_plural else "msgid"]
        units.append(
            Unit(
                source.value,
                fields[name].line,
                fields[name].start,
                fields[name].end,
                _writer(source, text, name),
            )
        )
    return units


def _writer(source: _Field, text: str, keyword: str) -> Callable[[str], str]:
    """Return what writes a translation as its source is written: wrapped if that is, with its line ends."""
    raw = text[source.start : source.end]
    line_end = "\r\n" if "\r\n" in text else "\n"
    is_wrapped = max(map(len, raw.splitlines()), default=0) <= WIDTH + 1

    def written(translation: str) -> str:
        return raw if translation == source.value else _quoted(translation, keyword, is_wrapped, line_end)

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
