"""Any data set of the Hugging Face Hub, streamed: row group by row group, nothing downloaded ahead."""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
from datasets import load_dataset_builder
from datasets.packaged_modules.csv.csv import Csv
from datasets.packaged_modules.parquet.parquet import Parquet

from .pairs import Corpus, CorpusError, NoPair, Row, fingerprint
from .parquet import ColumnPath, ParquetCorpus, find_columns, open_whole, table_rows
from .patience import Patience, patiently
from .splits import choose_split
from .tables import check_keys, parse_record, to_rows

_ROWS_AT_ONCE = 1_000
_BEGINNING = 1 << 16
"""Bytes in which the first objects of a file are looked for: one request, however large the file."""
_OPENING = Patience(seconds=60)
"""Shorter than in the middle of a run: somebody is watching."""


def open_hub(
    dataset: str,
    config: str | None,
    split: str,
    source: str,
    target: str,
    patience: Patience = Patience(),  # noqa: B008  (frozen)
) -> Corpus:
    """Open one split of a data set: what `datasets.load_dataset` takes, a local folder too.

    Raises ValueError for an unknown split or missing columns, and SourceLostError when the Hub does not answer.
    """
    shown = f"{dataset}/{config}" if config else dataset
    builder = patiently(lambda: open_builder(dataset, config), shown, _OPENING)
    files = builder.config.data_files or {}
    split = choose_split(split, [str(name) for name in files or builder.info.splits or ()], f"--dataset {shown}")
    name = f"{shown}:{split}"
    data = files.get(split)
    # Of each file its address, which names the revision, and its ETag (on this machine: the time of its change).
    origin = str((list(data), data.origin_metadata)) if data else str(builder.hash)
    digits = fingerprint(dataset, str(config), split, origin, source, target)
    addresses = [str(address) for address in data or ()]
    if isinstance(builder, Parquet):
        return ParquetCorpus(name, addresses, digits, source, target, patience)
    if addresses and all(address.endswith((".jsonl", ".jsonl.gz")) for address in addresses):
        return JsonLinesFiles(name, addresses, digits, source, target, patience)
    if isinstance(builder, Csv):
        as_text(builder, source, target)
        digits = fingerprint(digits, "as text")  # a position of before it was read so must not be gone on from
    return StreamedCorpus(builder, split, name, addresses, digits, source, target, patience)


def open_builder(dataset: str, config: str | None) -> Any:
    """Return the builder of a data set. Raises ValueError when it is a script, of which nothing is run."""
    try:
        return load_dataset_builder(dataset, config)
    except RuntimeError as error:
        if "scripts are no longer supported" not in str(error):
            raise
        raise ValueError(
            f"--dataset {dataset} is made by a script, and scripts of data sets are not run ({error}). Where the Hub "
            "has made parquet of it, download that from the revision refs/convert/parquet and give its folder as "
            "--dataset; or name another data set."
        ) from error


class JsonLinesFiles:
    """Files of JSON objects, one a line: a group is a file, read whole; a line that is none is a `NoPair`.

    `datasets` would read them too, but ends at the first lone surrogate. A key that is absent or null is an empty side.
    Raises ValueError when no file holds a row, or the two keys occur nowhere in a file that holds objects.
    """

    def __init__(
        self, name: str, addresses: list[str], digits: str, source: str, target: str, patience: Patience
    ) -> None:
        self.name = name
        self.fingerprint = digits
        self._addresses = addresses
        self._keys = (source, target)
        self._patience = patience
        self.groups = len(addresses)
        first = next((rows for group in range(self.groups) if (rows := self.read(group))), [])  # a file may be empty
        if not first:
            raise ValueError(f"{name} holds no rows. Name another split or data set.")
        self.rows = self.groups * len(first)  # a guess: of the others only the beginnings are read for it
        with ThreadPoolExecutor(8) as readers:
            list(readers.map(self._check, range(self.groups)))

    def read(self, group: int) -> list[Row]:
        """Return the rows of one file. Raises CorpusError when it is cut off, or the keys occur nowhere in it."""
        return to_rows(self._records(group), *self._keys)

    def _records(self, group: int) -> list[tuple[dict[str, object] | NoPair, str]]:
        address = self._addresses[group]
        content = patiently(lambda: read_whole(address), address, self._patience)
        lines = content.removesuffix(b"\n").split(b"\n") if content else []
        places = (f"{address}, line {number}" for number in range(1, len(lines) + 1))
        records = [(parse_record(line, where), where) for line, where in zip(lines, places, strict=True)]
        check_keys([record for record, _ in records if not isinstance(record, NoPair)], address, *self._keys)
        return records

    def _check(self, group: int) -> None:
        """Look for the keys in the beginning of a file; where they do not show there, all of it tells."""
        address = self._addresses[group]
        *lines, _ = patiently(lambda: read_beginning(address), address, self._patience).split(b"\n")  # the last is cut
        records = [record for line in lines if not isinstance(record := parse_record(line, address), NoPair)]
        if not set(self._keys) <= {key for record in records for key in record}:
            self._records(group)


def read_whole(address: str) -> bytes:
    """Return the content of a file, unpacked if it is a .gz."""
    with open_whole(address) as stream:
        content: bytes = stream.read()
    if address.endswith(".gz"):
        try:
            content = gzip.decompress(content)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise CorpusError(f"{address} is cut off or damaged ({error}); write it anew") from error
    return content.removeprefix(codecs.BOM_UTF8)


def read_beginning(address: str) -> bytes:
    """Return the first bytes of a file, unpacked if it is a .gz; of one that cannot be unpacked, none."""
    with open_whole(address) as stream:
        content: bytes = stream.read(_BEGINNING)
    if address.endswith(".gz"):
        try:
            content = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(content, 16 * _BEGINNING)
        except zlib.error:
            return b""
    return content.removeprefix(codecs.BOM_UTF8)


class StreamedCorpus:
    """A split of any other format, by the streaming of `datasets`: a group is a file, read whole.

    Raises ValueError for a file that lacks the columns or cannot be read, and where none holds a row.
    """

    def __init__(
        self, builder: Any, split: str, name: str, addresses: list[str], digits: str, source: str, target: str,
        patience: Patience,
    ) -> None:  # fmt: skip
        self.name = name
        self._sides = (source, target)
        self._patience = patience
        self._stream: Any = builder.as_streaming_dataset(split=split).reshard().with_format("arrow")
        self.groups: int = self._stream.num_shards
        self.fingerprint = fingerprint(digits, str(self.groups))
        # An archive may hold many files, and then only the groups have numbers.
        are_files = len(addresses) == self.groups
        self._names = addresses if are_files else [f"{name}, group {group}" for group in range(self.groups)]
        with ThreadPoolExecutor(8) as readers:
            has_rows = list(readers.map(self._check, range(self.groups)))
        if not any(has_rows):
            raise ValueError(f"{name} holds no rows. Name another split or data set.")
        told = (builder.info.splits or {}).get(split)
        self.rows: int = told.num_examples if told and told.num_examples else self.groups * len(self.read(0))

    def read(self, group: int) -> list[Row]:
        """Return the rows of one group. Raises CorpusError when it cannot be read."""
        return patiently(lambda: self._rows(group), self._names[group], self._patience)

    def _rows(self, group: int) -> list[Row]:
        rows: list[Row] = []
        columns: list[ColumnPath] = []
        for table in self._tables(group):
            columns = columns or self._columns(table, group)
            rows += table_rows(table, columns, self._names[group], first=len(rows) + 1)
        return rows

    def _check(self, group: int) -> bool:
        """Look for the columns in the first rows of a group, and return whether there are any rows."""

        def first_rows() -> pa.Table | None:
            return next(self._tables(group), None)

        table = patiently(first_rows, self._names[group], _OPENING)
        return table is not None and bool(self._columns(table, group))

    def _columns(self, table: pa.Table, group: int) -> list[ColumnPath]:
        return find_columns(table.schema, *self._sides, self._names[group])

    def _tables(self, group: int) -> Iterator[pa.Table]:
        # Each file by itself: `datasets` would lay those of unlike columns one after another, and fail.
        where = self._names[group]
        way_out = "If the file itself is damaged, download it, mend it, and give its folder as --dataset."
        try:
            yield from self._stream.shard(num_shards=self.groups, index=group).iter(batch_size=_ROWS_AT_ONCE)
        except ValueError as error:
            raise CorpusError(f"{where} cannot be read ({error}). {way_out}") from error
        except Exception as error:  # its kind stays, since a network error may be worth another try
            error.add_note(f"This came while {where} was read. {way_out}")
            raise


def as_text(builder: Csv, source: str, target: str) -> None:
    """Have the two columns of CSV files read as they stand, where pandas would make numbers of 01 and gaps of NA."""
    config: Any = builder.config
    config.keep_default_na = False
    config.converters = {source: str, target: str}
