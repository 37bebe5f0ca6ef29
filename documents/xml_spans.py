"""An XML document as elements with their places in its text, so that all but the translations stays as it is.

Standard: XML 1.0. expat reads it and says where each tag begins; what is between is cut by the grammar of tags.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from .inline import MARKUP, TAG, as_read
from .unit import DocumentError

REFERENCE = re.compile(r"&(?:(amp|lt|gt|quot|apos)|#([0-9]+)|#x([0-9A-Fa-f]+));")
NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


@dataclass
class Element:
    """An element and its places: `text[start:end]` with its tags, `text[inner:inner_end]` between them."""

    name: str
    """Without the prefix of its namespace."""
    prefix: str
    """Of its namespace, with the colon; empty if there is none."""
    attributes: dict[str, str]
    line: int
    start: int
    inner: int
    inner_end: int = 0
    end: int = 0
    children: list["Element"] = field(default_factory=list)

    @property
    def is_empty_tag(self) -> bool:
        """Whether it is one tag, as in `<target/>`."""
        return self.inner == self.end

    def child(self, name: str) -> "Element | None":
        """Return the first child of this name."""
        return next((each for each in self.children if each.name == name), None)

    def walk(self) -> Iterator["Element"]:
        """Yield the element and all within it, in order."""
        yield self
        for each in self.children:
            yield from each.walk()


def root_of(text: str) -> Element:
    """Return the root element.

    Raises:
        DocumentError: the text is no well-formed XML, or declares entities, which could stand for anything.

    """
    data = text.encode()
    places = _Characters(data, text)
    parser = expat.ParserCreate("UTF-8")
    parser.buffer_text = True
    opened: list[Element] = []
    roots: list[Element] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        place = places.of(parser.CurrentByteIndex)
        tag = TAG.match(text, place)
        assert tag is not None
        prefix, colon, local = name.rpartition(":")
        element = Element(local, prefix + colon, attributes, parser.CurrentLineNumber, place, tag.end())
        (opened[-1].children if opened else roots).append(element)
        opened.append(element)

    def end(_: str) -> None:
        element = opened.pop()
        if text[element.inner - 2] == "/":
            element.inner_end = element.end = element.inner
            return
        element.inner_end = places.of(parser.CurrentByteIndex)
        tag = TAG.match(text, element.inner_end)
        assert tag is not None
        element.end = tag.end()

    def entity(*_: object) -> None:
        raise DocumentError(
            parser.CurrentLineNumber, "it declares an entity; replace entities of its own by their text"
        )

    parser.StartElementHandler, parser.EndElementHandler, parser.EntityDeclHandler = start, end, entity
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        problem = f"no well-formed XML ({expat.ErrorString(error.code)}); see `xmllint --noout`"
        raise DocumentError(error.lineno, problem) from None
    return roots[0]


def inline(raw: str, is_opaque: Callable[[str, str], object]) -> tuple[str, tuple[str, ...]]:
    """Return the text between two tags and the tags in it, as of `as_read`.

    Args:
        raw: the characters of the file.
        is_opaque: tells by the name of an element and its tag whether its content is no text to translate, so that it
            is kept whole.

    """

    def end_of(raw: str, found: re.Match[str]) -> int:
        name = re.match(r"<(?:[\w.-]+:)?([\w.-]+)", found.group())
        is_whole = name and not found.group().endswith("/>") and is_opaque(name.group(1), found.group())
        return _end_of(raw, found.end(), name.group(1)) if name and is_whole else found.end()

    return as_read(raw, unescaped, end_of, cdata=True)


def unescaped(raw: str) -> str:
    """Replace XML's references to characters."""
    return REFERENCE.sub(_character, raw)


def _character(found: re.Match[str]) -> str:
    name, decimal, hexadecimal = found.groups()
    return NAMED[name] if name else chr(int(decimal) if decimal else int(hexadecimal, 16))


def _end_of(raw: str, start: int, name: str) -> int:
    """Return where the element ends whose content begins at `start`."""
    depth = 1
    for found in MARKUP.finditer(raw, start):
        tag = re.match(r"<(/?)(?:[\w.-]+:)?([\w.-]+)", found.group())
        if tag and tag.group(2) == name and not found.group().endswith("/>"):
            depth += -1 if tag.group(1) else 1
            if not depth:
                return found.end()
    return len(raw)


class _Characters:
    """Turns places in UTF-8 into places in the text; asked in rising order."""

    def __init__(self, data: bytes, text: str) -> None:
        self.data, self.is_ascii = data, len(data) == len(text)
        self.bytes = self.characters = 0

    def of(self, place: int) -> int:
        """Return the number of characters in front of a byte."""
        if self.is_ascii:
            return place
        if place < self.bytes:
            self.bytes = self.characters = 0
        self.characters += len(self.data[self.bytes : place].decode())
        self.bytes = place
        return self.characters
