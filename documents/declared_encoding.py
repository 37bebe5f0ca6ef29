"""The encoding of a document, as its format declares it: UTF-8 unless it says otherwise."""

import codecs
import re
from typing import NamedTuple

from .unit import DocumentError

DECLARATIONS = {
    "xliff": rb"<\?xml[^>]*encoding\s*=\s*[\"']([\w.-]+)",
    "tmx": rb"<\?xml[^>]*encoding\s*=\s*[\"']([\w.-]+)",
    "html": rb"<meta[^>]*charset\s*=\s*[\"']?([\w.-]+)",
    "po": rb"Content-Type:[^\"]*charset=([\w.-]+)",
}
HEAD = 100_000
"""Bytes in which it is searched; a PO file's header follows the comments."""
MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


class Decoded(NamedTuple):
    """A document as text, and the way back to bytes."""

    text: str
    encoding: str
    mark: bytes
    """Its byte order mark, if it has one."""

    def encoded(self, text: str) -> bytes:
        """Return the bytes of a changed text; raises ValueError if its encoding lacks a character."""
        try:
            return self.mark + text.encode(self.encoding)
        except UnicodeEncodeError as error:
            raise ValueError(
                f"the document is in {self.encoding}, which has no {text[error.start]!r}: convert it to UTF-8 first, "
                "and its declaration too (msgconv --to-code=UTF-8 for PO)"
            ) from None


def decoded(data: bytes, name: str) -> Decoded:
    """Return the text of a document of the named format.

    Raises:
        DocumentError: its bytes are not in its encoding, or Python does not know that.

    """
    mark = next((mark for mark in MARKS if data.startswith(mark)), b"")
    declared = re.search(DECLARATIONS[name], data[:HEAD], re.IGNORECASE) if name in DECLARATIONS else None
    encoding = MARKS.get(mark) or (declared.group(1).decode() if declared else "utf-8")
    if encoding.upper() == "CHARSET":  # of a template
        encoding = "utf-8"
    try:
        return Decoded(data[len(mark) :].decode(encoding), encoding, mark)
    except LookupError:
        raise DocumentError(1, f"its encoding is {encoding}, which is unknown here; convert it to UTF-8") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DocumentError(
            line, f"byte {error.start + 1} of the file is not {encoding}; convert it to UTF-8"
        ) from None
