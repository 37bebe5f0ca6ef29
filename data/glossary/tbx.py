"""Glossaries as TBX (ISO 30042): of 2008, whose root is `martif`, and of 2019, whose root is `tbx`.

An entry is a concept, with terms in several languages. All terms of the source language are translated by those of the
target language: first the preferred ones, then the others in their order. Deprecated and superseded terms of the target
language are left out, since nobody is to write them; where a source has them they are translated.
"""

from collections.abc import Iterator
from pathlib import Path

from vaswani.data.documents.inline import text_of
from vaswani.data.documents.units import Tally
from vaswani.data.documents.xml_elements import XML_LANG, Element, elements
from vaswani.data.language_tags import nearest
from vaswani.data.pairs import CorpusError

_ENTRIES = ("termEntry", "conceptEntry")
_LANGUAGES = ("langSet", "langSec")
_TERMS = ("tig", "ntig", "termSec")
_NAMESPACES = ("urn:iso:std:iso:30042", "http://www.tbxinfo.net/ns/")
_STATUS = "administrativeStatus"


def read_tbx(path: Path, languages: tuple[str, str]) -> Iterator[tuple[str, list[str]]]:
    """Yield source terms, each with its target terms.

    Args:
        path: of the file, plain or compressed.
        languages: of source and target, by their tags.

    Raises:
        CorpusError: it is no XML or damaged; the message names the line and the remedy.

    """
    seen: set[str] = set()
    is_empty = True
    for entry in elements(path, _ENTRIES, _NAMESPACES):
        is_empty = False
        sections = [each for name in _LANGUAGES for each in entry.children(name)]
        tags = [_language(each) for each in sections]
        seen.update(tags)
        sources, targets = (_terms_in(wanted, sections, tags) for wanted in languages)
        found = [term for term, status in targets if not status.startswith(("deprecated", "superseded"))]
        if found:
            for source, _ in sources:
                yield source, found
    if is_empty:
        raise CorpusError(f"{path} has no entry: a TBX file has <termEntry> or <conceptEntry>. Export the terms again.")
    missing = [wanted for wanted in languages if not nearest(wanted, [*seen])]
    if missing:
        raise CorpusError(
            f"{path} has no terms in {' and '.join(missing)}; its languages are {', '.join(sorted(seen))}. Name them "
            "as the file does."
        )


def _language(element: Element) -> str:
    return element.attributes.get(XML_LANG) or element.attributes.get("lang") or ""


def _terms_in(wanted: str, sections: list[Element], tags: list[str]) -> list[tuple[str, str]]:
    """Return the terms of the sections whose language is nearest, each with its status, preferred ones first."""
    found = [
        (term, _status(group))
        for place in nearest(wanted, tags)
        for name in _TERMS
        for group in sections[place].children(name)
        if (term := _term(group))
    ]
    return sorted(found, key=lambda each: not each[1].startswith("preferred"))  # stable


def _group(element: Element) -> Element:
    """Return what holds the term and its notes: the element, or the `termGrp` in an `ntig`."""
    return element.child("termGrp") or element


def _term(element: Element) -> str:
    term = _group(element).child("term")
    return "" if term is None else " ".join(text_of(term, Tally()).split())


def _status(element: Element) -> str:
    """Return the status of a term: "preferredTerm-admn-sts", or "preferredTerm" where tags are named for categories."""
    parts = [part for each in (element, _group(element)) for part in each.parts if not isinstance(part, str)]
    groups = [part for part in parts if part.name.rpartition(" ")[2] == "termNoteGrp"]
    parts += [note for group in groups for note in group.parts if not isinstance(note, str)]
    for part in parts:
        if part.attributes.get("type") == _STATUS or part.name.rpartition(" ")[2] == _STATUS:
            return "".join(each for each in part.parts if isinstance(each, str)).strip()
    return ""
