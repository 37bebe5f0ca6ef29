"""The text of a segment without its inline elements: what they mark is kept, the code that they hold is not.

TMX 1.4b (section "Inline elements") and XLIFF 1.2 (section 2.4) have the same: elements around text (`hi`, `g`, `mrk`),
and elements that hold or stand for code of the document that the text came from (`bpt`, `ph`, `x`). A text inside such
code (`sub`, such as that of a footnote) is none of the sentence's own. Between two words an element that stands for a
break is a space; no other is.
"""

from typing import NamedTuple

from .units import Tally
from .xml_elements import Element

TAGS = "inline tags left out, their text kept"
SUBFLOWS = "texts inside inline tags left out"

_CODE = frozenset(("bpt", "ept", "it", "ph", "ut", "x", "bx", "ex", "sc", "ec", "sm", "em"))
_CHARACTER = "cp"
_BREAKS = frozenset(("lb", "pb", "cb", "x-lb", "x-pb", "xlf:lb", "xlf:pb"))
_KINDS = ("type", "ctype", "subType")


class _Text(NamedTuple):
    parts: list[str]
    tally: Tally


def text_of(segment: Element, tally: Tally) -> str:
    """Return the text of a segment, and count in `tally` what is left out."""
    parts = segment.parts
    if len(parts) == 1 and isinstance(parts[0], str):
        return parts[0]
    found = _Text([], tally)
    _collect(segment, found)
    return "".join(found.parts)


def _collect(element: Element, found: _Text) -> None:
    for part in element.parts:
        if isinstance(part, str):
            found.parts.append(part)
        elif part.name == _CHARACTER:
            found.parts.append(_character(part))
        else:
            found.tally[TAGS] += 1
            if part.name in _CODE:
                _count_subflows(part, found.tally)
                if any(part.attributes.get(kind) in _BREAKS for kind in _KINDS):
                    found.parts.append(" ")
            else:
                _collect(part, found)


def _character(element: Element) -> str:
    """Return the character that XML cannot hold, which XLIFF 2 writes as <cp hex="001F"/>."""
    try:
        character = chr(int(element.attributes.get("hex", ""), 16))
    except (ValueError, OverflowError):
        return "\N{REPLACEMENT CHARACTER}"
    return "\N{REPLACEMENT CHARACTER}" if "\ud800" <= character <= "\udfff" else character


def _count_subflows(element: Element, tally: Tally) -> None:
    for part in element.parts:
        if not isinstance(part, str):
            tally[SUBFLOWS] += part.name == "sub"
            _count_subflows(part, tally)
