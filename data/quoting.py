"""Records of separated cells, quoted as by spreadsheets and pandas: RFC 4180, with any separator.

A cell that begins with a quotation mark ends at the next single one; two in a row inside stand for one, and separators
and line ends inside are text. In other cells a quotation mark is an ordinary character.
"""

import re
from collections.abc import Iterator
from mmap import mmap
from typing import NamedTuple

QUOTE = b'"'

_ENOUGH = 3
"""Records that are unlikely to be chance."""
_BARE_COMMA = re.compile(rb'^[^"\n]*,', re.MULTILINE)


class Record(NamedTuple):
    """One record of a file: its place, and its cells, or None if they cannot be read."""

    line: int
    """Its first line, from 1."""
    start: int
    """Its first byte, from 0."""
    cells: list[bytes] | None


class Grammar(NamedTuple):
    """The patterns of cells and records for one separator."""

    separator: bytes
    cell: re.Pattern[bytes]
    record: re.Pattern[bytes]


def grammar(separator: bytes) -> Grammar:
    """Return the patterns for cells separated by one byte."""
    parted = re.escape(separator)
    end = rb"\r?\n|\r?\Z"
    # The patterns never backtrack: after an unmatched quotation mark, the search ends at the next one.
    cell = rb'(?:"(?:[^"]++|"")*+"(?=' + parted + rb"|" + end + rb')|(?!")[^' + parted + rb"\n]*+)"
    return Grammar(separator, re.compile(cell), re.compile(cell + rb"(?:" + parted + cell + rb")*+(?:" + end + rb")"))


def records(content: "bytes | mmap", how: Grammar, start: int = 0, line: int = 1) -> Iterator[Record]:
    """Yield the records of a content, starting at a byte and a line.

    If a quotation mark opens a cell and is not closed where a cell may end, its line is yielded without cells, and the
    next line begins anew, so that one stray mark costs one line. An empty line is not a record.
    """
    size = len(content)
    while start < size:
        if found := how.record.match(content, start):
            text, end = found.group(), found.end()
            if text not in (b"\n", b"\r\n"):
                yield Record(line, start, [plain(cell) for cell in raw_cells(text, how)])
            line += text.count(b"\n")
        else:
            yield Record(line, start, None)
            end = content.find(b"\n", start) + 1 or size
            line += 1
        start = end


def raw_cells(record: bytes, how: Grammar) -> list[bytes]:
    """Return the cells of one record as they are written, with their quotation marks."""
    record = record.removesuffix(b"\n").removesuffix(b"\r")
    if QUOTE not in record:
        return record.split(how.separator)
    cells, place = [], 0
    while place <= len(record):
        found = how.cell.match(record, place)
        assert found is not None
        cells.append(found.group())
        place = found.end() + 1
    return cells


def plain(cell: bytes) -> bytes:
    """Return the text of a cell."""
    return cell[1:-1].replace(b'""', QUOTE) if cell.startswith(QUOTE) else cell


class Signs(NamedTuple):
    """Evidence for and against quoting, in numbers of records."""

    doubled: int = 0
    """A quoted cell needs its marks: it holds a doubled mark, a separator or a line end."""
    bare: int = 0
    """A mark is where quoting would not leave one."""
    wrapped: int = 0
    """All cells are quoted."""
    commas: int = 0
    """A quoted cell has a comma; Excel quotes such cells, whatever the separator is."""
    bare_comma: bool = False
    """Whether an unquoted cell has a comma."""
    line: int = 0
    """The first line with evidence for quoting."""

    def plus(self, other: "Signs") -> "Signs":
        """Return the evidence of two parts of a file together."""
        return Signs(
            self.doubled + other.doubled,
            self.bare + other.bare,
            self.wrapped + other.wrapped,
            self.commas + other.commas,
            self.bare_comma or other.bare_comma,
            other.line if other.doubled > 0 == self.doubled else self.line or other.line,
        )

    def say_quoted(self, rows: int) -> bool:
        """Return whether a file of so many rows is more likely quoted than not."""
        if self.doubled or self.bare:
            return self.doubled > self.bare
        return self.wrapped == rows >= _ENOUGH or (self.commas >= _ENOUGH and not self.bare_comma)


def signs(content: bytes, columns: int, how: Grammar, line: int = 1) -> Signs:
    """Look for signs of quoting in records of so many columns, the first of which begins in line `line`."""
    found = Signs(bare_comma=_BARE_COMMA.search(content) is not None)
    place = 0
    while (mark := content.find(QUOTE, place)) >= 0:
        start = content.rfind(b"\n", 0, mark) + 1
        line += content.count(b"\n", place, start)
        record = how.record.match(content, start)
        raw = raw_cells(record.group(), how) if record else []
        if record is None or len(raw) != columns or any(QUOTE in cell and cell[:1] != QUOTE for cell in raw):
            found = found._replace(bare=found.bare + 1)
            place = content.find(b"\n", mark) + 1 or len(content)
        else:
            between = [cell[1:-1] for cell in raw if cell[:1] == QUOTE]
            found = found.plus(
                Signs(
                    doubled=any(QUOTE in cell or how.separator in cell or b"\n" in cell for cell in between),
                    wrapped=len(between) == columns,
                    commas=any(b"," in cell for cell in between),
                    bare_comma=any(b"," in cell for cell in raw if cell[:1] != QUOTE),
                    line=line,
                )
            )
            place = record.end()
        line += content.count(b"\n", start, place)
    return found


def unmarked(cells: list[bytes]) -> list[bytes]:
    """Return the texts of cells on one line, without quotation marks."""
    return [plain(cell) if len(cell) > 1 and cell.endswith(QUOTE) else cell for cell in cells]
