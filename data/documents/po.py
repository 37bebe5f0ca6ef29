"""The text of gettext's PO files in their own encoding, and its entries with a corpus's errors."""

import codecs
import re
from collections.abc import Iterator

from vaswani.data.pairs import CorpusError
from vaswani.documents.po_entries import CHARSET, TEMPLATE, Entry
from vaswani.documents.po_entries import entries as entries_of
from vaswani.documents.unit import DocumentError


def decoded(content: bytes, name: str) -> tuple[str, str]:
    """Return the text of a file, and its encoding: what its header says, or UTF-8.

    Bytes that the encoding does not have become halves of surrogate pairs. Raises CorpusError if it is not known.
    """
    found = re.search(CHARSET, content)
    charset = "utf-8" if found is None or found[1].decode() == TEMPLATE else found[1].decode()
    try:
        codecs.lookup(charset)
        text = content.removeprefix(codecs.BOM_UTF8).decode(charset, "surrogateescape")
    except LookupError as error:
        raise CorpusError(
            f"{name} says that its encoding is {charset}, which is not known. Mend its header, or convert it: "
            "msgconv --to-code=UTF-8"
        ) from error
    return text, charset


def entries(text: str, charset: str, name: str) -> Iterator[Entry]:
    """Yield the entries of a file; raises CorpusError with its name where something is none of a PO file."""
    try:
        yield from entries_of(text, charset)
    except DocumentError as error:
        raise CorpusError(f"{name}, {error}. Mend this place, or export or fetch the file again.") from error
