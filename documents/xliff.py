"""XLIFF 1.2 and 2: segments without a target get one.

Standards: OASIS XLIFF 1.2 and 2.1. A segment counts as untranslated if its target is missing or empty; what is marked
`translate="no"`, and everything that has a target, stays byte for byte.
"""

import re
from collections.abc import Iterator

from .inline import as_written
from .unit import DocumentError, Unit, indent_of, line_end_of
from .xml_spans import Element, inline, root_of

OPAQUE = frozenset({"ph", "bpt", "ept", "it", "ut"})
PROTECTED = re.compile(r"\s(?:translate\s*=\s*[\"']no|mtype\s*=\s*[\"']protected)[\"']")
"""Of a `<mrk>` (XLIFF 2.1, Translate Annotation; XLIFF 1.2, values of mtype)."""
"""Inline elements whose content is code of the original format (XLIFF 1.2, section 2.5)."""


def xliff_units(text: str) -> list[Unit]:
    """Return the segments to translate.

    Raises:
        DocumentError: it is no XLIFF 1 or 2.

    """
    root = root_of(text)
    version = root.attributes.get("version", "")
    if root.name != "xliff" or version[:2] not in ("1.", "2."):
        raise DocumentError(root.line, f"<{root.name}> of version {version!r} is no XLIFF 1 or 2")
    is_first = version.startswith("1.")
    segments = _translatable(root, "trans-unit" if is_first else "segment", True)
    line_end = line_end_of(text)
    units = [unit for each in segments if (unit := _unit(each, text, is_first, line_end)) is not None]
    if units and not is_first and "trgLang" not in root.attributes:
        raise DocumentError(
            root.line, 'it has no trgLang, which XLIFF 2 demands where there are targets: add it, such as trgLang="de"'
        )
    return units


def _is_opaque(name: str, tag: str) -> bool:
    """Say whether an element is code, or text that is not to be translated."""
    return name in OPAQUE or (name == "mrk" and PROTECTED.search(tag) is not None)


def _translatable(element: Element, name: str, is_translated: bool) -> Iterator[Element]:
    """Yield the elements of a name that are to be translated, as they and what they are in say."""
    is_translated = element.attributes.get("translate", "yes" if is_translated else "no") != "no"
    if element.name == name:
        if is_translated:
            yield element
        return
    for each in element.children:
        yield from _translatable(each, name, is_translated)


def _unit(segment: Element, text: str, is_first: bool, line_end: str) -> Unit | None:
    source, target = segment.child("source"), segment.child("target")
    if source is None or (target is not None and text[target.inner : target.inner_end].strip()):
        return None
    raw = text[source.inner : source.inner_end]
    content, markup = inline(raw, _is_opaque)
    if not content.strip():
        return None
    after = segment.child("seg-source") or source
    name = f"{source.prefix}target"
    if target is None:
        indent = indent_of(text, source.start)
        head, start, end = ("" if indent is None else line_end + indent), after.end, after.end
        tag = f"<{name}>"
    else:
        head, start, end = "", target.start, target.end
        tag = re.sub(r"\s*/>$", ">", text[target.start : target.inner])

    def written(translation: str) -> str:
        body = raw if translation == content else as_written(translation, markup)
        return f"{head}{_with_state(tag, 'translated') if is_first else tag}{body}</{name}>"

    unfinished = f"{head}{_with_state(tag, 'needs-translation')}</{name}>" if is_first else None
    return Unit(content, source.line, start, end, written, unfinished, markup)


def _with_state(tag: str, state: str) -> str:
    """Return the tag of a target of XLIFF 1.2 with its state (section 2.2.1)."""
    if re.search(r"\sstate\s*=", tag):
        return re.sub(r"(\sstate\s*=\s*)(\"[^\"]*\"|'[^']*')", rf'\g<1>"{state}"', tag)
    return tag[:-1] + f' state="{state}">'
