"""Glossaries as TSV: a source term, a tab, its target term, a line an entry.

Lines that begin with "#" are comments, and blank lines are nothing. The first line may name the languages of the
columns by their tags; then they may stand in any order, among others, and there may be further columns of either
language. Without that the first column is the source, the second the target, and further ones are notes. Whatever
quotation marks there are belong to the terms.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vaswani.data.blank_text import is_blank
from vaswani.data.containers import refuse, unpacked_bytes
from vaswani.data.language_tags import nearest, subtags
from vaswani.data.pairs import CorpusError
from vaswani.data.scripts import scripts_of

_LONGEST = 100_000
"""Bytes of a line: a longer one is no entry of a glossary."""


class _Columns(NamedTuple):
    sources: list[int]
    targets: list[int]


def read_tsv(path: Path, languages: tuple[str, str] | None) -> Iterator[tuple[str, list[str]]]:
    """Yield source terms, each with its target terms.

    Args:
        path: of the file, UTF-8, plain or compressed.
        languages: of source and target, by their tags; None: as the columns stand.

    Raises:
        CorpusError: it is damaged; the message names the line and the remedy.

    """
    columns: _Columns | None = None
    for number, line in _lines(path):
        if is_blank(line) or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        where = f"{path}, line {number}"
        if columns is None:
            columns = _header(cells, languages, where)
            if columns is not None:
                continue
            columns = _Columns([0], [1])
        sources, targets = ([cells[place] for place in side if place < len(cells)] for side in columns)
        sources, targets = ([cell for cell in side if not is_blank(cell)] for side in (sources, targets))
        if not sources or not targets:
            what = "no target term" if sources else "no source term"
            raise CorpusError(
                f"{where}: it has {what}. Write the source term, a tab and the target term, or begin the line with # "
                "if it is a comment."
            )
        for source in sources:
            yield source, targets


def _header(cells: list[str], languages: tuple[str, str] | None, where: str) -> _Columns | None:
    """Return the columns of both languages if the first line names them, or None."""
    if len(cells) < 2:
        return None
    if languages is None:
        is_named = all(map(_is_language, cells[:2])) and subtags(cells[0]) != subtags(cells[1])
        return _Columns([0], [1]) if is_named else None
    sides = [nearest(language, cells) for language in languages]
    if all(sides):
        return _Columns(*sides)
    if all(map(_is_language, cells)) and len(set(map(subtags, cells))) == len(cells):
        raise CorpusError(
            f"{where}: the columns are {', '.join(cells)}, and terms from {languages[0]} to {languages[1]} are asked "
            "for. Name the languages as the file does, or give another glossary."
        )
    return None


def _is_language(cell: str) -> bool:
    """Return whether a cell is a tag of a language that is known: "de", "pt-BR"; a term such as "log" is none."""
    if cell != cell.strip() or " " in cell or not cell[:2].islower():
        return False
    try:
        scripts_of(subtags(cell)[0])
    except (ValueError, IndexError):
        return False
    return True


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open("rb") as file:
        head, stream = unpacked_bytes(file, str(path))
        refuse(head, str(path))
        number = 0
        while line := stream.readline(_LONGEST):
            number += 1
            where = f"{path}, line {number}"
            if len(line) == _LONGEST:
                raise CorpusError(f"{where}: it is longer than {_LONGEST:,} bytes, which no entry of a glossary is.")
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise CorpusError(
                    f"{where}, byte {error.start + 1}: it is not UTF-8. Convert the file: iconv -f ISO-8859-1 -t UTF-8"
                ) from error
            yield number, text.rstrip("\r\n")
