"""The encoding of a document, as its format declares it: UTF-8 unless it says otherwise."""

import codecs
import re
from typing import NamedTuple

from .po_entries import CHARSET, TEMPLATE
from .unit import DocumentError

DECLARATIONS = {
    "xliff": rb"<\?xml[^>]*encoding\s*=\s*[\"']([\w.-]+)",
    "tmx": rb"<\?xml[^>]*encoding\s*=\s*[\"']([\w.-]+)",
    "html": rb"(?:\A\s*<\?xml[^>]*encoding|<meta(?![^>]*\sname\s*=)[^>]*charset)\s*=\s*[\"']?([\w.:-]+)",
    "po": CHARSET,
}
WITH_REFERENCES = ("xliff", "tmx", "html")
OF_WEB = {
    label: encoding
    for encoding, labels in {
        "cp1252": "iso-8859-1 iso8859-1 iso88591 iso_8859-1 latin1 l1 ascii us-ascii windows-1252 cp1252 x-cp1252",
        "cp1254": "iso-8859-9 iso8859-9 latin5 l5 windows-1254",
        "cp874": "iso-8859-11 tis-620 dos-874 windows-874",
        "gb18030": "gb2312 gbk x-gbk gb_2312-80 chinese",
        "cp932": "shift_jis shift-jis sjis x-sjis ms_kanji windows-31j",
        "cp949": "euc-kr ks_c_5601-1987 ksc5601 korean",
        "big5hkscs": "big5 x-x-big5",
        "utf-8": "utf-16 utf-16le utf-16be",
    }.items()
    for label in labels.split()
}
"""What labels mean in HTML, where that is not what they say (Encoding Standard, section 4.2; HTML, 13.2.3.2)."""
HEAD = 100_000
"""Bytes in which it is searched; a PO file's header follows the comments."""
MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


class Decoded(NamedTuple):
    """A document as text, and the way back to bytes."""

    text: str
    encoding: str
    mark: bytes
    """Its byte order mark, if it has one."""
    has_references: bool
    """Whether the format has references to characters, such as &#268;."""

    def holds(self, translation: str) -> bool:
        """Say whether all characters of a translation can be written."""
        try:
            translation.encode(self.encoding)
        except UnicodeEncodeError:
            return self.has_references
        return True

    def encoded(self, text: str) -> bytes:
        """Return the bytes of a changed text; a character that the encoding lacks is a reference where these exist."""
        return self.mark + text.encode(self.encoding, "xmlcharrefreplace" if self.has_references else "strict")


def decoded(data: bytes, name: str) -> Decoded:
    """Return the text of a document of the named format.

    Raises:
        DocumentError: its bytes are not in its encoding, or Python does not know that.

    """
    mark = next((mark for mark in MARKS if data.startswith(mark)), b"")
    declared = re.search(DECLARATIONS[name], data[:HEAD], re.IGNORECASE) if name in DECLARATIONS else None
    encoding = MARKS.get(mark) or (declared.group(1).decode() if declared else "utf-8")
    if encoding.upper() == TEMPLATE:
        encoding = "utf-8"
    if name == "html" and not mark:
        encoding = OF_WEB.get(encoding.lower(), encoding)
    try:
        return Decoded(data[len(mark) :].decode(encoding), encoding, mark, name in WITH_REFERENCES)
    except LookupError:
        raise DocumentError(1, f"its encoding is {encoding}, which is unknown here; convert it to UTF-8") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DocumentError(
            line, f"byte {error.start + 1} of the file is not {encoding}; convert it to UTF-8"
        ) from None
