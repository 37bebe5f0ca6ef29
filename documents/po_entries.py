r"""Entries of gettext's PO files, each with the places of its texts, so that one can be replaced where it stands.

The grammar is that of GNU gettext's own reader (manual, section "The Format of PO Files"): strings behind one keyword
are one text, wherever their lines end; escapes are C's, in a text of the file's own encoding; `#~` makes an entry
obsolete, `#|` and `#~|` give what it was before, and other comments belong to the entry behind them.
"""

import gettext
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .unit import DocumentError

CHARSET = rb"(?m)^(?![ \t]*#)[^\n]*charset=([\w.:-]+)"
"""The encoding in a header, which is all of a text or stands behind comments."""
TEMPLATE = "CHARSET"
"""What stands for an encoding in a file that nobody has filled in."""
_TOKEN = re.compile(
    r"[ \t\r\v\f]*(?:(?P<keyword>[A-Za-z_]+)(?:[ \t]*\[[ \t]*(?P<number>\d+)[ \t]*\])?"
    r'|"(?P<text>[^"\\]*+(?:\\.[^"\\]*+)*+)")'
)
_REST = re.compile(r"[ \t\r\v\f]*(?:#.*)?")
_OBSOLETE = re.compile(r"[ \t]*#~(?!\|)")
_COMMENT = re.compile(r"[ \t\r\v\f]*#")
_ESCAPE = re.compile(r"((?:\\(?:[0-7]{1,3}|x[0-9A-Fa-f]+))+)|\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "a": "\a", "\\": "\\", '"': '"'}
_PLURAL = re.compile(r"^Plural-Forms:.*?\bplural\s*=\s*([^;\n]+)", re.MULTILINE | re.IGNORECASE)
_ORDER = ("domain", "msgctxt", "msgid", "msgid_plural", "msgstr")


@dataclass
class Text:
    """A text of an entry.

    Attributes:
        text: without quotation marks and escapes.
        line: of its keyword, from 1.
        start, end: the characters of the file from the first quotation mark to behind the last.

    """

    text: str
    line: int
    start: int = 0
    end: int = 0


@dataclass
class Entry:
    """An entry; the first one, of the empty msgid without a context, is the header."""

    line: int
    """Of its first keyword, from 1."""
    is_obsolete: bool = False
    flags: set[str] = field(default_factory=set)
    """Such as fuzzy, c-format."""
    context: Text | None = None
    id: Text | None = None
    plural: Text | None = None
    translations: dict[int, Text] = field(default_factory=dict)
    """By the number of the plural form; 0 alone where there is no plural."""

    @property
    def is_header(self) -> bool:
        """Whether its translation tells of the file."""
        return self.id is not None and not self.id.text and self.context is None and not self.is_obsolete


def entries(text: str, charset: str = "utf-8") -> Iterator[Entry]:
    """Yield the entries of a file, obsolete ones too.

    Args:
        text: of the whole file.
        charset: its encoding, of which bytes in escapes are.

    Raises:
        DocumentError: something is none of a PO file.

    """
    reader = _Reader(charset)
    place = 0
    for number, line in enumerate(text.split("\n"), 1):
        yield from reader.read(line, place, number)
        place += len(line) + 1
    yield from reader.finished(number)


def form_of_one(header: str) -> int:
    """Return the number of the form that a language has for one: 1 in Arabic, 0 in most or where it is not said."""
    found = _PLURAL.search(header)
    try:
        return 0 if found is None else int(gettext.c2py(found[1])(1))
    except (ValueError, RecursionError, OverflowError, ZeroDivisionError):
        return 0


def unescaped(text: str, charset: str) -> str:
    """Return what the characters between two quotation marks mean; raises ValueError for an unknown escape."""
    if "\\" not in text:
        return text

    def meant(match: "re.Match[str]") -> str:
        codes, letter = match.groups()
        if letter is not None:
            if letter not in _ESCAPED:
                raise ValueError(f"\\{letter} is no escape")
            return _ESCAPED[letter]
        numbers = [int(each[1:], 16) if each[0] == "x" else int(each, 8) for each in codes.split("\\")[1:]]
        try:
            return bytes(numbers).decode(charset)
        except ValueError as error:
            raise ValueError(f"{codes} is no character of {charset}") from error

    return _ESCAPE.sub(meant, text)


class _Reader:
    """The entry that is being read, from line to line."""

    def __init__(self, charset: str) -> None:
        self._charset = charset
        self._line = 0
        self._flags: set[str] = set()
        self._entry: Entry | None = None
        self._last: Text | None = None  # to which further strings belong
        self._field = ""

    def read(self, line: str, place: int, number: int) -> Iterator[Entry]:
        """Read one line, which begins at a place of the file; yield an entry that ends before it."""
        self._line = number
        obsolete = _OBSOLETE.match(line)
        if obsolete is None and _COMMENT.match(line):
            yield from self._comment(line.lstrip())
            return
        position = obsolete.end() if obsolete else 0
        while match := _TOKEN.match(line, position):
            if match["keyword"] is not None:
                yield from self._keyword(match["keyword"], match["number"], obsolete is not None)
            else:
                self._string(match["text"], place + match.start("text") - 1, place + match.end(), obsolete is not None)
            position = match.end()
        rest = _REST.match(line, position)
        if rest is None or rest.end() != len(line):
            raise self._fault(
                "a quotation mark is not closed" if '"' in line[position:] else "neither text nor comment"
            )

    def finished(self, line: int) -> Iterator[Entry]:
        """Yield the last entry."""
        self._line = line
        if self._entry is not None:
            yield self._whole(self._entry)

    def _comment(self, line: str) -> Iterator[Entry]:
        if self._entry is not None and self._entry.translations:  # comments behind an entry are of the next
            yield self._whole(self._entry)
            self._entry = self._last = None
        if line.startswith(("#,", "#=")):
            self._flags |= {flag.strip() for flag in line[2:].split(",")}

    def _keyword(self, keyword: str, number: str | None, is_obsolete: bool) -> Iterator[Entry]:
        if keyword not in _ORDER or (number is not None and keyword != "msgstr"):
            raise self._fault(f'"{keyword}" is no keyword')
        if self._last is not None and not self._last.end:
            raise self._fault(f"{self._field} has no text")
        entry = self._entry
        if keyword in ("msgctxt", "msgid", "domain") and entry is not None and entry.translations:
            yield self._whole(entry)
            entry = None
        if keyword == "domain":
            self._field, self._last = keyword, Text("", self._line)
            return
        if entry is None:
            entry = self._entry = Entry(self._line, is_obsolete, self._flags)
            self._flags = set()
        if is_obsolete != entry.is_obsolete:
            raise self._fault(f"some lines of the entry of line {entry.line} are obsolete (#~), others are not")
        self._field = keyword if number is None else f"{keyword}[{int(number)}]"
        self._last = Text("", self._line)
        self._place(entry, keyword, int(number or 0), self._last)

    def _place(self, entry: Entry, keyword: str, number: int, text: Text) -> None:
        """Put a text into its place in an entry, and make sure that it may stand there."""
        is_out_of_order = entry.translations if keyword != "msgstr" else entry.id is None
        match keyword:
            case "msgctxt" if entry.context is None and entry.id is None:
                entry.context = text
            case "msgid" if entry.id is None:
                entry.id = text
            case "msgid_plural" if entry.id is not None and entry.plural is None and not is_out_of_order:
                entry.plural = text
            case "msgstr" if not is_out_of_order and number == len(entry.translations):
                if (entry.plural is None) == ("[" in self._field):
                    raise self._fault(
                        f"{self._field} in an entry {'without' if entry.plural is None else 'with'} plural"
                    )
                entry.translations[number] = text
            case _:
                raise self._fault(f"{self._field} is out of order")

    def _string(self, text: str, start: int, end: int, is_obsolete: bool) -> None:
        if self._last is None or (self._entry is not None and self._entry.is_obsolete != is_obsolete):
            raise self._fault("a text without a keyword")
        try:
            self._last.text += unescaped(text, self._charset)
        except ValueError as error:
            raise self._fault(str(error)) from error
        self._last.start, self._last.end = self._last.start if self._last.end else start, end

    def _whole(self, entry: Entry) -> Entry:
        if entry.id is None or not entry.translations or (self._last is not None and not self._last.end):
            missing = "msgid" if entry.id is None else "msgstr"
            raise self._fault(f"the entry of line {entry.line} has no {missing} or no text behind it")
        return entry

    def _fault(self, what: str) -> DocumentError:
        return DocumentError(self._line, f"{what}; see `msgfmt --check`")
