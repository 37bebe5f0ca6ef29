"""Any data set of the Hugging Face Hub, streamed row group by row group, without a download beforehand."""

import codecs
import csv
import io
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from functools import partial
from pathlib import PurePath
from typing import Any, NamedTuple

import pyarrow as pa
from datasets import BuilderConfig, load_dataset_builder
from datasets.packaged_modules.csv.csv import Csv, CsvConfig
from datasets.packaged_modules.json.json import Json
from datasets.packaged_modules.parquet.parquet import Parquet

from .containers import DamagedError, unpacked
from .file_names import check_name
from .opened_file import LocalFiles
from .pairs import Corpus, CorpusError, Row, Rows, fingerprint
from .parquet import ColumnPath, ParquetCorpus, WholeReads, find_columns, open_whole, read_alike, table_rows
from .retrying import RetryPolicy, with_retries
from .splits import choose_split
from .tables import JsonTable, SeparatedTable, Table

_ROWS_AT_ONCE = 1_000
_BEGINNING = 1 << 16
"""Bytes in which the first objects of a file are searched for: one request, however large the file."""
_QUOTINGS = {csv.QUOTE_MINIMAL: None, csv.QUOTE_NONE: "none"}
"""What a data set may declare about quotation marks in TSV. The first is the default, if it declares nothing."""
_OPENING = RetryPolicy(seconds=60)
"""Shorter than in the middle of a run, because a user is waiting."""


def open_hub(
    dataset: str,
    config: str | None,
    split: str,
    source: str,
    target: str,
    patience: RetryPolicy = RetryPolicy(),  # noqa: B008  (frozen)
    tsv_quoting: str | None = None,
) -> Corpus:
    """Open one split of a data set: what `datasets.load_dataset` takes, a local folder too.

    `tsv_quoting` says what quotation marks in TSV files mean (`tables.QUOTINGS`). Raises ValueError for an unknown
    split or missing columns, and SourceLostError when the Hub does not answer.
    """
    check_name(dataset, "--dataset")
    shown = f"{dataset}/{config}" if config else dataset
    builder = with_retries(lambda: open_builder(dataset, config), shown, _OPENING)
    files = builder.config.data_files or {}
    split = choose_split(split, [str(name) for name in files or builder.info.splits or ()], f"--dataset {shown}")
    name = f"{shown}:{split}"
    data = files.get(split)
    # For each file of the Hub its address, which names the revision, and its ETag.
    origin = str((list(data), data.origin_metadata)) if data else str(builder.hash)
    addresses = [str(address) for address in data or ()]
    local = LocalFiles(addresses)
    if addresses and len(local.digests) == len(addresses):
        dataset, origin = "", str(local.digests)  # what they hold, wherever they are and whenever they were written
    digits = fingerprint(dataset, str(config), split, origin, source, target)
    if isinstance(builder, Parquet):
        return ParquetCorpus(name, addresses, digits, source, target, patience, local)
    # The fingerprint changed with the way of reading: older positions must not be resumed from.
    if isinstance(builder, Json):
        if not all(address.endswith((".jsonl", ".jsonl.gz")) for address in addresses):
            digits = fingerprint(digits, "by row")
        return TableFiles(name, addresses, digits, json_table(builder, source, target, name), patience, local)
    if isinstance(builder, Csv):
        if table := separated_table(builder, source, target, tsv_quoting):
            digits = fingerprint(digits, "by row", *(["spreadsheet"] if tsv_quoting == "spreadsheet" else []))
            return TableFiles(name, addresses, digits, table, patience, local)
        as_text(builder, source, target)
        digits = fingerprint(digits, "as text")
    return StreamedCorpus(builder, split, name, addresses, digits, source, target, patience, local)


def open_builder(dataset: str, config: str | None) -> Any:
    """Return the builder of a data set. Raises ValueError if it is a script, which is never run."""
    try:
        return load_dataset_builder(dataset, config)
    except RuntimeError as error:
        if "scripts are no longer supported" not in str(error):
            raise
        raise ValueError(
            f"--dataset {dataset} is made by a script, and scripts of data sets are not run ({error}). If the Hub has "
            "converted it to parquet, download that from the revision refs/convert/parquet and give its folder as "
            "--dataset; or name another data set."
        ) from error


class Place(NamedTuple):
    """Where a file of a data set is: its address and, in a Zip archive, its name there."""

    address: str
    member: str | None = None

    @property
    def name(self) -> str:
        """Its name in messages."""
        return self.address if self.member is None else f"{self.address}, {self.member}"


class TableFiles:
    """Files of rows that are read here and not by `datasets`, which reads a row differently depending on its block.

    A group is one whole file; a malformed row is a `NoPair`. Raises ValueError if no file holds a row, or one with rows
    lacks the columns.
    """

    def __init__(
        self, name: str, addresses: list[str], digits: str, table: Table, patience: RetryPolicy, local: LocalFiles
    ) -> None:
        self.name = name
        self.fingerprint = digits
        self._table = table
        self._patience = patience
        self._local = local
        with ThreadPoolExecutor(8) as readers:
            found = readers.map(lambda each: find_places(each, _OPENING), addresses)
            self._places = [place for places in found for place in places]
        self.groups = len(self._places)
        first: list[Row] = next(
            (rows for group in range(self.groups) if (rows := self.read(group))), []
        )  # a file may be empty
        if not first:
            raise ValueError(f"{name} holds no rows. Name another split or data set.")
        self.rows = self.groups * len(first)  # a guess: only the beginnings of the other files are read
        with ThreadPoolExecutor(8) as readers:
            list(readers.map(self._check, range(self.groups)))

    def read(self, group: int) -> Rows:
        """Return the rows of one file. Raises CorpusError if it is truncated, lacks the columns or has changed."""
        place = self._places[group]
        self._local.unchanged(place.address)
        content = read_alike(place.address, lambda stream: read_whole(stream, place), place.name, self._patience)
        self._local.unchanged(place.address)
        return self._table.rows(content, place.name)

    def _check(self, group: int) -> None:
        """Look for the columns at the beginning of a file or, if they are not found there, in all of it."""
        place = self._places[group]
        beginning = with_retries(lambda: read_beginning(place), place.name, self._patience)
        if not self._table.shows_columns(beginning, place.name):
            self.read(group)


def find_places(address: str, patience: RetryPolicy) -> list[Place]:
    """Return the file of an address, or those of an archive, without files that operating systems add."""
    if not address.endswith(".zip"):
        return [Place(address)]

    def files(stream: WholeReads) -> list[str]:
        with zipfile.ZipFile(stream) as archive:
            return [each.filename for each in archive.infolist() if not each.is_dir()]

    try:
        names = read_alike(address, files, address, patience)
    except zipfile.BadZipFile as error:
        raise CorpusError(f"{address} is truncated or damaged ({error}); write it anew") from error
    return [Place(address, name) for name in names if not PurePath(name).name.startswith((".", "__"))]


def read_whole(stream: WholeReads, place: Place) -> bytes:
    """Return the content of a file, unpacked if it is compressed, without a byte order mark."""
    if place.member is None:
        content: bytes = stream.read()
    else:
        with zipfile.ZipFile(stream) as archive:
            content = archive.read(place.member)
    try:
        with unpacked(io.BytesIO(content), place.member or place.address) as text:
            content = text.read()
    except DamagedError as error:
        raise CorpusError(f"{place.name} is truncated or damaged ({error.__cause__}); write it anew") from error
    return content.removeprefix(codecs.BOM_UTF8)


def read_beginning(place: Place) -> bytes:
    """Return the first bytes of a file, unpacked if it is compressed; none if it cannot be unpacked."""
    if place.member is not None:
        return b""
    content = b""
    with open_whole(place.address) as stream:
        head = stream.read(_BEGINNING)
    try:
        with unpacked(io.BytesIO(head), place.address) as text:
            while len(content) < 16 * _BEGINNING and (more := text.read1(_BEGINNING)):
                content += more
    except DamagedError:  # expected, since it is truncated here
        pass
    return content.removeprefix(codecs.BOM_UTF8)


class StreamedCorpus:
    """A split in any other format, streamed by `datasets`: a group is one whole file.

    Raises ValueError for a file that lacks the columns or cannot be read, and if none holds a row.
    """

    def __init__(
        self,
        builder: Any,
        split: str,
        name: str,
        addresses: list[str],
        digits: str,
        source: str,
        target: str,
        patience: RetryPolicy,
        local: LocalFiles,
    ) -> None:
        self.name = name
        self._sides = (source, target)
        self._patience = patience
        self._local = local
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
        info = (builder.info.splits or {}).get(split)
        self.rows: int = info.num_examples if info and info.num_examples else self.groups * len(self.read(0))

    def read(self, group: int) -> Rows:
        """Return the rows of one group. Raises CorpusError if it cannot be read, or a file has changed."""
        self._local.unchanged()
        rows = with_retries(lambda: self._rows(group), self._names[group], self._patience)
        self._local.unchanged()
        return rows

    def _rows(self, group: int) -> Rows:
        def where(position: int, first: int = 1) -> str:
            return f"{self._names[group]}, row {first + position}"

        rows: list[Row] = []
        texts: dict[int, tuple[str, ...]] = {}
        columns: list[ColumnPath] = []
        for table in self._tables(group):
            columns = columns or self._columns(table, group)
            part = table_rows(table, columns, partial(where, first=len(rows) + 1))
            texts |= {len(rows) + position: its_texts for position, its_texts in part.texts.items()}
            rows += part
        return Rows(rows, where, texts)

    def _check(self, group: int) -> bool:
        """Look for the columns in the first rows of a group, and return whether there are any rows."""

        def first_rows() -> pa.Table | None:
            return next(self._tables(group), None)

        table = with_retries(first_rows, self._names[group], _OPENING)
        return table is not None and bool(self._columns(table, group))

    def _columns(self, table: pa.Table, group: int) -> list[ColumnPath]:
        if any(name.startswith("__index_level_") for name in table.column_names):  # where pandas puts the first cells
            raise CorpusError(f"{self._names[group]} has rows with more cells than columns. Fix them, or the header.")
        return find_columns(table.schema, *self._sides, self._names[group])

    def _tables(self, group: int) -> Iterator[pa.Table]:
        # Each file by itself: `datasets` would concatenate files with different columns, and fail.
        where = self._names[group]
        way_out = "If the file itself is damaged, download it, fix it, and give its folder as --dataset."
        try:
            yield from self._stream.shard(num_shards=self.groups, index=group).iter(batch_size=_ROWS_AT_ONCE)
        except ValueError as error:
            raise CorpusError(f"{where} cannot be read ({error}). {way_out}") from error
        except Exception as error:  # its type is kept, since a network error may be worth another try
            error.add_note(f"This happened while reading {where}. {way_out}")
            raise


def as_text(builder: Csv, source: str, target: str) -> None:
    """Read the two columns of CSV files as text, since pandas would turn 01 into a number and NA into a gap."""
    config: Any = builder.config
    config.keep_default_na = False
    config.converters = {source: str, target: str}


def json_table(builder: Json, source: str, target: str, name: str) -> JsonTable:
    """Return how the JSON files of a data set are read. Raises CorpusError if it declares that they are not UTF-8."""
    config: Any = builder.config
    if codecs.lookup(config.encoding).name != "utf-8":
        raise CorpusError(
            f"{name} declares that its JSON files are in {config.encoding}. Download them, convert them to UTF-8, and "
            "give their folder as --dataset."
        )
    return JsonTable(source, target, config.field)


def separated_table(builder: Csv, source: str, target: str, tsv_quoting: str | None) -> SeparatedTable | None:
    """Return how the CSV or TSV files of a data set are read, or None if it asks for options that only pandas has.

    CSV is quoted. pandas assumes the same for TSV, which most parallel corpora do not quote: `tsv_quoting` decides.
    """
    config: Any = builder.config
    usual = CsvConfig()
    ours = {each.name for each in fields(BuilderConfig)} | {
        "sep",
        "delimiter",
        "names",
        "column_names",
        "header",
        "quoting",
        "features",
    }
    unusual = [each.name for each in fields(CsvConfig) if getattr(config, each.name) != getattr(usual, each.name)]
    has_header = config.header in ("infer", 0) if config.names is None else config.header in ("infer", None)
    if set(unusual) - ours or not has_header or len(config.sep.encode()) != 1:
        return None
    if config.sep == "\t" and config.quoting in _QUOTINGS:
        return SeparatedTable(source, target, "\t", tsv_quoting or _QUOTINGS[config.quoting], config.names)
    return SeparatedTable(source, target, config.sep, "spreadsheet", config.names) if config.quoting == 0 else None
