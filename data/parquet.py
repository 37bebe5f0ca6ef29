"""Pairs from parquet files, on disk or at an address that fsspec opens (hf://, https://), by row groups."""

import hashlib
import io
import zipfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .containers import read_head, refuse
from .opened_file import LocalFiles
from .pairs import CorpusError, NoPair, Rows, fingerprint, join_sides, legible, places
from .retrying import RetryPolicy, WrongBytesError, is_transient, with_retries
from .tables import doubled_column, missing_columns
from .text_files import decode_all

ColumnPath = tuple[str, ...]  # ("en",) or ("translation", "en")

GAP = 1 << 16
"""Bytes that are read though nobody asked for them, since another request takes longer."""


class ParquetCorpus:
    """Parquet files in their own row groups, those of the first file first.

    The footers are read once, here; after that a row group costs one request. A row group whose bytes cannot be decoded
    gives rows that are "damaged"; network faults are retried and never count as damage.

    Args:
        name: its name in messages.
        addresses: of the files.
        digits: its fingerprint, which changes whenever a file changes.
        source, target: columns, flat or inside a `translation` record.
        patience: how long to retry a network.
        local: the files among them that are on this machine, and must not change.

    Raises:
        ValueError: a file is not parquet or lacks the columns, or none holds a row.

    """

    def __init__(
        self,
        name: str,
        addresses: Sequence[str],
        digits: str,
        source: str,
        target: str,
        patience: RetryPolicy = RetryPolicy(),  # noqa: B008  (frozen)
        local: LocalFiles = LocalFiles(()),  # noqa: B008  (none)
    ) -> None:
        self.name = name
        self.fingerprint = digits
        self._patience = patience
        self._local = local
        with ThreadPoolExecutor(8) as readers:
            self._files = list(readers.map(lambda address: open_parquet(address, source, target, patience), addresses))
        self._ends = list(accumulate(file.footer.num_row_groups for file in self._files))
        self.groups = self._ends[-1]
        self.rows = sum(file.footer.num_rows for file in self._files)
        check_rows(self.rows, name)

    def read(self, group: int) -> Rows:
        """Return the rows of one row group. Raises CorpusError if its file is on this machine and has changed."""
        number = bisect_right(self._ends, group)
        file = self._files[number]
        inner = group - (self._ends[number - 1] if number else 0)
        where = f"{file.name}, row group {inner}"
        self._local.unchanged(file.address)
        try:
            table = read_alike(file.address, lambda stream: file.read(stream, inner), where, self._patience)
        except (pa.ArrowException, OSError) as error:
            self._local.unchanged(file.address)  # which would explain it
            if not is_damage(error):
                raise
            place = NoPair("damaged", f"{where} ({str(error).splitlines()[0]})")
            return Rows([place] * file.footer.row_group(inner).num_rows, lambda _: place.where)
        self._local.unchanged(file.address)  # also while it was read
        return table_rows(table, file.columns, file.places(inner))


class LocalParquet(ParquetCorpus):
    """One local parquet file, which must not change after it was opened."""

    def __init__(self, path: Path, source: str, target: str) -> None:
        local = LocalFiles([str(path)])
        digits = fingerprint(*local.digests, source, target)
        super().__init__(str(path), [str(path)], digits, source, target, local=local)


class ParquetFile(NamedTuple):
    """An open parquet file: small, and usable in any process."""

    address: str
    footer: pq.FileMetaData
    columns: list[ColumnPath]
    starts: list[int]
    """Rows before each row group."""

    @property
    def name(self) -> str:
        """Its name in messages."""
        return self.address.removeprefix("hf://datasets/")

    def places(self, group: int) -> Callable[[int], str]:
        """Return the places of the rows of a row group: their numbers in it and, if different, in the file."""
        before = self.starts[group]
        return lambda position: (
            f"{self.name}, row group {group}, row {position + 1}"
            + (f" (row {before + position + 1} of the file)" if before else "")
        )

    def read(self, stream: "WholeReads", group: int) -> pa.Table:
        """Return the two columns of one row group, all of it in this thread.

        Arrow's own pre-fetching (`pre_buffer`) reads and frees Python's files in threads of its own, and one of them
        that is not done when the process ends aborts it.
        """
        stream.prefetch(self.spans(group))
        file = pq.ParquetFile(stream, metadata=self.footer, pre_buffer=False, page_checksum_verification=True)
        return file.read_row_group(group, columns=[".".join(path) for path in self.columns], use_threads=False)

    def spans(self, group: int) -> list[tuple[int, int]]:
        """Return where in the file the bytes of the two columns begin and end, in its order."""
        chunks = self.footer.row_group(group)
        named = {chunk.path_in_schema: chunk for chunk in map(chunks.column, range(chunks.num_columns))}
        found = [named[".".join(path)] for path in self.columns]
        first = [
            chunk.data_page_offset
            if not chunk.has_dictionary_page
            else min(chunk.dictionary_page_offset, chunk.data_page_offset)
            for chunk in found
        ]
        return sorted((start, start + chunk.total_compressed_size) for start, chunk in zip(first, found, strict=True))


def open_parquet(address: str, source: str, target: str, patience: RetryPolicy) -> ParquetFile:
    """Read the footer of a file. Raises ValueError when it is not parquet or lacks the columns."""

    def footer(stream: WholeReads) -> tuple[pq.FileMetaData, pa.Schema]:
        file = pq.ParquetFile(stream)
        return file.metadata, file.schema_arrow

    def refuse_other_kinds() -> None:
        with open_whole(address) as stream:
            head = read_head(stream)
        if not head.startswith(b"PAR1"):
            refuse(head, address)

    try:
        metadata, schema = read_alike(address, footer, address, patience)
    except (pa.ArrowException, OSError) as error:
        if not is_damage(error):
            raise
        with_retries(refuse_other_kinds, address, patience)
        raise ValueError(f"{address} cannot be read as parquet ({error}). Fetch or write the file again.") from error
    sizes = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    columns = find_columns(schema, source, target, address)
    return ParquetFile(address, metadata, columns, [0, *accumulate(sizes)][: len(sizes)])


T = TypeVar("T")


def read_alike(address: str, read: Callable[["WholeReads"], T], what: str, patience: RetryPolicy) -> T:
    """Return what `read` makes of a file, and fetch anew what it cannot decode: damage is what comes twice alike.

    A server may ignore a range, send another one, or a page that says what is wrong with it. A file on this machine is
    read once.

    Args:
        address: of the file.
        read: is given the file.
        what: its name in messages.
        patience: how long to fetch it anew while it comes differently each time.

    Raises:
        Exception: what `read` raised of damage (`is_damage`): the same bytes came twice, and cannot be decoded.
        SourceLostError: as of `with_retries`.

    """
    before: set[frozenset[bytes]] = set()

    def once() -> T:
        with open_whole(address) as stream:
            try:
                return read(stream)
            except (pa.ArrowException, OSError, CorpusError, zipfile.BadZipFile) as error:
                if not is_damage(error) or stream.is_local or stream.received in before:
                    raise
                before.add(stream.received)
                raise WrongBytesError(f"it cannot be decoded ({str(error).splitlines()[0]})") from error

    return with_retries(once, what, patience)


def is_damage(error: BaseException) -> bool:
    """Return whether an error comes from the bytes of a file, and not from their transport."""
    # pyarrow reports damage as its own errors or as a bare OSError without a number; all others concern transport.
    return isinstance(error, pa.ArrowException | CorpusError | zipfile.BadZipFile) or (
        type(error) is OSError and error.errno is None and not is_transient(error)
    )


def open_whole(address: str) -> "WholeReads":
    """Open a file, local or remote, for reading in pieces, fetching only what is asked for."""
    system, path = fsspec.core.url_to_fs(address)
    options = {} if "file" in system.protocol else {"cache_type": "none"}
    return WholeReads(system.open(path, "rb", **options), address, "file" in system.protocol)


class WholeReads(io.RawIOBase):
    """A file whose reads are complete or an error, so that an answer truncated by a proxy is no damaged file.

    Args:
        file: open.
        name: of it in messages.
        is_local: it is on this machine.

    """

    def __init__(self, file: Any, name: str, is_local: bool) -> None:
        super().__init__()
        self._file = file
        self._name = name
        self.is_local = is_local
        self._received: list[bytes] = []
        self._prefetched: dict[int, bytes] = {}
        self._size: int = file.seek(0, io.SEEK_END)
        file.seek(0)

    def prefetch(self, spans: Sequence[tuple[int, int]]) -> None:
        """Read what will be asked for, from where to where, in as few requests as that takes."""
        for start, end in joined(spans):
            place = self.seek(max(0, min(start, self._size)))
            self._prefetched[place] = self.read(max(0, end - place))

    def read(self, size: int = -1) -> bytes:
        """Read `size` bytes, or to the end."""
        place = self._file.tell()
        wanted = self._size - place if size < 0 else min(size, self._size - place)
        for start, content in self._prefetched.items():
            if start <= place and place + wanted <= start + len(content):
                self._file.seek(place + wanted)
                return content[place - start : place - start + wanted]
        return self._fetch(place, wanted)

    def _fetch(self, place: int, wanted: int) -> bytes:
        try:
            content: bytes = self._file.read(wanted)
        except ValueError as error:  # fsspec's, where a server has sent all of a file in place of a range
            raise WrongBytesError(f"{self._name}: {error}") from error
        if len(content) != wanted:  # more, if a server ignores the range that was asked for
            raise WrongBytesError(f"{self._name}: {len(content)} of {wanted} bytes received")
        if not self.is_local:
            self._received.append(hashlib.sha256(place.to_bytes(8) + content).digest())
        return content

    @property
    def received(self) -> frozenset[bytes]:
        """What stands for all bytes that were read, with their places, in whatever order."""
        return frozenset(self._received)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        place: int = self._file.seek(offset, whence)
        return place

    def tell(self) -> int:
        """Return the place."""
        place: int = self._file.tell()
        return place

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans of a file, given in its order, as one where little lies between two."""
    found: list[tuple[int, int]] = []
    for start, end in spans:
        if found and start - found[-1][1] <= GAP:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def check_rows(rows: int, name: str) -> None:
    """Raise ValueError if a table has none."""
    if not rows:
        raise ValueError(f"{name} has columns but no rows. Give a file with pairs, or leave it out.")


def find_columns(schema: pa.Schema, source: str, target: str, name: str) -> list[ColumnPath]:
    """Return the columns of the two sides, flat or inside `translation`.

    Raises CorpusError if one is missing, occurs more than once, or is not text.
    """
    typed: list[tuple[ColumnPath, pa.DataType]] = [((column.name,), column.type) for column in schema]
    if (record := dict(typed).get(("translation",))) is not None and pa.types.is_struct(record):
        typed += [(("translation", column.name), column.type) for column in record.fields]
    types, times = dict(typed), Counter(path for path, _ in typed)
    for prefix in ((), ("translation",)):
        columns = [(*prefix, source), (*prefix, target)]
        if all(column in types for column in columns):
            break
    else:
        raise missing_columns(name, source, target, map(".".join, types))
    for column in columns:
        for path in (column[:1], column):
            if times[path] > 1:
                raise doubled_column(name, ".".join(path))
        kind = types[column]
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
            raise CorpusError(f'{name}: column "{".".join(column)}" holds {kind}, not text. Name a column of strings.')
    return columns


def table_rows(table: pa.Table, columns: list[ColumnPath], where: Callable[[int], str]) -> Rows:
    """Return the rows of an Arrow table; `where` returns their places in messages.

    Arrow does not check whether its strings are UTF-8, so they are read as bytes and decoded one by one.
    """
    cells = [_bytes_of(table, column) for column in columns]
    rows = join_sides(*(decode_all(side, where) for side in cells))
    return Rows(rows, where, {position: tuple(legible(side[position]) for side in cells) for position in places(rows)})


def _bytes_of(table: pa.Table, column: ColumnPath) -> list[bytes]:
    name, *inner = column
    cells = table.column(name)
    cells = pc.struct_field(cells, inner) if inner else cells
    return [cell or b"" for cell in cells.cast(pa.large_string()).cast(pa.large_binary()).to_pylist()]
