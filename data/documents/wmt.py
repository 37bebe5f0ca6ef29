"""Test sets of WMT: XML (since 2021), and SGM (mteval's form, before), with the references of several translators.

A segment is known by its document and its number, not by its place: a file may lack some. SGM is no XML: a bare `&` is
one, and only the five entities that XML defines are read as what they stand for (mteval-v13a reads them so too).
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vaswani.data.containers import unpacked
from vaswani.data.language_tags import is_swapped
from vaswani.data.pairs import CorpusError

from .inline import text_of
from .units import Asked, Tally, Unit
from .xml_elements import Element, elements

FURTHER = "translations of further translators left out"

_TAG = re.compile(r"<(/?)(srcset|refset|tstset|doc|seg)\b([^<>]*)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([A-Za-z]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+))""")
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&"}
_ENTITY = re.compile("|".join(_ENTITIES))


class Segment(NamedTuple):
    """A segment of one version of a document."""

    document: str
    id: str
    version: str
    """The translator or system; empty for a source."""
    language: str
    text: str
    line: int


class Version(NamedTuple):
    """Sources, or the translations of one translator, by document and number of the segment."""

    language: str
    segments: dict[tuple[str, str], Segment]


class WmtSet(NamedTuple):
    """The sources of a test set, and its references and the outputs in it by translator or system."""

    sources: Version
    references: dict[str, Version]
    outputs: dict[str, Version]


def read_test_set(path: Path) -> WmtSet:
    """Read a test set in WMT's XML, without the documents of test suites, which no translator has translated.

    Raises:
        CorpusError: it is damaged or has no sources.

    """
    kinds: dict[str, dict[str, Version]] = {"src": {}, "ref": {}, "hyp": {}}
    for document in elements(path, ("doc",)):
        if "testsuite" in document.attributes:
            continue
        for part in document.parts:
            if not isinstance(part, str) and part.name in kinds:
                for segment in _segments(document, part):
                    _add(kinds[part.name], segment, path)
    if not kinds["src"]:
        raise CorpusError(f"{path} has no <doc> with a <src>, as WMT's XML has. Fetch it again, or give lines of text.")
    return WmtSet(next(iter(kinds["src"].values())), kinds["ref"], kinds["hyp"])


def read_sgm(path: Path) -> dict[str, Version]:
    """Read one SGM file, of sources, references or outputs, by its systems (sysid).

    Raises:
        CorpusError: a segment is not closed, has no number or one that another has, or there is none.

    """
    with path.open("rb") as file, unpacked(file, str(path)) as stream:
        content = stream.read()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CorpusError(f"{path}, line {line}: not UTF-8. Convert it: iconv -f latin1 -t utf-8 OLD > NEW") from error
    found: dict[str, Version] = {}
    for segment in _sgm_segments(text, path):
        _add(found, segment, path)
    if not found:
        raise CorpusError(f"{path} has no <seg>, as SGM has. Fetch it again, or give lines of text.")
    return found


def read_wmt_xml(path: Path, asked: Asked, tally: Tally) -> Iterator[Unit]:
    """Yield the rows of a test set in XML, by the reference of its first translator into the language asked for."""
    test_set = read_test_set(path)
    languages = [(test_set.sources.language or None, each.language or None) for each in test_set.references.values()]
    fitting = [
        (each, swapped)
        for each, its in zip(test_set.references.values(), languages, strict=True)
        if (swapped := is_swapped(asked, its)) is not None
    ]
    if not fitting:
        listed = ", ".join(f"{source} to {target}" for source, target in dict.fromkeys(languages))
        raise CorpusError(
            f"{path} has references of: {listed or 'none'}; {asked.source} to {asked.target} is asked for."
        )
    (reference, swapped), *others = fitting
    tally[FURTHER] += sum(len(each.segments) for each, _ in others)
    yield from _rows(test_set.sources, reference, swapped)


def read_sgm_pair(source: Path, target: Path, asked: Asked, tally: Tally) -> Iterator[Unit]:  # noqa: ARG001
    """Yield the rows of two SGM files, by the first system of each."""
    sources, *_ = read_sgm(source).values()
    reference, *others = read_sgm(target).values()
    tally[FURTHER] += sum(len(each.segments) for each in others)
    if not sources.segments.keys() & reference.segments.keys():
        raise CorpusError(f"{source} and {target} have no segment in common. Give two files of one test set.")
    yield from _rows(sources, reference, False)


def _rows(sources: Version, reference: Version, swapped: bool) -> Iterator[Unit]:
    for key, source in sources.segments.items():
        translation = reference.segments.get(key)
        text = "" if translation is None else translation.text
        place, reason = f"line {source.line}, doc {source.document}, seg {source.id}", None if text else "untranslated"
        yield Unit(text, source.text, place, reason) if swapped else Unit(source.text, text, place, reason)


def _add(versions: dict[str, Version], segment: Segment, path: Path) -> None:
    version = versions.setdefault(segment.version, Version(segment.language, {}))
    if version.language != segment.language:
        raise CorpusError(
            f"{path}, line {segment.line}: {segment.language or 'no language'}, where the same translator has written "
            f"{version.language or 'no language'} before. Give a file for each direction."
        )
    key = segment.document, segment.id
    if key in version.segments:
        raise CorpusError(
            f"{path}, line {segment.line}: doc {segment.document} has a second seg {segment.id}, after that of line "
            f"{version.segments[key].line}. Number them anew, or fetch the file again."
        )
    version.segments[key] = segment


def _segments(document: Element, version: Element) -> Iterator[Segment]:
    name = version.attributes.get("translator") or version.attributes.get("system") or ""
    language = version.attributes.get("lang") or version.attributes.get("language") or ""
    for segment in _inside(version, "seg"):
        text = text_of(segment, Tally()).strip()
        where = document.attributes.get("id", ""), segment.attributes.get("id", "")
        yield Segment(*where, name, language, text, segment.line)


def _inside(element: Element, name: str) -> Iterator[Element]:
    for part in element.parts:
        if not isinstance(part, str):
            if part.name == name:
                yield part
            else:
                yield from _inside(part, name)


def _sgm_segments(text: str, path: Path) -> Iterator[Segment]:
    language, document, version, is_source = "", "", "", False
    open_at: re.Match[str] | None = None
    line, counted, number, begins = 1, 0, "", 0
    for tag in _TAG.finditer(text):
        closes, name = bool(tag[1]), tag[2].lower()
        values = {each[1].lower(): each[2] or each[3] or each[4] or "" for each in _ATTRIBUTE.finditer(tag[3])}
        if open_at is not None and (not closes or name != "seg"):
            raise _sgm_fault(path, line, "its segment is not closed")
        line, counted = line + text.count("\n", counted, tag.start()), tag.start()
        if name.endswith("set") and not closes:
            is_source = name == "srcset"
            language = values.get("srclang" if is_source else "trglang", "")
        elif name == "doc" and not closes:
            document, version = values.get("docid", ""), "" if is_source else values.get("sysid", "")
        elif name == "seg" and not closes:
            open_at, number, begins = tag, values.get("id", ""), line
        elif name == "seg":
            if open_at is None:
                raise _sgm_fault(path, line, "</seg> closes no segment")
            inside = _ENTITY.sub(lambda match: _ENTITIES[match[0]], text[open_at.end() : tag.start()])
            yield Segment(document, number, version, language, inside.strip(), begins)
            open_at = None
    if open_at is not None:
        raise _sgm_fault(path, line, "its segment is not closed")


def _sgm_fault(path: Path, line: int, what: str) -> CorpusError:
    return CorpusError(f"{path}, line {line}: {what}. Mend this place, or fetch the file again.")
