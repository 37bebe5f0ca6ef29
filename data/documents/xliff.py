"""XLIFF 1.2 and 2: a row is a `trans-unit`, or a segment of it; in XLIFF 2 a `segment` of a `unit`.

What a file says of a translation counts, and where it says nothing a translation is one: most programs never write
`approved` or `state`, so their defaults (`no`, `initial`) would leave out nearly all that was ever translated. Left out
and counted are units that are not translated, are said not to be approved (approved="no", or, without approved="yes", a
state that asks for work: new, needs-..., initial), or are not to be translated (translate="no").
"""

from collections.abc import Iterator
from pathlib import Path

from vaswani.data.language_tags import is_swapped

from .inline import text_of
from .units import Asked, Tally, Unit
from .xml_elements import Element, elements

NAMESPACES = ("urn:oasis:names:tc:xliff:document:",)

_UNFINISHED = ("new", "needs-", "initial")
"""How states begin in which a translation is not finished; the others are final, translated, signed-off, reviewed."""


def read_xliff(path: Path, asked: Asked, tally: Tally) -> Iterator[Unit]:
    """Yield the rows of a document; raises CorpusError if it is damaged."""
    for unit in elements(path, ("trans-unit", "unit"), NAMESPACES):
        rows = _rows_of_1(unit, tally) if unit.name == "trans-unit" else _rows_of_2(unit, tally)
        swapped = is_swapped(asked, _languages(unit))
        for row in rows:
            if swapped is None:
                yield row._replace(reason="other language")
            elif swapped:
                yield row._replace(source=row.target, target=row.source)
            else:
                yield row


def _languages(unit: Element) -> tuple[str | None, str | None]:
    first, second = ("srcLang", "trgLang") if unit.name == "unit" else ("source-language", "target-language")
    return unit.inherited(first), unit.inherited(second)


def _place(unit: Element, segment: str | None = None) -> str:
    place = f"line {unit.line}, {unit.name} {unit.attributes.get('id', '')}"
    return place if segment is None else f"{place}, segment {segment}"


def _reason(translate: str | None, approved: str | None, state: str | None, target: str) -> str | None:
    """Return why a unit gives no pair, or None."""
    if translate == "no":
        return "not to be translated"
    if not target:
        return "untranslated"
    if approved == "no" or (approved != "yes" and (state or "").startswith(_UNFINISHED)):
        return "not approved"
    return None


def _rows_of_1(unit: Element, tally: Tally) -> Iterator[Unit]:
    """Yield the rows of a trans-unit: by its segments if both sides have the same, or else the whole."""
    source, target = unit.child("source"), unit.child("target")
    state = None if target is None else target.attributes.get("state")
    approved, translate = unit.attributes.get("approved"), unit.inherited("translate")
    segmented = unit.child("seg-source")
    of_source = {} if segmented is None else _segments(segmented)
    of_target = {} if target is None else _segments(target)
    if of_source and of_source.keys() == of_target.keys():
        for name, segment in of_source.items():
            text = text_of(of_target[name], tally)
            yield Unit(text_of(segment, tally), text, _place(unit, name), _reason(translate, approved, state, text))
        return
    text = "" if target is None else text_of(target, tally)
    reason = _reason(translate, approved, state, text)
    yield Unit("" if source is None else text_of(source, tally), text, _place(unit), reason)


def _segments(element: Element) -> dict[str, Element]:
    """Return the segments inside an element (<mrk mtype="seg" mid="...">), by their names."""
    found: dict[str, Element] = {}
    for part in element.parts:
        if isinstance(part, str):
            continue
        if part.name == "mrk" and part.attributes.get("mtype") == "seg":
            found[part.attributes.get("mid", f"number {len(found) + 1}")] = part
        else:
            found |= _segments(part)
    return found


def _rows_of_2(unit: Element, tally: Tally) -> Iterator[Unit]:
    """Yield the rows of the segments of a unit."""
    translate = unit.inherited("translate")
    segments = unit.children("segment")
    for number, segment in enumerate(segments, 1):
        source, target = (
            "" if side is None else text_of(side, tally) for side in map(segment.child, ("source", "target"))
        )
        name = segment.attributes.get("id") or (str(number) if len(segments) > 1 else None)
        yield Unit(
            source, target, _place(unit, name), _reason(translate, None, segment.attributes.get("state"), target)
        )
