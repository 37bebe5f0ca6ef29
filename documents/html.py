"""HTML: the text of each block is translated; tags, attributes, scripts and code stay byte for byte.

Standard: HTML Living Standard (WHATWG); which elements are inline follows its phrasing content (section 3.2.5.2.5).
"""

import re
from html import unescape
from html.parser import HTMLParser

from .inline import MARKUP, as_read, as_written
from .placeholders import TAG, VOID
from .unit import Unit

INLINE = frozenset({
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "br", "cite", "code", "data", "del", "dfn",
    "em", "font", "i", "img", "input", "ins", "kbd", "label", "mark", "q", "s", "samp", "small",
    "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
})  # fmt: skip
CODE = frozenset({"code", "kbd", "samp", "var", "tt"})
"""Inline elements that are kept whole."""
NO_TEXT = frozenset({"script", "style", "pre", "textarea", "svg", "math", "template"})
REFERENCE = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]*|#[0-9]+|#[xX][0-9A-Fa-f]+);")
KEPT_REFERENCES = frozenset({"&", "<", ">", '"', "\N{NO-BREAK SPACE}"})
"""Characters that stay references: the others are letters of the text."""


def html_units(text: str) -> list[Unit]:
    """Return the texts of the blocks, in order."""
    reader = _Blocks(text)
    reader.feed(text)
    reader.close()
    reader.end_run(len(text))
    return [unit for start, end in reader.runs for unit in _unit(text, start, end)]


class _Blocks(HTMLParser):
    """Finds the runs of text and inline elements between the tags of blocks."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=False)
        self.starts = [0, *(end.end() for end in re.finditer("\n", text))]  # as the parser counts
        self.runs: list[tuple[int, int]] = []
        self.begun: int | None = None
        self.silent: list[str] = []
        """Names of the elements opened within one that has no text to translate, that one first."""

    @property
    def place(self) -> int:
        """Of what is read."""
        line, column = self.getpos()
        return self.starts[line - 1] + column

    def end_run(self, place: int) -> None:
        """Close the run that has begun."""
        if self.begun is not None and place > self.begun:
            self.runs.append((self.begun, place))
        self.begun = None

    def begin_run(self) -> None:
        """Begin a run here, unless one has begun or the text is none."""
        if self.begun is None and not self.silent:
            self.begun = self.place

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        is_silent = tag in NO_TEXT or dict(attrs).get("translate") == "no"
        if self.silent:
            if tag not in VOID:
                self.silent.append(tag)
            return
        if tag in INLINE and not is_silent:
            self.begin_run()
            return
        self.end_run(self.place)
        if is_silent and tag not in VOID:
            self.silent = [tag]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self.silent and tag not in VOID:
            self.silent.pop()

    def handle_endtag(self, tag: str) -> None:
        if self.silent:
            if tag in self.silent:
                del self.silent[len(self.silent) - 1 - self.silent[::-1].index(tag) :]
        elif tag not in INLINE:
            self.end_run(self.place)

    def handle_data(self, *_: str) -> None:
        self.begin_run()

    def handle_entityref(self, *_: str) -> None:
        self.begin_run()

    def handle_charref(self, *_: str) -> None:
        self.begin_run()

    def handle_decl(self, *_: str) -> None:
        self.end_run(self.place)

    def handle_pi(self, *_: str) -> None:
        self.end_run(self.place)


def _unit(text: str, start: int, end: int) -> list[Unit]:
    """Return the unit of a run, without the white space, comments and tags around all of it; none without a text."""
    start, end = _trimmed(text, start, end)
    if start >= end:
        return []
    raw = text[start:end]
    source, markup = as_read(raw, _plain, _end_of)
    if not any(map(str.isalpha, MARKUP.sub("", raw))):
        return []

    def written(translation: str) -> str:
        return raw if translation == source else as_written(translation, markup, REFERENCE.pattern)

    return [Unit(source, text.count("\n", 0, start) + 1, start, end, written, None, markup)]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Leave out white space, tags of empty elements and pairs of tags around the whole text."""
    while True:
        before = (start, end)
        raw = text[start:end]
        start += len(raw) - len(raw.lstrip())
        end -= len(raw) - len(raw.rstrip())
        parts = list(MARKUP.finditer(text, start, end))
        if not parts or start >= end:
            return start, end
        first, last = parts[0], parts[-1]
        if first.start() == start and _is_alone(first.group()):
            start = first.end()
        elif last.end() == end and _is_alone(last.group()):
            end = last.start()
        elif first.start() == start and last.end() == end and len(parts) > 1 and _is_pair(parts):
            start, end = first.end(), last.start()
        if (start, end) == before:
            return start, end


def _is_alone(tag: str) -> bool:
    """Say whether it is a comment, or the tag of an element without content."""
    found = TAG.fullmatch(tag)
    return found is None or found.group(2).lower() in VOID or found.group(3) == "/"


def _is_pair(parts: list[re.Match[str]]) -> bool:
    """Say whether the last tag ends the element that the first one begins."""
    depth = 0
    for place, part in enumerate(parts):
        found = TAG.fullmatch(part.group())
        if found is None or _is_alone(part.group()):
            continue
        depth += -1 if found.group(1) else 1
        if depth <= 0:
            return place == len(parts) - 1 and depth == 0
    return False


def _end_of(raw: str, found: re.Match[str]) -> int:
    """Return where the markup ends that a tag begins: code is kept whole."""
    tag = TAG.fullmatch(found.group())
    if tag is None or tag.group(1) or tag.group(2).lower() not in CODE:
        return found.end()
    close = re.compile(rf"</{tag.group(2)}\s*>", re.IGNORECASE).search(raw, found.end())
    return len(raw) if close is None else close.end()


def _plain(raw: str) -> str:
    """Return white space as one space, and letters in place of their references."""
    return re.sub(r"[ \t\r\n\f]+", " ", REFERENCE.sub(_letter, raw))


def _letter(found: re.Match[str]) -> str:
    letter = unescape(found.group())
    return found.group() if letter in KEPT_REFERENCES or letter == found.group() else letter
