"""Recognise files by their first bytes: compressed text is unpacked, and other data is named with the way out.

The bytes decide, not the name. Only if a name promises a compression that the bytes do not have, the file counts as
damaged.
"""

import bz2
import codecs
import gzip
import io
import lzma
import re
import shlex
import unicodedata
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from .pairs import CorpusError

HEAD = 4096
"""Bytes that are inspected; shorter files are recognised too if fewer bytes suffice."""

STDIN = "stdin"
"""The name of the standard input in messages."""

_PIECE = 1 << 20
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # bytes that no text in an 8-bit encoding holds


class Packing(NamedTuple):
    """A compression."""

    name: str
    begins: tuple[bytes, ...]
    open: Callable[[Any], Any]
    test: str
    """The command that tests whether a file is complete."""
    pack: Callable[[bytes], bytes]
    """Compresses to a piece that stands alone; pieces behind one another are a file too."""


class Kind(NamedTuple):
    """The contents of a file that is not text: a name, and a command in which `{}` is the file."""

    name: str
    command: str


class DamagedError(CorpusError):
    """A compressed file that cannot be unpacked to its end."""


def _by_arrow(codec: str) -> Callable[[Any], Any]:
    def unpacking(stream: Any) -> Any:
        import pyarrow as pa

        return pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), codec)

    return unpacking


def _to_arrow(codec: str) -> Callable[[bytes], bytes]:
    def packing(content: bytes) -> bytes:
        import pyarrow as pa

        piece = pa.BufferOutputStream()
        with pa.CompressedOutputStream(piece, codec) as file:
            file.write(content)
        packed: bytes = piece.getvalue().to_pybytes()
        return packed

    return packing


def _to_gzip(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)  # or the same content would be other bytes each time


PACKINGS = {
    ".gz": Packing("gzip", (b"\x1f\x8b",), lambda stream: gzip.GzipFile(fileobj=stream), "gzip -t", _to_gzip),
    ".bz2": Packing("bzip2", (b"BZh",), bz2.BZ2File, "bzip2 -t", bz2.compress),
    ".xz": Packing("xz", (b"\xfd7zXZ\0",), lzma.LZMAFile, "xz -t", lzma.compress),
    ".zst": Packing("zstd", (b"\x28\xb5\x2f\xfd",), _by_arrow("zstd"), "zstd -t", _to_arrow("zstd")),
    ".lz4": Packing("lz4", (b"\x04\x22\x4d\x18",), _by_arrow("lz4"), "lz4 -t", _to_arrow("lz4")),
}
"""By the ending of a file's name."""

_BZIP2 = re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)")

_KINDS: tuple[tuple[bytes, Kind], ...] = (
    (b"PK\x03\x04", Kind("a Zip archive", "unzip -p {} > NEW")),
    (b"PK\x05\x06", Kind("an empty Zip archive", "fetch it again")),
    (b"PK\x07\x08", Kind("a part of a Zip archive", "unzip -p {} > NEW")),
    (b"7z\xbc\xaf\x27\x1c", Kind("a 7z archive", "7z e {}")),
    (b"Rar!\x1a\x07", Kind("a RAR archive", "unrar e {}")),
    (b"\x1f\x9d", Kind("data packed by compress", "gzip -dc {} > NEW")),
    (b"\x1f\xa0", Kind("data packed by compress", "gzip -dc {} > NEW")),
    (b"LZIP", Kind("data packed by lzip", "lzip -dc {} > NEW")),
    (b"\x89LZO\0", Kind("data packed by lzop", "lzop -dc {} > NEW")),
    (b"\x5d\0\0", Kind("data packed by lzma", "xz --format=lzma -dc {} > NEW")),
    (b"\xff\x06\0\0sNaPpY", Kind("data packed by snappy", "snzip -dc {} > NEW")),
    (b"!<arch>\n", Kind("an ar archive", "ar p {} > NEW")),
    (b"PAR1", Kind("a parquet file", "name it .parquet and give its folder as --data_dir or --dataset")),
    (b"ARROW1\0\0", Kind("an Arrow file", "name it .arrow and give its folder as --data_dir")),
    (b"ORC", Kind("an ORC file", "write its columns as parquet or text by pyarrow")),
    (b"Obj\x01", Kind("an Avro file", "write its columns as text by fastavro")),
    (b"%PDF-", Kind("a PDF document", "pdftotext {} NEW")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind("an Office document", "save it as plain text in UTF-8")),
    (b"{\\rtf1", Kind("an RTF document", "save it as plain text in UTF-8")),
    (b"SQLite format 3\0", Kind("an SQLite database", 'sqlite3 -tabs {} "SELECT ..." > NEW')),
    (b"\x93NUMPY", Kind("a NumPy array", "write its rows as text by Python")),
    (b"\x89HDF\r\n\x1a\n", Kind("an HDF5 file", "write its rows as text by h5py")),
    (b"\x89PNG\r\n", Kind("a picture", "give text")),
    (b"\xff\xd8\xff", Kind("a picture", "give text")),
    (b"GIF8", Kind("a picture", "give text")),
    (b"RIFF", Kind("sound or pictures", "give text")),
    (b"\x7fELF", Kind("a program", "give text")),
    (b"GGUF", Kind("a model", "give text")),
    (b"version https://git-lfs.github.com/spec/", Kind("a Git LFS pointer and not the file itself", "git lfs pull")),
)
_ZIPPED = (
    (b"[Content_Types].xml", Kind("an Office document", "save it as plain text in UTF-8")),
    (b"mimetypeapplication/vnd.oasis", Kind("an Office document", "save it as plain text in UTF-8")),
    (b"/data.pkl", Kind("weights of PyTorch", "give text")),
    (b".npy", Kind("NumPy arrays", "write their rows as text by Python")),
)
"""Kinds of Zip archives, by names in them."""
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def recognise(head: bytes) -> Kind | None:
    """Return what a file holds by its first bytes, if it is not text in an 8-bit encoding, or None.

    Compressed data that can be unpacked counts too: see `packing_of`.
    """
    if packing := packing_of(head):
        return Kind(f"{packing.name} data", f"{packing.test.split()[0]} -dc {{}} > NEW")
    for begins, kind in _KINDS:
        # These four letters may also begin a text, which has no control characters.
        if head.startswith(begins) and (len(begins) > 4 or _CONTROL.search(head)):
            zipped = (each for name, each in _ZIPPED if begins == _KINDS[0][0] and name in head)
            return next(zipped, kind)
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return Kind("a Python pickle", "write its rows as text by the program that wrote it")
    if len(head) >= 16 and not head.strip(b"\0"):
        return Kind("only zero bytes, as from an interrupted copy", "fetch it again")
    if _is_tar(head):
        return Kind("a tar archive", "tar -xf {}")
    if head[3:10] == b'\0\0\0\0\0{"':
        return Kind("a safetensors file", "give text")
    if encoding := wide_encoding(head):
        return Kind(f"text in {encoding.upper()}", f"iconv -f {encoding} -t utf-8 {{}} > NEW")
    return None


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


def packing_of(head: bytes) -> Packing | None:
    """Return the compression of data that begins so, or None."""
    for packing in PACKINGS.values():
        if head.startswith(packing.begins) and (packing.name != "bzip2" or _BZIP2.match(head)):
            return packing
    return None


def wide_encoding(head: bytes) -> str | None:
    """Return the name of UTF-16 or UTF-32 if a text that begins so is in it, by its mark or the places of its zeros."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return encoding
    if b"\0" not in head:  # not even a 16-bit space or line end
        return None
    for encoding, width in (("utf-32-le", 4), ("utf-32-be", 4), ("utf-16-le", 2), ("utf-16-be", 2)):
        whole = head[: len(head) // width * width]
        try:
            text = codecs.getincrementaldecoder(encoding)("strict").decode(whole)
        except UnicodeDecodeError:
            continue
        if len(text) > 1 and _is_prose(text) and (width == 4 or _leans(whole, int(encoding == "utf-16-le"))):
            return encoding
    return None


def _leans(content: bytes, high: int) -> bool:
    """Return whether pairs of bytes look like 16-bit letters, where byte `high` of each (0 or 1) is the high one.

    Spaces and line ends have zeros there and nearly nowhere else. And either nearly all high bytes belong to scripts
    and punctuation below U+2100, which are not ASCII letters; or, as of the scripts of East Asia, the bytes are far
    from UTF-8, which text that is damaged here and there is not.
    """
    of_high, of_low = content[high::2], content[1 - high :: 2]
    zeros = of_high.count(0)
    if zeros < 0.01 * len(of_high) or of_low.count(0) > 0.1 * zeros:
        return False
    of_small_scripts = sum(byte <= 0x20 for byte in of_high)
    return of_small_scripts >= 0.9 * len(of_high) or _faults_of_utf8(content) >= 0.15 * len(content)


def _is_prose(text: str) -> bool:
    """Return whether all characters are assigned and none is a control character other than tab and line end."""
    return all(each in "\t\n\r\f" or unicodedata.category(each) not in ("Cc", "Cn", "Co", "Cs") for each in text)


def _faults_of_utf8(content: bytes) -> int:
    """Return the number of places that are not UTF-8; a last character that is cut off is none."""
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(content)
    return text.count("\N{REPLACEMENT CHARACTER}")


def refuse(head: bytes, name: str) -> None:
    """Raise CorpusError, with the way out, if a file that begins so does not hold text."""
    if kind := recognise(head):
        way_out = kind.command.format("FILE" if name == STDIN else shlex.quote(name))
        raise CorpusError(f"{name} holds {kind.name}, which is not read as it is. The way out: {way_out}")


def refuse_packed(path: Path) -> None:
    """Raise CorpusError if a file is compressed or a tar archive, for readers of other data than text."""
    with path.open("rb") as file:
        head = read_head(file)
    if packing_of(head) or _is_tar(head):
        refuse(head, str(path))


def refuse_no_text(path: Path) -> None:
    """Raise CorpusError if a file, which should be JSON or the like, exists and does not hold text in UTF-8."""
    if path.is_file():
        with path.open("rb") as file:
            refuse(read_head(file), str(path))


def is_packed(head: bytes, name: str) -> bool:
    """Return whether a file is compressed, by its bytes or by its name."""
    return packing_of(head) is not None or Path(name).suffix in PACKINGS


def without_packing(path: Path) -> Path:
    """Return a file's name without the endings of compressions."""
    while path.suffix in PACKINGS:
        path = path.with_suffix("")
    return path


def packer_of(path: Path) -> Callable[[bytes], bytes]:
    """Return what packs bytes as the name of a file says; it returns them as they are where it says nothing."""
    return PACKINGS[path.suffix].pack if path.suffix in PACKINGS else bytes


def unpacked(stream: Any, name: str) -> io.BufferedReader:
    """Return a stream of the text of a file, unpacked if it is compressed, even several times.

    Args:
        stream: bytes from the beginning of the file, which may be a pipe.
        name: its name in messages; the ending shows what it should be.

    Raises:
        CorpusError: it does not hold text. Reads of the stream raise DamagedError if a compressed file is damaged.

    """
    head, content = unpacked_bytes(stream, name)
    refuse(head, name)
    return content


def unpacked_bytes(stream: Any, name: str) -> tuple[bytes, io.BufferedReader]:
    """Return the first bytes of a file, unpacked as in `unpacked` but whatever they are, and a stream of all of it."""
    ending = Path(name).suffix
    while True:
        head = read_head(stream)
        packing = packing_of(head) or (PACKINGS.get(ending) if head else None)
        ending = ""
        if packing is None:
            return head, io.BufferedReader(_Joined(head, stream), _PIECE)
        stream = io.BufferedReader(_Unpacking(io.BufferedReader(_Joined(head, stream), _PIECE), packing, name), _PIECE)


def read_head(stream: Any) -> bytes:
    """Read the first bytes of a stream; fewer than asked for mean that the stream has no more."""
    head: bytes = stream.read(HEAD)
    return head


class _Joined(io.RawIOBase):
    """Bytes that have been read already, followed by the rest of their stream."""

    def __init__(self, head: bytes, rest: Any) -> None:
        super().__init__()
        self._head = head
        self._is_all = len(head) < HEAD
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._head[: len(buffer)]
        self._head = self._head[len(buffer) :]
        if not content and not self._is_all:  # or a terminal would need a second end of file
            content = self._rest.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


class _Unpacking(io.RawIOBase):
    """The content of a compressed stream; errors about damage are written for users."""

    def __init__(self, stream: Any, packing: Packing, name: str) -> None:
        super().__init__()
        self._packing = packing
        self._name = name
        self._content = packing.open(stream)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            content = self._content.read1(len(buffer))  # the content up to the damage
        except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
            bare = type(error) is OSError and error.errno is None  # pyarrow and bz2 report damage in this way
            if isinstance(error, OSError) and not (bare or isinstance(error, gzip.BadGzipFile)):
                raise  # an error of the transport, not of the bytes
            raise DamagedError(
                f"{self._name} is not a complete {_ending(self._packing)} file ({error}). Fetch or compress it again; "
                f"{self._packing.test} tests it."
            ) from error
        buffer[: len(content)] = content
        return len(content)


def _ending(packing: Packing) -> str:
    return next(ending for ending, each in PACKINGS.items() if each is packing)
