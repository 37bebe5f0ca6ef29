"""Pairs of rows with named columns: TSV, CSV and JSON.

The columns are named by language code, flat (`en`, `de`) or inside a `translation` record, as WMT14 has them. Every row
is judged by itself: what one holds does not change how the others are read.
"""

import codecs
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from .json_places import LinesOf, read_document
from .pairs import ROWS_PER_GROUP, CorpusError, NoPair, Pair, Row, Rows, fingerprint, legible, places
from .quoting import Grammar, Signs, grammar, records, signs, unmarked
from .text_files import Lines, decode

QUOTINGS = ("none", "spreadsheet")
"""What a quotation mark in a TSV file may be: text, or what spreadsheets and pandas put around cells."""

_TAB = grammar(b"\t")


def missing_columns(name: str, source: str, target: str, found: Iterable[str]) -> CorpusError:
    """Return the error for a table that lacks one of its two columns."""
    return CorpusError(
        f'{name} has no columns "{source}" and "{target}", flat or in a "translation" record; it has: '
        f"{', '.join(sorted(found)) or 'none'}. Rename its columns, or give the names it has as source and target."
    )


def doubled_column(name: str, column: str) -> CorpusError:
    """Return the error for a table of which two columns have the name of one that is wanted."""
    return CorpusError(f'{name} has more than one column "{column}". Rename or delete all but one of them.')


class Table(Protocol):
    """How one file of a data set is read."""

    def rows(self, content: bytes, name: str) -> Rows:
        """Return the rows of its content, which has no byte order mark; raises CorpusError if it lacks the columns."""

    def shows_columns(self, beginning: bytes, name: str) -> bool:
        """Return whether the first bytes of a file show its columns; raises CorpusError if they show the contrary."""


# TSV and CSV


class Columns(NamedTuple):
    """Where the two sides stand among the cells of a record."""

    number: int
    source: int
    target: int


def find_header(header: Sequence[bytes], source: str, target: str, name: str) -> Columns:
    """Return where the columns are. Raises CorpusError when one is absent or there more than once."""
    columns = [cell.decode("utf-8", "replace") for cell in header]
    if not {source, target} <= set(columns):
        raise missing_columns(name, source, target, columns)
    for column in (source, target):
        if columns.count(column) > 1:
            raise doubled_column(name, column)
    return Columns(len(columns), columns.index(source), columns.index(target))


def cells_row(cells: Sequence[bytes] | None, columns: Columns, where: str) -> Row:
    """Return the pair of the cells of a record; None are cells whose quotation marks make no sense."""
    if cells is None:
        return NoPair("malformed", f"{where}: a cell begins with a quotation mark and does not end with one")
    if fault := count_fault(len(cells), columns, where):
        return fault
    source, target = decode(cells[columns.source], where), decode(cells[columns.target], where)
    if isinstance(source, NoPair):
        return source
    return target if isinstance(target, NoPair) else Pair(source, target)


def count_fault(cells: int, columns: Columns, where: str) -> NoPair | None:
    """Return what stands in the place of a row that has not a cell for each column."""
    return None if cells == columns.number else NoPair("malformed", f"{where}: {cells} columns, not {columns.number}")


def check_quoting(quoting: str | None) -> None:
    """Raise ValueError unless this says how quotation marks are taken, or nothing."""
    if quoting is not None and quoting not in QUOTINGS:
        raise ValueError(f"--tsv_quoting is {quoting!r}. Give one of: {', '.join(QUOTINGS)}.")


def check_unquoted(found: Signs, rows: int, name: str) -> None:
    """Raise CorpusError if a TSV file seems to be quoted, since nobody said how to take its quotation marks."""
    if found.say_quoted(rows):
        raise CorpusError(
            f"{name} looks as spreadsheets and pandas write TSV, with cells between quotation marks (see line "
            f"{found.line}). Give --tsv_quoting spreadsheet to read it so, or --tsv_quoting none if its marks are text."
        )


def check_header_unquoted(header: list[bytes], name: str) -> None:
    """Raise CorpusError as `check_unquoted` does if the names of the columns are between quotation marks."""
    check_unquoted(Signs(doubled=int(unmarked(header) != header), line=1), 1, name)


class TsvCorpus:
    """A file of lines "source<TAB>target" under a header "en<TAB>de"; further columns are allowed.

    With the quoting "none" a quotation mark is text, as in most parallel corpora; with "spreadsheet" cells are written
    as `quoting` has it, and a row may span lines. A row with more or fewer columns than the header is `NoPair`.

    Raises ValueError for a header that has not each of the two columns once and, where no quoting is given, for a file
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
            raise ValueError(f"{path} has a header and no rows. Give a file with pairs, or leave it out.")
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
    """A file of records parted by one byte under a header, or under the names that are given.

    Args:
        source, target: columns.
        separator: between the cells of a record.
        quoting: "none", "spreadsheet", or None for a TSV file of which it is not known: one that seems to be quoted is
            then refused.
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
        """Return True if there is a whole header; raises CorpusError as `rows` does for what it lacks."""
        if self._names is None and b"\n" not in beginning:
            return False
        self._header(beginning, name)
        return True

    def _header(self, content: bytes, name: str) -> tuple[Columns, bytes, int]:
        """Return the columns, what comes after the header, and the line that this begins in."""
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
    """An object in which a key stood twice."""

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
    """A file of JSON objects, one a line: {"en": ..., "de": ...} or {"translation": {"en": ..., "de": ...}}.

    A line that is no such object is `NoPair`, and so is one with a number or the like in the place of a text; a key
    that is absent or null is an empty side. Raises ValueError when the two keys occur nowhere among the first thousand
    lines.
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
    """A file of JSON objects: one a line, or all in one array, which may be the value of a key of one object.

    Args:
        source, target: keys.
        key: of the array in the one object; None: "data", where the object has it.

    """

    def __init__(self, source: str, target: str, key: str | None = None) -> None:
        self._keys = source, target
        self._key = key

    def rows(self, content: bytes, name: str) -> Rows:
        """Return the rows of the objects. Raises CorpusError when the two keys are in none of them."""
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
        """Return whether both keys are there, in one object or another."""
        if beginning.lstrip()[:1] == b"[":
            return all(json.dumps(key).encode() in beginning for key in self._keys)
        *lines, _ = beginning.split(b"\n")  # the last one is cut
        found = [record_of(parse_line(line, ""), *self._keys, "") for line in lines]
        return set(self._keys) <= {key for record in found if not isinstance(record, NoPair) for key in record}

    def _values(self, content: bytes, name: str) -> tuple[list[tuple[object, str]], Callable[[int], str]]:
        """Return what should be objects, each with its place, and what returns how one of them is written."""
        begins = content.lstrip()[:1]
        if begins not in (b"[", b"{"):
            return json_lines(content, name)
        first, _, others = content.lstrip().partition(b"\n")
        is_line = not isinstance(parse_line(first, ""), NoPair)
        if self._key is None and is_line and others.strip():
            return json_lines(content, name)
        try:
            # A byte that is not UTF-8 becomes half of a surrogate pair, which costs its row alone.
            text = content.decode("utf-8", "surrogateescape").rstrip()
            start = len(text) - len(text.lstrip())
            value, spans = read_document(text, start, _json, _object)
        except (ValueError, RecursionError) as error:
            if begins == b"{" and self._key is None:
                return json_lines(content, name)
            raise CorpusError(f"{name} is no JSON ({error}). Mend it, or write one object a line.") from error
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
                "one object a line."
            )
        its_spans = spans[key]
        found = [
            (each, f"{name}, line {line_of(first)}, object {number}")
            for number, (each, (first, _)) in enumerate(zip(value, its_spans, strict=True), 1)
        ]
        return found, lambda position: as_written(text[slice(*its_spans[position])])


def as_written(text: str) -> str:
    r"""Return text in which bytes that are not UTF-8 are halves of surrogate pairs with these as \xe9."""
    return legible(text.encode("utf-8", "surrogateescape"))


def json_lines(content: bytes, name: str) -> tuple[list[tuple[object, str]], Callable[[int], str]]:
    """Return what each line holds, a `NoPair` where it is no JSON, with its place, and what returns the line."""
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
    """Raise CorpusError where there are objects and a wanted key is in none of them."""
    found = {key for record in records for key in record}
    if records and not {source, target} <= found:
        raise missing_columns(name, source, target, found)


def to_rows(records: Iterable[tuple[dict[str, object] | NoPair, str]], source: str, target: str) -> list[Row]:
    """Return the rows of records and their places, of which each has its text under the keys `source` and `target`."""
    return [
        record if isinstance(record, NoPair) else to_row(record.get(source), record.get(target), where)
        for record, where in records
    ]


def to_row(source: object, target: object, where: str) -> Row:
    """Return the pair of two cells; null counts as no text, and half a surrogate pair (JSON allows it) as no UTF-8."""
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
