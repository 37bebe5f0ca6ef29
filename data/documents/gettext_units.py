"""The rows of gettext's files: an entry, or each plural form of one.

msgid is the source and msgstr its translation. The form that a language has for one (Plural-Forms, n = 1) translates
msgid, every other form msgid_plural; the only form of a language without plurals translates msgid_plural, which holds
the number as it does. A context (msgctxt) tells equal texts apart and is no part of them.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from vaswani.data.containers import refuse, unpacked_bytes
from vaswani.data.language_tags import is_swapped
from vaswani.data.pairs import CorpusError
from vaswani.documents.po_entries import Entry, form_of_one

from .mo import mo_entries
from .po import decoded, entries
from .units import Asked, Tally, Unit

_FIELD = re.compile(r"^([A-Za-z-]+):[ \t]*(.*?)[ \t]*$", re.MULTILINE)


def read_po(path: Path, asked: Asked, tally: Tally) -> Iterator[Unit]:  # noqa: ARG001
    """Yield the rows of a PO file; raises CorpusError if it is damaged, or of another language."""
    content = _content(path)
    refuse(content[:4096], str(path))
    text, charset = decoded(content, str(path))
    header = _Header("", path, asked)
    for entry in entries(text, charset, str(path)):
        if entry.is_header:
            header = _Header(entry.translations[0].text, path, asked)
            continue
        yield from header.rows(_ids(entry), [each.text for each in entry.translations.values()], _place(entry), entry)


def read_mo(path: Path, asked: Asked, tally: Tally) -> Iterator[Unit]:  # noqa: ARG001
    """Yield the rows of an MO file, which holds only entries that are translated; raises CorpusError as `read_po`."""
    found = list(mo_entries(_content(path), str(path)))
    first = next((entry for entry in found if entry.ids == [b""] and entry.context is None), None)
    text = b"" if first is None else first.translations[0]
    _, charset = decoded(text, str(path))
    header = _Header(text.decode(charset, "surrogateescape"), path, asked)
    for number, entry in enumerate(found, 1):
        if entry is first:
            continue
        place = f"entry {number}"
        if entry.context is not None:
            place += f", msgctxt {entry.context.decode(charset, 'backslashreplace')}"
        ids, translations = ([each.decode(charset, "surrogateescape") for each in side] for side in entry[1:])
        yield from header.rows(ids, translations, place)


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return unpacked_bytes(file, str(path))[1].read()


def _ids(entry: Entry) -> list[str]:
    return [text.text for text in (entry.id, entry.plural) if text is not None]


def _place(entry: Entry) -> str:
    place = f"line {entry.line}"
    return place if entry.context is None else f"{place}, msgctxt {entry.context.text}"


class _Header:
    """What a header says of the rows: which way round they are, and which form is that of one."""

    def __init__(self, text: str, path: Path, asked: Asked) -> None:
        fields = {match[1].lower(): match[2] for match in _FIELD.finditer(text)}
        language, source = fields.get("language") or None, fields.get("x-source-language") or None
        swapped = is_swapped(asked, (source, language))
        if swapped is None:
            raise CorpusError(
                f"{path} says that it translates {source or 'any language'} into {language}, and {asked.source} to "
                f"{asked.target} is asked for. Move it elsewhere, or mend its header (Language, X-Source-Language)."
            )
        self._is_swapped = swapped
        self._singular = form_of_one(text)

    def rows(
        self, ids: Sequence[str], translations: Sequence[str], place: str, entry: Entry | None = None
    ) -> Iterator[Unit]:
        """Yield the rows of an entry with these texts; `entry` tells its state, None that it is translated."""
        for form, text in enumerate(translations):
            is_of_one = len(ids) == 1 or (form == self._singular and len(translations) > 1)
            source = ids[0 if is_of_one else 1]
            where = place if len(ids) == 1 else f"{place}, msgstr[{form}]"
            reason = "undecodable" if _is_undecodable(source + text) else _reason(text, entry)
            yield Unit(text, source, where, reason) if self._is_swapped else Unit(source, text, where, reason)


def _reason(text: str, entry: Entry | None) -> str | None:
    if entry is not None and entry.is_obsolete:
        return "obsolete"
    if not text:
        return "untranslated"
    return "fuzzy" if entry is not None and "fuzzy" in entry.flags else None


def _is_undecodable(text: str) -> bool:
    return any("\ud800" <= each <= "\udfff" for each in text)
