"""Pairs from a file of Arrow record batches on disk, as `Dataset.save_to_disk` of `datasets` writes them (.arrow).

Format: https://arrow.apache.org/docs/format/Columnar.html, its IPC streams, which `datasets` writes, and its IPC files.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path

import pyarrow as pa

from .opened_file import LocalFiles
from .pairs import CorpusError, Rows, fingerprint
from .parquet import check_rows, find_columns, is_damage, table_rows

_FILE = b"ARROW1"
"""The first bytes of an IPC file; a stream has none of its own."""


class ArrowCorpus:
    """One local file, which must not change after it was opened; a row group is a record batch.

    Raises:
        ValueError: it is no Arrow file, lacks the columns, or holds no row.

    """

    def __init__(self, path: Path, source: str, target: str) -> None:
        self.name = str(path)
        self._local = LocalFiles([self.name])
        self.fingerprint = fingerprint(*self._local.digests, source, target)
        with self._reading() as file:
            self._schema, self._places, sizes = _batches(file)
        self._columns = find_columns(self._schema, source, target, self.name)
        self._starts = [0, *accumulate(sizes)]
        self.groups, self.rows = len(sizes), self._starts[-1]
        check_rows(self.rows, self.name)

    def read(self, group: int) -> Rows:
        """Return the rows of one record batch. Raises CorpusError if the file has changed."""
        self._local.unchanged(self.name)
        with self._reading() as file:
            if self._places is None:
                batch = pa.ipc.open_file(file).get_batch(group)
            else:
                file.seek(self._places[group])
                batch = pa.ipc.read_record_batch(pa.ipc.read_message(file), self._schema)
            _validate(batch)
            first = self._starts[group] + 1
            rows = table_rows(
                pa.Table.from_batches([batch]), self._columns, lambda position: f"{self.name}, row {first + position}"
            )
        self._local.unchanged(self.name)  # also while it was read
        return rows

    @contextmanager
    def _reading(self) -> Iterator[pa.MemoryMappedFile]:
        try:
            with pa.memory_map(self.name) as file:
                yield file
        except (pa.ArrowException, OSError) as error:
            if not is_damage(error):
                raise
            raise CorpusError(
                f"{self.name} cannot be read as Arrow record batches ({str(error).splitlines()[0]}). Fetch or write "
                "the file again."
            ) from error


def _batches(file: pa.MemoryMappedFile) -> tuple[pa.Schema, list[int] | None, list[int]]:
    """Return the schema, where each record batch of a stream begins, and their numbers of rows; of a file no places."""
    is_file = file.read(len(_FILE)) == _FILE
    file.seek(0)
    if is_file:
        opened = pa.ipc.open_file(file)
        return opened.schema, None, [opened.get_batch(number).num_rows for number in range(opened.num_record_batches)]
    stream = pa.ipc.open_stream(file)
    places: list[int] = []
    sizes: list[int] = []
    while True:
        place = file.tell()
        try:
            sizes.append(stream.read_next_batch().num_rows)
        except StopIteration:
            return stream.schema, places, sizes
        places.append(place)


def _validate(batch: pa.RecordBatch) -> None:
    """Raise ArrowInvalid if its parts do not fit each other; Arrow has no checksums. Wrong UTF-8 is left to rows."""
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid as error:
        if "UTF8" not in str(error):
            raise
