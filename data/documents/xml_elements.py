"""Elements of an XML document, one after the other, as expat reads it: never more than one of them is in memory.

No entity is ever expanded but the five of XML itself: a document that declares one, as those that grow to gigabytes do,
is refused, and nothing outside of it is opened, whatever its DOCTYPE names.
"""

import io
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any
from xml.parsers import expat

from vaswani.data.containers import refuse, unpacked_bytes, wide_encoding
from vaswani.data.pairs import CorpusError

XML_LANG = "http://www.w3.org/XML/1998/namespace lang"
"""The name under which `Element` has the attribute xml:lang."""

_PIECE = 1 << 18
_DEEPEST = 100
_LONGEST = 10_000_000


class Element:
    """An element with its place.

    Attributes:
        name: without its namespace if that is one of those asked for; else behind it and a space.
        attributes: their values, by their names, likewise.
        parts: texts and elements inside, in their order; of an element that is only on the way to others, none.
        parent: the element around it, of a wanted one and of those around that; inside of it None, since elements that
            knew of each other both ways would live until the garbage collector comes.
        line: of its start, from 1.

    """

    __slots__ = ("attributes", "line", "name", "parent", "parts")

    def __init__(self, name: str, attributes: dict[str, str], parent: "Element | None", line: int) -> None:
        self.name = name
        self.attributes = attributes
        self.parent = parent
        self.parts: list[str | Element] = []
        self.line = line

    def children(self, name: str) -> "list[Element]":
        """Return the elements of a name directly inside."""
        return [part for part in self.parts if not isinstance(part, str) and part.name == name]

    def child(self, name: str) -> "Element | None":
        """Return the first of them, or None."""
        return next(iter(self.children(name)), None)

    def inherited(self, attribute: str, stop: "Element | None" = None) -> str | None:
        """Return the value of an attribute of this element or of the nearest around it that has one."""
        element: Element | None = self
        while element is not None and element is not stop:
            if attribute in element.attributes:
                return element.attributes[attribute]
            element = element.parent
        return None

    def around(self, name: str) -> "Element | None":
        """Return the nearest element of a name around this one, or None."""
        element = self.parent
        while element is not None and element.name != name:
            element = element.parent
        return element


def elements(path: Path, wanted: Collection[str], namespaces: tuple[str, ...] = ()) -> Iterator[Element]:
    """Yield the outermost elements of some names in a document, each when it is complete.

    Args:
        path: of the document, plain or compressed, in any encoding that expat or Python knows by its name.
        wanted: names without a namespace.
        namespaces: beginnings of the namespaces whose names are wanted, beside no namespace at all.

    Raises:
        CorpusError: it is no XML, is damaged, or declares entities; the message names the line and the remedy.

    """
    with path.open("rb") as file:
        head, stream = unpacked_bytes(file, str(path))
        if wide_encoding(head) is None:
            refuse(head, str(path))
        yield from parsed(stream, str(path), wanted, namespaces)


def parsed(stream: Any, name: str, wanted: Collection[str], namespaces: tuple[str, ...] = ()) -> Iterator[Element]:
    """Yield elements as `elements` does, of a stream of bytes."""
    reader = _Reader(name, wanted, namespaces)
    while piece := stream.read(_PIECE):
        yield from reader.feed(piece)
    yield from reader.feed(b"", is_last=True)


def content_of(content: bytes, name: str, wanted: Collection[str], namespaces: tuple[str, ...] = ()) -> list[Element]:
    """Return the elements of a document in memory."""
    return list(parsed(io.BytesIO(content), name, wanted, namespaces))


class _Reader:
    """Builds elements from what expat calls."""

    def __init__(self, name: str, wanted: Collection[str], namespaces: tuple[str, ...]) -> None:
        self._name = name
        self._wanted = frozenset(wanted)
        self._namespaces = namespaces
        self._names: dict[str, str] = {}
        self._around: Element | None = None  # the innermost that is open, of those around wanted ones
        self._open: list[Element] = []  # a wanted one, and those that are open in it
        self._depth = 0
        self._characters = 0
        self._done: list[Element] = []
        self._parser = parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.buffer_size = 1 << 16
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.EntityDeclHandler = self._refuse_entity
        parser.SkippedEntityHandler = self._refuse_unknown_entity

    def feed(self, piece: bytes, is_last: bool = False) -> list[Element]:
        """Return the elements that end in a piece of the document."""
        try:
            self._parser.Parse(piece, is_last)
        except expat.ExpatError as error:
            message = expat.ErrorString(error.code)
            raise self._fault(error.lineno, f"{message}, at character {error.offset + 1}") from error
        except (LookupError, UnicodeError) as error:  # of an encoding that only Python might know
            raise self._fault(1, str(error)) from error
        done, self._done = self._done, []
        return done

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._fault(self._parser.CurrentLineNumber, f"elements are nested deeper than {_DEEPEST}")
        name = self._names.get(name) or self._names.setdefault(name, self._short(name))
        line = self._parser.CurrentLineNumber
        if self._open:
            element = Element(name, attributes, None, line)
            self._open[-1].parts.append(element)
            self._open.append(element)
        elif name in self._wanted:
            self._characters = 0
            self._open.append(Element(name, attributes, self._around, line))
        else:
            self._around = Element(name, attributes, self._around, line)

    def _end(self, name: str) -> None:  # noqa: ARG002  (expat's own)
        self._depth -= 1
        if not self._open:
            assert self._around is not None
            self._around = self._around.parent
            return
        element = self._open.pop()
        if not self._open:
            self._done.append(element)

    def _text(self, text: str) -> None:
        if self._open:
            self._characters += len(text)
            if self._characters > _LONGEST:
                raise self._fault(
                    self._open[0].line, f"a unit that begins there is longer than {_LONGEST:,} characters"
                )
            self._open[-1].parts.append(text)

    def _short(self, name: str) -> str:
        namespace, _, local = name.rpartition(" ")
        return local if namespace.startswith(self._namespaces) and namespace else name

    def _refuse_entity(self, name: str, *declared: Any) -> None:  # noqa: ARG002
        raise self._fault(
            self._parser.CurrentLineNumber,
            f"it declares the entity {name}, and entities are not expanded: a small file could grow to gigabytes",
            "Replace it by the text that it stands for, as xmllint --noent does for a file that you trust",
        )

    def _refuse_unknown_entity(self, name: str, is_parameter: bool) -> None:
        if not is_parameter:
            raise self._fault(
                self._parser.CurrentLineNumber,
                f"&{name}; stands for nothing that the file declares",
                "Write the character itself",
            )

    def _fault(self, line: int, what: str, remedy: str | None = None) -> CorpusError:
        remedy = remedy or "Fix this place, or export or fetch the file again; xmllint --noout tests it"
        return CorpusError(f"{self._name}, line {line}: {what}. {remedy}.")
