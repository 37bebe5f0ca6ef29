"""Line breaks inside a segment: white space that would spread a pair over two lines of a file."""

import re

_BREAKS = re.compile("[\n\r\v\f\x85\u2028\u2029]+")

LINE_BREAKS = ("space", "drop")
"""The ways to treat a line break inside a pair: replace it by a space, or drop the pair."""


def has_line_break(text: str) -> bool:
    """Return whether a text has a line break of any kind that Unicode knows: LF, CR, VT, FF, NEL, LS or PS."""
    return _BREAKS.search(text) is not None


def in_one_line(text: str) -> str:
    """Return a text with each run of line breaks and surrounding white space replaced by a space, and stripped."""
    if not has_line_break(text):
        return text
    first, *others = _BREAKS.split(text)
    *others, last = others
    parts = [first.rstrip(), *(part.strip() for part in others), last.lstrip()]
    return " ".join(part for part in parts if part)
