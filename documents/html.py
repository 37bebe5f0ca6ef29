"""HTML: the text of each block is translated; tags, attributes, scripts and code stay byte for byte.

Standard: HTML Living Standard (WHATWG); which elements are inline follows its phrasing content (section 3.2.5.2.5).
"""

import re
from bisect import bisect_right
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
_CELLS = frozenset({"td", "th", "tr", "tbody", "tfoot", "thead"})
CLOSED_BY = {
    "li": frozenset({"li"}),
    "dt": frozenset({"dt", "dd"}),
    "dd": frozenset({"dt", "dd"}),
    "p": frozenset({
        "address", "article", "aside", "blockquote", "details", "dialog", "div", "dl", "fieldset", "figcaption",
        "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr", "main", "menu", "nav",
        "ol", "p", "pre", "search", "section", "table", "ul",
    }),
    "rt": frozenset({"rt", "rp"}),
    "rp": frozenset({"rt", "rp"}),
    "option": frozenset({"option", "optgroup", "hr"}),
    "optgroup": frozenset({"optgroup", "hr"}),
    "td": _CELLS,
    "th": _CELLS,
    "tr": frozenset({"tr", "tbody", "tfoot", "thead"}),
    "thead": frozenset({"tbody", "tfoot"}),
    "tbody": frozenset({"tbody", "tfoot"}),
    "tfoot": frozenset(),
}  # fmt: skip
"""Elements whose end may be left out, with the beginnings that end them (section 13.1.2.4)."""
REFERENCE = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]*|#[0-9]+|#[xX][0-9A-Fa-f]+);")
KEPT_REFERENCES = frozenset({"&", "<", ">", '"', "\N{NO-BREAK SPACE}"})
"""Characters that stay references: the others are letters of the text."""


def html_units(text: str) -> list[Unit]:
    """Return the texts of the blocks, in order."""
    reader = _Blocks(text)
    reader.feed(text)
    reader.close()
    reader.end_run(len(text))
    return [unit for start, end in reader.runs for unit in _unit(text, start, end, reader.starts)]


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
        is_silent = tag in NO_TEXT or (dict(attrs).get("translate") or "").lower() == "no"
        self._end_by(tag)
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

    def _end_by(self, tag: str) -> None:
        """Close the elements without text that the beginning of another one ends."""
        for place in reversed(range(len(self.silent))):
            name = self.silent[place]
            if tag in CLOSED_BY.get(name, ()):
                del self.silent[place:]
                return
            if name not in CLOSED_BY and name not in INLINE:
                return

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self.silent and tag not in VOID:
            self.silent.pop()

    def handle_endtag(self, tag: str) -> None:
        if self.silent:
            if tag in self.silent:
                del self.silent[len(self.silent) - 1 - self.silent[::-1].index(tag) :]
            elif tag not in INLINE and all(each in CLOSED_BY or each in INLINE for each in self.silent):
                self.silent = []  # the element around them ends
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


def _unit(text: str, start: int, end: int, starts: list[int]) -> list[Unit]:
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

    return [Unit(source, bisect_right(starts, start), start, end, written, None, markup)]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Leave out white space, tags of empty elements and pairs of tags around the whole text."""
    parts = list(MARKUP.finditer(text, start, end))
    begin, stop = 0, len(parts)
    while True:
        while start < end and text[start].isspace():
            start += 1
        while start < end and text[end - 1].isspace():
            end -= 1
        if begin == stop or start >= end:
            return start, end
        first, last = parts[begin], parts[stop - 1]
        if first.start() == start and _is_alone(first.group()):
            start, begin = first.end(), begin + 1
        elif last.end() == end and _is_alone(last.group()):
            end, stop = last.start(), stop - 1
        elif first.start() == start and last.end() == end and stop - begin > 1 and _is_pair(parts[begin:stop]):
            start, end, begin, stop = first.end(), last.start(), begin + 1, stop - 1
        else:
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
