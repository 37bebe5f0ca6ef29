r"""Pairs from plain text files, one sentence per line; also the line reader under TSV and JSONL.

A line ends at "\n" and nowhere else: the other characters that `str.splitlines` breaks at (a lone carriage return, NEL,
U+2028) occur inside sentences of real corpora, and splitting there would shift every following pair. The carriage
return of a Windows line end and a byte order mark at the start of the file are not text and are removed.
"""

import codecs
import hashlib
import io
import mmap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from vaswani.storage import sha256_of

from .containers import is_packed, read_head, refuse, unpacked
from .opened_file import OpenedFile
from .pairs import ROWS_PER_GROUP, NoPair, Rows, fingerprint, join_sides, legible, places


class LineIndex(NamedTuple):
    """The places of the groups of lines of a file."""

    lines: int
    starts: list[int]  # byte offset of each group's first line, then the end of the file
    digest: str  # of the whole content


def index_lines(stream: BinaryIO) -> LineIndex:
    """Read a stream to its end once (about a second per gigabyte) and note every 1,000th line start."""
    starts, lines, offset, last = [0], 0, 0, b"\n"
    digest = hashlib.sha256()
    while chunk := stream.read(1 << 22):
        digest.update(chunk)
        ends = np.flatnonzero(np.frombuffer(chunk, np.uint8) == ord("\n"))
        starts += (offset + 1 + ends[-(lines + 1) % ROWS_PER_GROUP :: ROWS_PER_GROUP]).tolist()
        lines, offset, last = lines + len(ends), offset + len(chunk), chunk[-1:]
    if starts[-1] < offset:
        starts.append(offset)
    return LineIndex(lines + (last != b"\n"), starts, digest.hexdigest())


class Lines:
    """The lines of one file, plain or compressed (`containers.PACKINGS`), in groups of 1,000.

    A plain file is read group by group and takes no memory; a compressed one cannot be read from the middle, so its
    whole content is kept, once in each process that reads it. Raises ValueError for a file that is empty, does not hold
    text, is compressed and damaged, or has changed since it was opened.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._file = OpenedFile(path)
        self._content: bytes | None = None
        with path.open("rb") as stream:
            head = read_head(stream)
        self._is_packed = is_packed(head, self.name)
        if not self._is_packed:
            refuse(head, self.name)
        with self._stream() as stream:
            self.count, self._starts, self.digest = index_lines(stream)
        self._file.digest = sha256_of(path) if self._is_packed else self.digest
        if not self.count:
            raise ValueError(f"{path} is empty. Give a file with one sentence per line, or leave it out.")
        self.groups = len(self._starts) - 1

    def read(self, group: int) -> list[bytes]:
        """Return the lines of one group without their line ends."""
        block = self.block(*self._starts[group : group + 2])
        return [line.removesuffix(b"\r") for line in block.removesuffix(b"\n").split(b"\n")]

    def block(self, start: int, end: int) -> bytes:
        """Return the bytes from one place to another, without a byte order mark."""
        with self._stream() as stream:
            stream.seek(start)
            block = stream.read(end - start)
        self._file.unchanged()  # also while it was read
        return block.removeprefix(codecs.BOM_UTF8) if start == 0 else block

    def whole(self) -> "bytes | mmap.mmap":
        """Return the whole content, which takes no memory if the file is plain."""
        with self._stream() as stream:
            if self._content is not None:
                return self._content
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)

    def _stream(self) -> BinaryIO:
        path = self._file.unchanged()
        if not self._is_packed:
            return path.open("rb")
        if self._content is None:
            with path.open("rb") as packed, unpacked(packed, self.name) as stream:
                self._content = stream.read()
        return io.BytesIO(self._content)

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_content": None}


def decode(line: bytes, where: str) -> str | NoPair:
    """Return the text of a line, or the place of the first byte (from 1) that is not UTF-8."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        return NoPair("undecodable", f"{where}, byte {error.start + 1}")


def decode_all(lines: Sequence[bytes], where: Callable[[int], str]) -> list[str | NoPair]:
    """Return the texts of lines as `decode` does; `where` returns the place of one."""
    try:
        return [line.decode("utf-8") for line in lines]
    except UnicodeDecodeError:
        return [decode(line, where(number)) for number, line in enumerate(lines)]


class TextFilesCorpus:
    """Two files; line n of one translates line n of the other.

    Raises ValueError when the files differ in length.
    """

    def __init__(self, source: Path, target: Path) -> None:
        self._sides = sides = (Lines(source), Lines(target))
        if sides[0].count != sides[1].count:
            longer, shorter = sorted(sides, key=lambda side: -side.count)
            raise ValueError(
                f"{longer.name} has {longer.count:,} lines and {shorter.name} {shorter.count:,}: line "
                f"{shorter.count + 1:,} of {longer.name} has no partner. Line n of one file must translate line n of "
                "the other: find the place where they diverge, or fetch both files again."
            )
        self.name = f"{source} + {target}"
        self.fingerprint = fingerprint(*(side.digest for side in sides))
        self.groups = sides[0].groups
        self.rows = sides[0].count

    def read(self, group: int) -> Rows:
        """Return the rows of one group; a line that is not UTF-8 makes its row `NoPair`."""
        first = group * ROWS_PER_GROUP + 1
        lines = [side.read(group) for side in self._sides]
        rows = join_sides(
            *(
                decode_all(its_lines, lambda number, name=side.name: f"{name}, line {first + number}")  # type: ignore[misc]
                for side, its_lines in zip(self._sides, lines, strict=True)
            )
        )
        return Rows(
            rows,
            lambda position: f"{self.name}, line {first + position}",
            {position: tuple(legible(its_lines[position]) for its_lines in lines) for position in places(rows)},
        )
