"""Entries of gettext's MO files (manual, section "The Format of GNU MO Files")."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from vaswani.data.pairs import CorpusError

_MAGIC = 0x950412DE
_CONTEXT = b"\x04"


class MoEntry(NamedTuple):
    """An entry, in bytes of the file's encoding; that of the empty id is the header."""

    context: bytes | None
    ids: list[bytes]
    """msgid and, if there is one, msgid_plural."""
    translations: list[bytes]


def mo_entries(content: bytes, name: str) -> Iterator[MoEntry]:
    """Yield the entries of a file, in its order.

    Raises:
        CorpusError: it is no MO file, or is damaged; the message names the entry.

    """
    order = next((each for each in "<>" if content[:4] == struct.pack(f"{each}I", _MAGIC)), None)
    if order is None or len(content) < 20:
        raise _fault(name, "it does not begin as an MO file does")
    revision, number, ids, translations = struct.unpack_from(f"{order}4I", content, 4)
    if revision >> 16 > 1:
        raise _fault(name, f"its format has the revision {revision >> 16}, and 0 and 1 are known")
    for entry in range(number):
        texts = []
        for table in (ids, translations):
            place = table + 8 * entry
            if place + 8 > len(content):
                raise _fault(name, f"entry {entry + 1} of {number:,} is behind its end")
            length, start = struct.unpack_from(f"{order}2I", content, place)
            if start + length >= len(content) or content[start + length]:
                raise _fault(name, f"a text of entry {entry + 1} of {number:,} is behind its end")
            texts.append(content[start : start + length])
        context, mark, text = texts[0].partition(_CONTEXT)
        yield MoEntry(context if mark else None, (text if mark else context).split(b"\0"), texts[1].split(b"\0"))


def _fault(name: str, what: str) -> CorpusError:
    return CorpusError(f"{name}: {what}. Make it again: msgfmt -o FILE.mo FILE.po, or fetch it again.")
