"""Pairs of lines with named columns: TSV and JSONL.

The columns are named by language code, flat (`en`, `de`) or inside a `translation` record, as WMT14 has them.
"""

import json
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from .pairs import ROWS_PER_GROUP, CorpusError, NoPair, Pair, Row, fingerprint
from .text_files import Lines, decode


def missing_columns(name: str, source: str, target: str, found: Iterable[str]) -> CorpusError:
    """Return the error for a table that lacks one of its two columns."""
    return CorpusError(
        f'{name} has no columns "{source}" and "{target}", flat or in a "translation" record; it has: '
        f"{', '.join(sorted(found)) or 'none'}. Rename its columns, or give the names it has as source and target."
    )


def doubled_column(name: str, column: str) -> CorpusError:
    """Return the error for a table of which two columns have the name of one that is wanted."""
    return CorpusError(f'{name} has more than one column "{column}". Rename or delete all but one of them.')


class TsvCorpus:
    """A file of lines "source<TAB>target" under a header "en<TAB>de"; further columns are allowed.

    Nothing is quoted or escaped: a quotation mark is text, as in most parallel corpora. A row with more or fewer
    columns than the header is `NoPair`. Raises ValueError for a header that has not each of the two columns once.
    """

    def __init__(self, path: Path, source: str, target: str) -> None:
        self._lines = lines = Lines(path)
        self._header = lines.read(0)[0].decode("utf-8", "replace").split("\t")
        if not {source, target} <= set(self._header):
            raise missing_columns(f"{path} (first line)", source, target, self._header)
        for column in (source, target):
            if self._header.count(column) > 1:
                raise doubled_column(f"{path} (first line)", column)
        if lines.count == 1:
            raise ValueError(f"{path} has a header and no rows. Give a file with pairs, or leave it out.")
        self._columns = (self._header.index(source), self._header.index(target))
        self.name = str(path)
        self.fingerprint = fingerprint(lines.digest, source, target)
        self.groups = lines.groups
        self.rows = lines.count - 1

    def read(self, group: int) -> list[Row]:
        """Return the rows of one group."""
        numbered = enumerate(self._lines.read(group), group * ROWS_PER_GROUP + 1)
        return [self._row(line, f"{self.name}, line {number}") for number, line in numbered if number > 1]

    def _row(self, line: bytes, where: str) -> Row:
        text = decode(line, where)
        if isinstance(text, NoPair):
            return text
        cells = text.split("\t")
        if len(cells) != len(self._header):
            return NoPair("malformed", f"{where}: {len(cells)} columns, not {len(self._header)}")
        source, target = self._columns
        return Pair(cells[source], cells[target])


class JsonLinesCorpus:
    """A file of JSON objects, one a line: {"en": ..., "de": ...} or {"translation": {"en": ..., "de": ...}}.

    A line that is no such object is `NoPair`; a key that is absent or null is an empty side. Raises ValueError
    when the two keys occur nowhere among the first thousand lines.
    """

    def __init__(self, path: Path, source: str, target: str) -> None:
        self._lines = Lines(path)
        self._keys = (source, target)
        self.name = str(path)
        self.fingerprint = fingerprint(self._lines.digest, source, target)
        self.groups = self._lines.groups
        self.rows = self._lines.count
        records = [record for record, _ in self._records(0) if not isinstance(record, NoPair)]
        check_keys(records, f"{path} (first {len(records):,} objects)", source, target)

    def read(self, group: int) -> list[Row]:
        """Return the rows of one group."""
        return to_rows(self._records(group), *self._keys)

    def _records(self, group: int) -> Iterator[tuple[dict[str, object] | NoPair, str]]:
        for number, line in enumerate(self._lines.read(group), group * ROWS_PER_GROUP + 1):
            where = f"{self.name}, line {number}"
            yield parse_record(line, where), where


def parse_record(line: bytes, where: str) -> dict[str, object] | NoPair:
    """Return the JSON object of a line, or the one in its `translation`."""
    text = decode(line, where)
    if isinstance(text, NoPair):
        return text
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        return NoPair("malformed", f"{where}: not JSON ({error})")
    if isinstance(record, dict) and isinstance(record.get("translation"), dict):
        record = record["translation"]
    return record if isinstance(record, dict) else NoPair("malformed", f"{where}: not a JSON object")


def check_keys(records: Collection[dict[str, object]], name: str, source: str, target: str) -> None:
    """Raise ValueError where there are objects and a wanted key is in none of them."""
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
