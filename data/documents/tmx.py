"""Translation memories in TMX 1.4b and older: a unit is a `tu`, with a variant (`tuv`) for each language.

The language of a variant is its xml:lang (1.4) or lang (1.1 to 1.3). Where several variants of a unit are of the
language asked for, the one with that very tag counts, then a narrower one (`en-US` for `en`), then a wider one, and
among equals the first.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from vaswani.data.language_tags import distance

from .inline import text_of
from .units import Asked, Tally, Unit
from .xml_elements import XML_LANG, Element, elements

NAMESPACES = ("http://www.lisa.org/tmx",)

FURTHER = "further variants of a language left out, where a unit has several"

_distance = lru_cache(maxsize=4096)(distance)


def read_tmx(path: Path, asked: Asked, tally: Tally) -> Iterator[Unit]:
    """Yield the units of a memory in both languages; raises CorpusError if it is damaged."""
    for number, unit in enumerate(elements(path, ("tu",), NAMESPACES), 1):
        variants = [(_language(variant), variant) for variant in unit.children("tuv")]
        place = f"line {unit.line}, tu {number}"
        if name := unit.attributes.get("tuid"):
            place += f" ({name})"
        sides = [_of_language(wanted, variants, tally) for wanted in asked]
        source, target = ("" if side is None else _segment(side, tally) for side in sides)
        reason = "other language" if None in sides else None
        yield Unit(source, target, place, reason)


def _language(variant: Element) -> str:
    return variant.attributes.get(XML_LANG) or variant.attributes.get("lang") or ""


def _of_language(wanted: str, variants: list[tuple[str, Element]], tally: Tally) -> Element | None:
    """Return the variant that counts as a language, or None."""
    best, nearest, fitting = None, 3, 0
    for language, variant in variants:
        found = _distance(wanted, language)
        if found is not None:
            fitting += 1
            if found < nearest:
                best, nearest = variant, found
    tally[FURTHER] += max(0, fitting - 1)
    return best


def _segment(variant: Element, tally: Tally) -> str:
    segment = variant.child("seg")
    return "" if segment is None else text_of(segment, tally)
