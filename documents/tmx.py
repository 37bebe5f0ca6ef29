"""TMX 1.4: units of a translation memory that lack the target language get a variant.

Standard: LISA OSCAR TMX 1.4b. Variants that exist stay byte for byte.
"""

from .inline import as_written
from .unit import DocumentError, Unit, indent_of, line_end_of
from .xml_spans import Element, inline, root_of

OPAQUE = frozenset({"ph", "bpt", "ept", "it", "ut"})
"""Inline elements whose content is code of the original format (TMX 1.4b, section 4)."""


def tmx_units(text: str, source: str, target: str) -> list[Unit]:
    """Return the units that have the source language and not the target language.

    Args:
        text: of the file.
        source: language; `en` is met by `en-US` too, `en-US` by itself alone.
        target: likewise.

    Raises:
        DocumentError: it is no TMX, or no unit has the source language.

    """
    root = root_of(text)
    if root.name != "tmx":
        raise DocumentError(root.line, f"<{root.name}> is no <tmx>")
    all_units = [each for each in root.walk() if each.name == "tu"]
    line_end = line_end_of(text)
    found = [unit for each in all_units if (unit := _unit(each, text, source, target, line_end)) is not None]
    if all_units and not any(_variant(each, source) for each in all_units):
        languages = sorted({language(each) for unit in all_units for each in unit.children if each.name == "tuv"})
        raise DocumentError(root.line, f"no unit has a variant in {source}; they have {', '.join(languages)}")
    return found


def language(variant: Element) -> str:
    """Return the language of a `<tuv>`."""
    return variant.attributes.get("xml:lang") or variant.attributes.get("lang", "")


def is_in(found: str, asked: str) -> bool:
    """Say whether a tag of BCP 47 is the language asked for, or that of a region."""
    found, asked = found.lower().replace("_", "-"), asked.lower().replace("_", "-")
    return found == asked or found.startswith(f"{asked}-")


def _variant(unit: Element, asked: str) -> Element | None:
    return next((each for each in unit.children if each.name == "tuv" and is_in(language(each), asked)), None)


def _unit(unit: Element, text: str, source: str, target: str, line_end: str) -> Unit | None:
    variant = _variant(unit, source)
    segment = None if variant is None else variant.child("seg")
    if variant is None or segment is None or _variant(unit, target) is not None:
        return None
    raw = text[segment.inner : segment.inner_end]
    content, markup = inline(raw, lambda name, _: name in OPAQUE)
    if not content.strip():
        return None
    indent = indent_of(text, variant.start)
    head = "" if indent is None else line_end + indent
    last = [each for each in unit.children if each.name == "tuv"][-1]

    def written(translation: str) -> str:
        body = raw if translation == content else as_written(translation, markup)
        return f'{head}<tuv xml:lang="{target}"><seg>{body}</seg></tuv>'

    return Unit(content, segment.line, last.end, last.end, written, None, markup)
