"""References of `vaswani score`: files of lines, WMT's XML and SGM, and the test sets that sacreBLEU knows."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from vaswani.data.containers import without_packing
from vaswani.data.directions import languages_of
from vaswani.data.documents.wmt import Version, read_sgm, read_test_set
from vaswani.data.file_names import printable
from vaswani.data.language_tags import distance
from vaswani.evaluation.test_sets import files_of

from .line_files import read_lines


class References(NamedTuple):
    """What translations are scored against."""

    first: list[str]
    """One for each line."""
    more: list[list[str | None]]
    """Further ones; None where there is none for a line."""
    language: str | None
    """As the files say it; None if they do not."""
    names: list[str]
    """Of the references, for people."""


class _Side(NamedTuple):
    """One reference of all lines."""

    name: str
    lines: list[str | None]
    language: str | None = None


def read_references(paths: Sequence[Path], language: str | None) -> References:
    """Read the references of files; a file of WMT has one for each translator.

    Args:
        paths: of files of lines, of WMT's XML (.xml) or of its SGM (.sgm).
        language: of the references that are wanted; None if a file has one language only.

    Raises:
        ValueError: they differ in length, a line has none, or a file has none in the language or several languages.
        OSError: a file cannot be read.

    """
    sides: list[_Side] = []
    for path in paths:
        ending = _ending(path)
        if ending == ".xml":
            sides += _of_xml(path, language)
        elif ending == ".sgm":
            sides += _of_versions(path, read_sgm(path), None)
        else:
            sides.append(_Side(printable(path), list(read_lines(path))))
    return _joined(sides, language)


def read_test_set_of_sacrebleu(name: str, direction: str) -> tuple[References, list[str]]:
    """Return the references of a test set that sacreBLEU knows, and its sources.

    Raises:
        ValueError: there is no such test set or direction, or it is not here and cannot be fetched.

    """
    sources, references = files_of(name, direction)
    sides = [_Side(path.name, list(read_lines(path))) for path in references]
    target = languages_of(direction)[1]
    return _joined(sides, target)._replace(language=target), read_lines(sources)


def read_sources(path: Path) -> list[str]:
    """Return the sources in a file of lines, or those of WMT's XML or SGM that are scored."""
    ending = _ending(path)
    if ending == ".xml":
        test_set = read_test_set(path)
        return [segment.text for segment in _translated(test_set.sources, test_set.references).segments.values()]
    if ending == ".sgm":
        return [segment.text for segment in next(iter(read_sgm(path).values())).segments.values()]
    return read_lines(path)


def has_lines(path: Path) -> bool:
    """Return whether a file is read as lines, by its name: it is neither WMT's XML nor its SGM."""
    return _ending(path) not in {".xml", ".sgm"}


def _ending(path: Path) -> str:
    return without_packing(path).suffix.lower()


def _of_xml(path: Path, language: str | None) -> list[_Side]:
    test_set = read_test_set(path)
    languages = {each.language for each in test_set.references.values()}
    wanted = {
        name: each
        for name, each in test_set.references.items()
        if language is None or not each.language or distance(language, each.language) is not None
    }
    if not wanted or (language is None and len(languages) > 1):
        found = ", ".join(f"{name or 'no name'} ({each.language})" for name, each in test_set.references.items())
        raise ValueError(f"{path} has the references {found or 'of nobody'}; name one of their languages by --language")
    return _of_versions(path, wanted, _translated(test_set.sources, wanted))


def _translated(sources: Version, references: dict[str, Version]) -> Version:
    """Return the sources that somebody has translated; sacreBLEU leaves out the others too."""
    kept = {
        key: segment
        for key, segment in sources.segments.items()
        if any(key in version.segments and version.segments[key].text for version in references.values())
    }
    return sources._replace(segments=kept)


def _of_versions(path: Path, versions: dict[str, Version], order: Version | None) -> list[_Side]:
    """Return a reference for each translator, in the order of the sources or of the first translator."""
    order = order or next(iter(versions.values()))
    found = []
    for name, version in versions.items():
        lines = [None if each is None else each.text for each in map(version.segments.get, order.segments)]
        # A translator who left a segment out has no line there, and no empty one that would count as a reference.
        named = f"{printable(path)} ({name})" if name else printable(path)
        found.append(_Side(named, [line or None for line in lines], version.language or None))
    return found


def _joined(sides: list[_Side], language: str | None) -> References:
    if len({len(side.lines) for side in sides}) > 1:
        sizes = ", ".join(f"{side.name} {len(side.lines):,}" for side in sides)
        raise ValueError(f"references must have as many lines as each other: {sizes}")
    first: list[str] = []
    more: list[list[str | None]] = [[] for _ in sides[1:]]
    for number, lines in enumerate(zip(*(side.lines for side in sides), strict=True), 1):
        given = [line for line in lines if line is not None]
        if not given:
            raise ValueError(
                f"line {number:,} has no reference in {', '.join(side.name for side in sides)}; leave it out"
            )
        first.append(given[0])
        for place, further in enumerate(more, 1):
            further.append(given[place] if place < len(given) else None)
    its = next((side.language for side in sides if side.language), None)
    return References(first, more, language or its, [side.name for side in sides])


def remarks_on(references: References) -> Iterable[str]:
    """Yield what is to be said of several references."""
    if references.more:
        fewer = sum(1 for line in zip(*references.more, strict=True) if None in line)
        yield f"{1 + len(references.more)} references: {', '.join(references.names)}" + (
            f"; {fewer:,} lines have fewer" if fewer else ""
        )
