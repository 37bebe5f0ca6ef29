"""A glossary from a file: TSV or TBX, by its ending."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path

from vaswani.data.blank_text import is_blank
from vaswani.data.containers import without_packing
from vaswani.data.pairs import CorpusError

from .annotation import MARKS
from .glossary import Glossary, glossary_of
from .tbx import read_tbx
from .tsv import read_tsv

GLOSSARIES = (".tsv", ".txt", ".tbx")
"""Endings of files; that of a compression may follow."""
LONGEST = 500
"""Characters of a term."""


def read_glossary(path: Path, languages: tuple[str, str] | None) -> Glossary:
    """Return the terms of a file.

    Args:
        path: its name ends with one of GLOSSARIES, perhaps with that of a compression behind.
        languages: of source and target, by their tags; TBX needs them, and TSV only to choose among columns.

    Raises:
        CorpusError: it is no glossary, is damaged or has no term; the message names the line and the remedy.
        OSError: it cannot be read.

    """
    ending = without_packing(path).suffix.lower()
    if ending not in GLOSSARIES:
        raise CorpusError(f"{path} is taken for no glossary: give a file that ends with {', '.join(GLOSSARIES)}.")
    entries: Iterator[tuple[str, list[str]]]
    if ending == ".tbx":
        if languages is None:
            raise CorpusError(f"{path} has terms in several languages: name two by --direction, such as en-de.")
        entries = read_tbx(path, languages)
    else:
        entries = read_tsv(path, languages)
    found = glossary_of(str(path), entries)
    if not found.terms:
        raise CorpusError(f"{path} has no pair of terms. Write one a line: the source term, a tab, the target term.")
    for term in found.terms:
        for text in (term.source, *term.targets):
            _check(text, path)
    return found


def _check(text: str, path: Path) -> None:
    """Raise CorpusError unless a text can be a term."""
    fault = None
    if is_blank(text):
        fault = "shows nothing"
    elif len(text) > LONGEST:
        fault = f"has {len(text):,} characters, and a term at most {LONGEST}"
    elif any(unicodedata.category(character) == "Cc" for character in text):
        fault = "has a control character"
    elif any(mark in text for mark in MARKS):
        fault = f"has one of {', '.join(MARKS)}, which stand around terms"
    if fault:
        raise CorpusError(f"{path} has the term {text[:40]!r}, which {fault}. Write it otherwise, or leave it out.")
