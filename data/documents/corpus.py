"""Documents as a corpus: each is read once, unit by unit, and its rows are kept as parquet in the cache.

A unit in the middle of XML or of a compressed file cannot be reached without reading all before it, and the order of
training reads row groups in any order, in many processes. So the first to open a document writes its rows, in row
groups, into a file that is named by the digest of the document and all that decides how it is read; later openings, in
this run or another, find that file. Memory is that of one row group, however large the document is.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from vaswani.data.file_names import printable
from vaswani.data.opened_file import OpenedFile
from vaswani.data.pairs import ROWS_PER_GROUP, CorpusError, Rows
from vaswani.storage import atomic_write, sha256_of
from vaswani.storage.atomic import lock

from .units import Asked, Tally, Unit

EDITION = 2
"""The version of how documents are read: it increases whenever any of them gives other rows or remarks."""

_SCHEMA = pa.schema([("source", pa.string()), ("target", pa.string()), ("place", pa.string()), ("reason", pa.string())])
_ABOUT = b"vaswani"


class About(NamedTuple):
    """What is kept beside the rows of a document."""

    fingerprint: str
    """Of the rows: two documents that give the same rows have the same."""
    reasons: dict[str, int]
    """How many rows give no pair, by reason."""
    remarks: list[str]
    """What was left aside in the others."""


class DocumentCorpus:
    """The units of one document, or of two that belong together, in their order.

    Args:
        name: its name in messages.
        paths: its files.
        read: reads its units.
        asked: the languages.
        cache: the folder in which its rows are kept.

    Raises:
        CorpusError: it is damaged, or no unit gives a pair.

    """

    def __init__(
        self,
        name: str,
        paths: Sequence[Path],
        read: Callable[[Asked, Tally], Iterator[Unit]],
        asked: Asked,
        cache: Path,
        kind: str,
    ) -> None:
        self.name = name
        facts = json.dumps([EDITION, kind, asked, [sha256_of(path) for path in paths]])
        self._kept = cache / "documents" / f"{hashlib.sha256(facts.encode()).hexdigest()[:32]}.parquet"
        if not self._kept.exists():
            files = [OpenedFile(path) for path in paths]
            with _alone(self._kept):
                if not self._kept.exists():
                    _keep(self._kept, name, read, asked, files)
        self._footer = pq.read_metadata(self._kept)
        about = About(**json.loads(self._footer.metadata[_ABOUT]))
        self.fingerprint, self.remarks = about.fingerprint, about.remarks
        self.groups, self.rows = self._footer.num_row_groups, self._footer.num_rows
        if self.rows == sum(about.reasons.values()):
            listed = ", ".join(f"{number:,} {reason}" for reason, number in about.reasons.items()) or "it has no units"
            raise CorpusError(
                f"{name} has no unit that is translated from {asked.source} to {asked.target}: {listed}. Name the "
                "languages as the file does, or give another file."
            )

    def read(self, group: int) -> Rows:
        """Return the rows of one group. Raises CorpusError if the cache no longer has them."""
        try:
            with pq.ParquetFile(self._kept, metadata=self._footer, page_checksum_verification=True) as file:
                table = file.read_row_group(group, use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise CorpusError(
                f"{self._kept}, where the rows of {self.name} are kept, cannot be read ({error}). Delete it, if it is "
                "there, and continue with --resume: it is written anew."
            ) from error
        columns = [table.column(name).to_pylist() for name in _SCHEMA.names]
        units = [Unit(*each) for each in zip(*columns, strict=True)]
        return Rows(
            [unit.row(self.name) for unit in units],
            lambda position: f"{self.name}, {units[position].place}",
            {place: (unit.source, unit.target) for place, unit in enumerate(units) if unit.reason is not None},
        )


def _keep(
    kept: Path, name: str, read: Callable[[Asked, Tally], Iterator[Unit]], asked: Asked, files: Sequence[OpenedFile]
) -> None:
    """Write the rows of a document to the cache, completely or not at all."""
    tally, reasons, digest = Tally(), Counter[str](), hashlib.sha256()
    units = tqdm(read(asked, tally), desc=f"Reading {printable(name)}", unit=" units", unit_scale=True, disable=None)
    rest = iter(units)
    try:
        with (
            atomic_write(kept) as file,
            pq.ParquetWriter(
                file,
                _SCHEMA,
                compression="zstd",
                write_page_checksum=True,
                write_statistics=False,
                use_dictionary=False,
            ) as writer,
        ):
            while group := list(islice(rest, ROWS_PER_GROUP)):
                columns = [[_encodable(text) for text in column] for column in zip(*group, strict=True)]
                writer.write_table(pa.table(columns, schema=_SCHEMA), ROWS_PER_GROUP)
                reasons.update(unit.reason for unit in group if unit.reason is not None)
                _add(digest, columns)
            for each in files:
                each.unchanged()
            about = About(digest.hexdigest()[:32], dict(reasons), tally.remarks())
            writer.add_key_value_metadata({_ABOUT: json.dumps(about._asdict())})
    except OSError as error:
        error.add_note(f"The rows of {name} are kept in {kept.parent}; another --cache_dir may have room.")
        raise


def _add(digest: Any, columns: Sequence[Sequence[str | None]]) -> None:
    """Add rows to a digest: sources, targets and reasons, but not their places."""
    source, target, _, reason = columns
    for row in zip(source, target, reason, strict=True):
        for text in row:
            content = (text or "").encode()
            digest.update(len(content).to_bytes(8, "little") + content)


def _encodable(text: str | None) -> str | None:
    r"""Return a text with bytes that no encoding has written as \xe9; such a row has a reason."""
    return (
        text
        if text is None or text.isascii()
        else text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    )


@contextmanager
def _alone(kept: Path) -> Iterator[None]:
    """Wait until no other process of this machine writes a file; on a disk without locks each writes its own."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(kept.with_suffix(".lock"), os.O_WRONLY | os.O_CREAT)
    try:
        lock(descriptor)
        yield
    finally:
        os.close(descriptor)
