"""Pairs from rows with named columns: TSV, CSV and JSON.

The columns are named by language code, flat (`en`, `de`) or inside a `translation` record, as WMT14 has them. Every row
is read by itself: its contents do not change how the others are read.
"""

import codecs
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from .directions import near_direction
from .json_places import LinesOf, read_document
from .pairs import ROWS_PER_GROUP, CorpusError, NoPair, Pair, Row, Rows, fingerprint, legible, places
from .quoting import Grammar, Signs, grammar, records, signs, unmarked
from .text_files import Lines, decode

QUOTINGS = ("none", "spreadsheet")
"""What a quotation mark in a TSV file may mean: text, or a quoted cell as spreadsheets and pandas write it."""

_TAB = grammar(b"\t")


def missing_columns(name: str, source: str, target: str, found: Iterable[str]) -> CorpusError:
    """Return the error for a table that lacks one of its two columns."""
    found = sorted(found)
    near = near_direction(source, target, [each.removeprefix("translation.") for each in found])
    way_out = near or " Rename its columns, or give the names it has as source and target."
    return CorpusError(
        f'{name} has no columns "{source}" and "{target}", flat or in a "translation" record; it has: '
        f"{', '.join(found) or 'none'}.{way_out}"
    )


def doubled_column(name: str, column: str) -> CorpusError:
    """Return the error for a table in which a wanted column name occurs twice."""
    return CorpusError(f'{name} has more than one column "{column}". Rename or delete all but one of them.')


class Table(Protocol):
    """How one file of a data set is read."""

    def rows(self, content: bytes, name: str) -> Rows:
        """Return the rows of its content, which has no byte order mark; raises CorpusError if it lacks the columns."""

    def shows_columns(self, beginning: bytes, name: str) -> bool:
        """Return whether the first bytes of a file show its columns; raises CorpusError if they show other columns."""


# TSV and CSV


class Columns(NamedTuple):
    """The places of the two sides among the cells of a record."""

    number: int
    source: int
    target: int


def find_header(header: Sequence[bytes], source: str, target: str, name: str) -> Columns:
    """Return the places of the columns. Raises CorpusError if one is missing or occurs more than once."""
    columns = [cell.decode("utf-8", "replace") for cell in header]
    if not {source, target} <= set(columns):
        raise missing_columns(name, source, target, columns)
    for column in (source, target):
        if columns.count(column) > 1:
            raise doubled_column(name, column)
    return Columns(len(columns), columns.index(source), columns.index(target))


def cells_row(cells: Sequence[bytes] | None, columns: Columns, where: str) -> Row:
    """Return the pair in the cells of a record; None means that its quotation marks do not match."""
    if cells is None:
        return NoPair("malformed", f"{where}: a cell begins with a quotation mark and does not end with one")
    if fault := count_fault(len(cells), columns, where):
        return fault
    source, target = decode(cells[columns.source], where), decode(cells[columns.target], where)
    if isinstance(source, NoPair):
        return source
    return target if isinstance(target, NoPair) else Pair(source, target)


def count_fault(cells: int, columns: Columns, where: str) -> NoPair | None:
    """Return the `NoPair` for a row that does not have one cell for each column, or None."""
    return None if cells == columns.number else NoPair("malformed", f"{where}: {cells} columns, not {columns.number}")


def check_quoting(quoting: str | None) -> None:
    """Raise ValueError unless this is a known quoting or None."""
    if quoting is not None and quoting not in QUOTINGS:
        raise ValueError(f"--tsv_quoting is {quoting!r}. Give one of: {', '.join(QUOTINGS)}.")


def check_unquoted(found: Signs, rows: int, name: str) -> None:
    """Raise CorpusError if a TSV file seems to be quoted, since it is not known what its quotation marks mean."""
    if found.say_quoted(rows):
        raise CorpusError(
            f"{name} looks like TSV from a spreadsheet or pandas, with cells between quotation marks (see line "
            f"{found.line}). Give --tsv_quoting spreadsheet to read it so, or --tsv_quoting none if its marks are text."
        )


def check_header_unquoted(header: list[bytes], name: str) -> None:
    """Raise CorpusError as `check_unquoted` does if the names of the columns are between quotation marks."""
    check_unquoted(Signs(doubled=int(unmarked(header) != header), line=1), 1, name)


class TsvCorpus:
    """A file of lines "source<TAB>target" under a header "en<TAB>de"; further columns are allowed.

    With the quoting "none" a quotation mark is text, as in most parallel corpora; with "spreadsheet" cells are quoted
    as in `quoting`, and a row may span lines. A row with more or fewer columns than the header is `NoPair`.

    Raises ValueError if the header does not have each of the two columns once and, if no quoting is given, for a file
    that seems to be quoted.
    """

    def __init__(self, path: Path, source: str, target: str, quoting: str | None = None) -> None:
        check_quoting(quoting)
        self.name = str(path)
        self._lines = lines = Lines(path)
        self._is_quoted = quoting == "spreadsheet"
        self._places: list[tuple[int, int]] = []  # byte and line where each group of quoted records begins, and the end
        header = lines.read(0)[0].split(b"\t")
        if quoting is None:
            check_header_unquoted(header, self.name)
        self._columns = find_header(
            unmarked(header) if self._is_quoted else header, source, target, f"{path} (first line)"
        )
        self.groups, self.rows = self._index_records() if self._is_quoted else (lines.groups, lines.count - 1)
        if not self.rows:
            raise ValueError(f"{path} has a header but no rows. Give a file with pairs, or leave it out.")
        if quoting is None:
            check_unquoted(self._signs(), self.rows, self.name)
        self.fingerprint = fingerprint(lines.digest, source, target, *(["spreadsheet"] if self._is_quoted else []))

    def read(self, group: int) -> Rows:
        """Return the rows of one group."""
        if self._is_quoted:
            (start, line), (end, _) = self._places[group : group + 2]
            return record_rows(self._lines.block(start, end), _TAB, self._columns, self.name, line)
        is_first = group == 0
        return line_rows(
            self._lines.read(group)[is_first:], self._columns, self.name, group * ROWS_PER_GROUP + 1 + is_first
        )

    def _index_records(self) -> tuple[int, int]:
        content = self._lines.whole()
        rows, line = -1, 1
        for rows, record in enumerate(records(content, _TAB, _after_mark(content)), -1):
            line = record.line
            if rows >= 0 and rows % ROWS_PER_GROUP == 0:
                self._places.append((record.start, line))
        self._places.append((len(content), line))
        return len(self._places) - 1, rows + 1

    def _signs(self) -> Signs:
        found = Signs()
        for group in range(self._lines.groups):
            content = b"\n".join(self._lines.read(group))
            line = group * ROWS_PER_GROUP + 1
            if group == 0:
                content, line = content.partition(b"\n")[2], 2
            found = found.plus(signs(content, self._columns.number, _TAB, line))
        return found


def _after_mark(content: Any) -> int:
    return len(codecs.BOM_UTF8) if content[:3] == codecs.BOM_UTF8 else 0


def line_row(line: bytes, columns: Columns, where: str) -> Row:
    """Return the pair of a line of TSV in which a quotation mark is text."""
    text = decode(line, where)
    if isinstance(text, NoPair):
        return text
    cells = text.split("\t")
    fault = count_fault(len(cells), columns, where)
    return fault or Pair(cells[columns.source], cells[columns.target])


def line_rows(lines: Sequence[bytes], columns: Columns, name: str, first: int) -> Rows:
    """Return the rows of lines in which a quotation mark is text; `first` is the number of the first one."""
    rows = [line_row(line, columns, f"{name}, line {number}") for number, line in enumerate(lines, first)]
    return Rows(
        rows,
        lambda position: f"{name}, line {first + position}",
        {position: (legible(lines[position]),) for position in places(rows)},
    )


def record_rows(content: bytes, how: Grammar, columns: Columns, name: str, first: int) -> Rows:
    """Return the rows of quoted records, the first of which begins in line `first`."""
    numbers, starts, rows = list[int](), list[int](), list[Row]()
    for each in records(content, how, line=first):
        numbers.append(each.line)
        starts.append(each.start)
        rows.append(cells_row(each.cells, columns, f"{name}, line {each.line}"))
    ends = [*starts[1:], len(content)]
    return Rows(
        rows,
        lambda position: f"{name}, line {numbers[position]}",
        {position: (legible(content[starts[position] : ends[position]].rstrip(b"\r\n")),) for position in places(rows)},
    )


class SeparatedTable:
    """A file of records separated by one byte, with a header or with given names.

    Args:
        source, target: columns.
        separator: between the cells of a record.
        quoting: "none", "spreadsheet", or None for a TSV file if it is not known: one that seems to be quoted is then
            refused.
        names: of the columns, if the file has no header.

    """

    def __init__(
        self, source: str, target: str, separator: str, quoting: str | None, names: Sequence[str] | None = None
    ) -> None:
        check_quoting(quoting)
        self._sides = source, target
        self._grammar = grammar(separator.encode())
        self._quoting = quoting
        self._names = names

    def rows(self, content: bytes, name: str) -> Rows:
        """Return the rows of the records."""
        columns, body, line = self._header(content, name)
        if self._quoting is None:
            rows = body.count(b"\n") + (not body.endswith(b"\n"))
            check_unquoted(signs(body, columns.number, self._grammar, line), rows, name)
        if self._quoting == "spreadsheet":
            return record_rows(body, self._grammar, columns, name, line)
        lines = [each.removesuffix(b"\r") for each in body.removesuffix(b"\n").split(b"\n")] if body else []
        return line_rows(lines, columns, name, line)

    def shows_columns(self, beginning: bytes, name: str) -> bool:
        """Return True if there is a complete header; raises CorpusError as `rows` does for missing columns."""
        if self._names is None and b"\n" not in beginning:
            return False
        self._header(beginning, name)
        return True

    def _header(self, content: bytes, name: str) -> tuple[Columns, bytes, int]:
        """Return the columns, the content after the header, and the line in which it begins."""
        if self._names is not None:
            return find_header([each.encode() for each in self._names], *self._sides, name), content, 1
        if not content.strip():
            raise CorpusError(
                f"{name} has no header. Write the names of the columns into its first line, or delete it."
            )
        header, _, body = content.partition(b"\n")
        cells = header.removesuffix(b"\r").split(self._grammar.separator)
        if self._quoting is None:
            check_header_unquoted(cells, name)
        if self._quoting == "spreadsheet":
            cells = unmarked(cells)
        return find_header(cells, *self._sides, name), body, 2


# JSON


class _Doubled(dict[str, object]):
    """An object in which a key occurs twice."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        keys = [key for key, _ in pairs]
        self.doubled = {key for key in self if keys.count(key) > 1}


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Doubled(pairs)


_json = json.JSONDecoder(object_pairs_hook=_object)
_read_json = _json.decode


class JsonLinesCorpus:
    """A file of JSON objects, one per line: {"en": ..., "de": ...} or {"translation": {"en": ..., "de": ...}}.

    A line that is not such an object is `NoPair`, and so is one with a number or the like in place of a text; a missing
    or null key is an empty side. Raises ValueError if the two keys do not occur in the first thousand lines.
    """

    def __init__(self, path: Path, source: str, target: str) -> None:
        self._lines = Lines(path)
        self._keys = (source, target)
        self.name = str(path)
        self.fingerprint = fingerprint(self._lines.digest, source, target)
        self.groups = self._lines.groups
        self.rows = self._lines.count
        found = [record for record, _ in self._records(self._lines.read(0), 1) if not isinstance(record, NoPair)]
        check_keys(found, f"{path} (first {len(found):,} objects)", source, target)

    def read(self, group: int) -> Rows:
        """Return the rows of one group."""
        lines, first = self._lines.read(group), group * ROWS_PER_GROUP + 1
        rows = to_rows(self._records(lines, first), *self._keys)
        return Rows(
            rows,
            lambda position: f"{self.name}, line {first + position}",
            {position: (legible(lines[position]),) for position in places(rows)},
        )

    def _records(self, lines: Sequence[bytes], first: int) -> Iterator[tuple[dict[str, object] | NoPair, str]]:
        for number, line in enumerate(lines, first):
            where = f"{self.name}, line {number}"
            yield record_of(parse_line(line, where), *self._keys, where), where


class JsonTable:
    """A file of JSON objects: one per line, or all in one array, which may be the value of a key of one object.

    Args:
        source, target: keys.
        key: of the array in that object; None: "data", if the object has it.

    """

    def __init__(self, source: str, target: str, key: str | None = None) -> None:
        self._keys = source, target
        self._key = key

    def rows(self, content: bytes, name: str) -> Rows:
        """Return the rows of the objects. Raises CorpusError if none of them has the two keys."""
        values, written = self._values(content, name)
        found = [(record_of(value, *self._keys, where), where) for value, where in values]
        check_keys([record for record, _ in found if not isinstance(record, NoPair)], name, *self._keys)
        rows = to_rows(found, *self._keys)
        return Rows(
            rows,
            lambda position: values[position][1],
            {position: (written(position),) for position in places(rows)},
        )

    def shows_columns(self, beginning: bytes, name: str) -> bool:  # noqa: ARG002  (a Table's signature)
        """Return whether both keys occur, in any of the objects."""
        if beginning.lstrip()[:1] == b"[":
            return all(json.dumps(key).encode() in beginning for key in self._keys)
        *lines, _ = beginning.split(b"\n")  # the last one is truncated
        found = [record_of(parse_line(line, ""), *self._keys, "") for line in lines]
        return set(self._keys) <= {key for record in found if not isinstance(record, NoPair) for key in record}

    def _values(self, content: bytes, name: str) -> tuple[list[tuple[object, str]], Callable[[int], str]]:
        """Return the values, each with its place, and a function that returns the source text of one of them."""
        begins = content.lstrip()[:1]
        if begins not in (b"[", b"{"):
            return json_lines(content, name)
        first, _, others = content.lstrip().partition(b"\n")
        is_line = not isinstance(parse_line(first, ""), NoPair)
        if self._key is None and is_line and others.strip():
            return json_lines(content, name)
        try:
            # A byte that is not UTF-8 becomes half of a surrogate pair, which costs only its row.
            text = content.decode("utf-8", "surrogateescape").rstrip()
            start = len(text) - len(text.lstrip())
            value, spans = read_document(text, start, _json, _object)
        except (ValueError, RecursionError) as error:
            if begins == b"{" and self._key is None:
                return json_lines(content, name)
            raise CorpusError(f"{name} is not JSON ({error}). Fix it, or write one object per line.") from error
        key, line_of = None, LinesOf(text)
        if isinstance(value, dict):
            key = self._key or ("data" if not set(self._keys) & value.keys() and "data" in value else None)
            if key is None:
                return [(value, f"{name}, line {line_of(start)}")], lambda _: as_written(text[start:])
            if key not in value:
                raise missing_columns(f"{name} (its one object)", *self._keys, value)
            value = value[key]
        if not isinstance(value, list):
            raise CorpusError(
                f"{name} has {type(value).__name__} where its rows should be. Write them as one array of objects, or "
                "one object per line."
            )
        its_spans = spans[key]
        found = [
            (each, f"{name}, line {line_of(first)}, object {number}")
            for number, (each, (first, _)) in enumerate(zip(value, its_spans, strict=True), 1)
        ]
        return found, lambda position: as_written(text[slice(*its_spans[position])])


def as_written(text: str) -> str:
    r"""Return text with bytes that are not UTF-8, held as halves of surrogate pairs, written as \xe9."""
    return legible(text.encode("utf-8", "surrogateescape"))


def json_lines(content: bytes, name: str) -> tuple[list[tuple[object, str]], Callable[[int], str]]:
    """Return the value of each line (a `NoPair` if it is not JSON) with its place, and what returns the line."""
    lines = content.removesuffix(b"\n").split(b"\n") if content else []
    numbered = ((line, f"{name}, line {number}") for number, line in enumerate(lines, 1))
    return [(parse_line(line, where), where) for line, where in numbered], lambda position: legible(lines[position])


def parse_line(line: bytes, where: str) -> object:
    """Return the value of a line of JSON, or a `NoPair`."""
    text = decode(line, where)
    if isinstance(text, NoPair):
        return text
    try:
        return _read_json(text.strip())
    except (ValueError, RecursionError) as error:
        return NoPair("malformed", f"{where}: not JSON ({error})")


def record_of(value: object, source: str, target: str, where: str) -> dict[str, object] | NoPair:
    """Return the object that holds the two sides: a value itself, or the one in its `translation`."""
    if isinstance(value, NoPair):
        return value
    if not isinstance(value, dict):
        return NoPair("malformed", f"{where}: not a JSON object")
    inner, wanted = value.get("translation"), {source, target}
    record: dict[str, object] = value
    if not wanted <= value.keys() and (
        isinstance(inner, dict) and (wanted & inner.keys() or not wanted & value.keys())
    ):
        record = inner
    elif not wanted & value.keys() and inner is not None and not isinstance(inner, dict):
        return NoPair("malformed", f"{where}: translation is {type(inner).__name__}, not an object")
    doubled = sorted(
        {
            *(record.doubled & wanted if isinstance(record, _Doubled) else ()),
            *(value.doubled & {"translation"} if isinstance(value, _Doubled) else ()),
        }
    )
    if doubled:
        return NoPair("malformed", f"{where}: more than one {doubled[0]}")
    return record


def check_keys(records: Collection[dict[str, object]], name: str, source: str, target: str) -> None:
    """Raise CorpusError if there are objects and none of them has a wanted key."""
    found = {key for record in records for key in record}
    if records and not {source, target} <= found:
        raise missing_columns(name, source, target, found)


def to_rows(records: Iterable[tuple[dict[str, object] | NoPair, str]], source: str, target: str) -> list[Row]:
    """Return the rows of records with their places; each record has its texts under the keys `source` and `target`."""
    return [
        record if isinstance(record, NoPair) else to_row(record.get(source), record.get(target), where)
        for record, where in records
    ]


def to_row(source: object, target: object, where: str) -> Row:
    """Return the pair of two cells; null counts as empty, and half a surrogate pair (JSON allows it) as undecodable."""
    sides = []
    for cell in (source, target):
        if cell is not None and not isinstance(cell, str):
            return NoPair("malformed", f"{where}: {type(cell).__name__}, not text")
        sides.append(cell or "")
    try:
        "".join(sides).encode("utf-8")
    except UnicodeEncodeError:
        return NoPair("undecodable", f"{where}: a lone surrogate")
    return Pair(*sides)
