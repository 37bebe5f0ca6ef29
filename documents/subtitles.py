"""Subtitles: SRT, and WebVTT's cues. Numbers, times and settings stay byte for byte.

The lines of a cue are one sentence or more and are translated as one; the translation is cut into as many lines again.
A cue whose lines begin with dashes has a speaker in each, and they are translated one by one.
"""

import re
import textwrap
from itertools import pairwise

from .unit import DocumentError, Unit, line_starts

TIME = re.compile(r"\s*(?:\d+:)?\d{1,2}:\d{2}[,.]\d{1,3}\s*-->\s*(?:\d+:)?\d{1,2}:\d{2}[,.]\d{1,3}")
SPEAKER = re.compile(r"\s*(?:<[^>]*>)?\s*[-\u2013\u2014]")


def subtitle_units(text: str) -> list[Unit]:
    """Return the cues that have a text.

    Raises:
        DocumentError: there is no cue.

    """
    starts = [*line_starts(text), len(text)]
    lines = [text[start:end] for start, end in pairwise(starts)]
    units, number, cues = [], 0, 0
    while number < len(lines):
        number += 1
        if not TIME.match(lines[number - 1]):
            continue
        cues += 1
        first = number
        while number < len(lines) and lines[number].strip() and not TIME.match(lines[number]):
            number += 1
        if number > first:
            end = starts[number - 1] + len(lines[number - 1].rstrip("\r\n"))
            units.append(_unit(text[starts[first] : end], first + 1, starts[first], end))
    if not cues and text.strip():
        raise DocumentError(1, "no cue with times as in 00:00:01,000 --> 00:00:02,500")
    return units


def _unit(raw: str, line: int, start: int, end: int) -> Unit:
    lines = raw.splitlines()
    line_end = "\r\n" if "\r\n" in raw else "\n"
    is_dialogue = all(map(SPEAKER.match, lines))
    source = "\n".join(lines) if is_dialogue else " ".join(each.strip() for each in lines)

    def written(translation: str) -> str:
        if translation == source:
            return raw
        found = translation.split("\n") if is_dialogue else balanced(translation, len(lines))
        return line_end.join(found)

    return Unit(source, line, start, end, written)


def balanced(text: str, count: int) -> list[str]:
    """Cut a text at spaces into at most `count` lines, the longest as short as it can be."""
    if count == 1:
        return [text]
    width = max(1, len(text) // count)
    text = re.sub(r"<[^<>]*>", lambda tag: tag.group().replace(" ", "\0"), text)  # no line ends within a tag
    while True:
        found = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
        if len(found) <= count:
            return [line.replace("\0", " ") for line in found]
        width += 1
