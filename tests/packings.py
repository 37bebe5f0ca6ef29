"""Compressed bytes as the usual tools write them, by the ending of a file's name."""

import bz2
import gzip
import lzma
from collections.abc import Callable

import pyarrow as pa


def by_arrow(codec: str) -> Callable[[bytes], bytes]:
    """Return what compresses by one of pyarrow's codecs."""

    def compress(content: bytes) -> bytes:
        packed = pa.BufferOutputStream()
        with pa.CompressedOutputStream(packed, codec) as stream:
            stream.write(content)
        found: bytes = packed.getvalue().to_pybytes()
        return found

    return compress


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": by_arrow("zstd"),
    ".lz4": by_arrow("lz4"),
}
