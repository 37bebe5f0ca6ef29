"""Markdown: paragraphs, headings and cells are translated; code, links' targets, HTML and front matter stay.

Standard: CommonMark 0.31, with GitHub's tables and strikethrough, as markdown-it-py reads them.
"""

import re
from itertools import pairwise
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import normalizeReference
from markdown_it.token import Token

from .unit import Unit, line_starts

FRONT_MATTER = re.compile(
    r"\A(?:---[ \t]*\r?\n.*?^(?:---|\.\.\.)|\+\+\+[ \t]*\r?\n.*?^\+\+\+)[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE
)
MARKUP = re.compile(
    r"(`+)(?!`).*?(?<!`)\1(?!`)"  # code
    r"|\A\[[ xX]\](?=\s)"  # the box of a task (GitHub's extension)
    r"|!?\[(?=[^\]]*\](?:\(|\[))|\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:\s+(?:\"[^\"]*\"|'[^']*'))?\)|\]\[[^\]]*\]"
    r"|<[A-Za-z/!][^<>]*>|\\[!-/:-@\[-`{-~]|\*{1,3}|~~|(?<!\w)_{1,3}(?=\w)|(?<=[\w.,;:!?)])_{1,3}(?!\w)",
    re.DOTALL,
)
"""Inline markup (CommonMark, section 6)."""
LABEL = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)|\\.|(?<!\])\[(?P<label>[^\[\]]+)\](?:\[\])?(?![\[(])", re.DOTALL)
"""A link by its text, which is the label of a definition (CommonMark, section 6.3), and what only looks so."""
BLOCK = re.compile(r"#{1,6}(?:\s|$)|[-+*>](?:\s|$)|```|~~~")
ITEM = re.compile(r"(\d{1,9})([.)](?:\s|$))")
"""What would begin another block at the head of a line."""


def markdown_units(text: str) -> list[Unit]:
    """Return the paragraphs, headings and cells of tables that have letters."""
    front = FRONT_MATTER.match(text)
    hidden = "" if front is None else front.group()
    blank = re.sub(r"[^\r\n]", "", hidden)
    known: dict[str, Any] = {}
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    parsed = parser.parse(blank + text[len(hidden) :], known)
    labels = frozenset(known.get("references", {}))
    starts = [*line_starts(text), len(text)]
    units, done = [], 0
    for before, token in pairwise(parsed):
        if token.type == "inline" and token.map is not None:
            unit = _unit(token, text, starts, done, labels, before.type in ("th_open", "td_open"))
            if unit is not None:
                units.append(unit)
                done = unit.end
    return [unit for unit in units if any(map(str.isalpha, MARKUP.sub("", unit.source)))]


def _unit(token: Token, text: str, starts: list[int], done: int, labels: frozenset[str], is_cell: bool) -> Unit | None:
    """Return what stands for a block of text in the file; None if it cannot be found there as it was read."""
    assert token.map is not None
    first = token.map[0]
    spans = []
    for number, line in enumerate((line.strip() for line in token.content.split("\n")), first):
        line = line.replace("|", "\\|") if is_cell else line
        start = text.find(line, max(starts[number], done), starts[number + 1])
        if start < 0:
            return None
        done = start + len(line)
        spans.append((start, done))
    raw = text[spans[0][0] : done]
    parts, joints = [text[slice(*spans[0])]], list[str]()
    for (_, end), (start, next_end) in pairwise(spans):
        between, line = text[end:start], text[start:next_end]
        if between.startswith("  "):
            joints.append(between)
            parts.append(line)
        elif re.search(r"(?<!\\)(?:\\\\)*\\$", parts[-1]):
            joints.append("\\" + between)
            parts[-1:] = [parts[-1][:-1], line]
        else:
            parts[-1] += " " + line
    source = LABEL.sub(lambda found: _with_label(found, labels), token.content if is_cell else "\n".join(parts))

    def written(translation: str) -> str:
        if translation == source:
            return raw
        found = [_escaped(each) for each in translation.split("\n")]
        whole = "".join(piece for pair in zip(found, [*joints, ""], strict=True) for piece in pair)
        return whole.replace("|", "\\|") if is_cell else whole

    markup = tuple(found.group() for found in MARKUP.finditer(source))
    return Unit(source, first + 1, spans[0][0], done, written, None, markup)


def _with_label(found: re.Match[str], labels: frozenset[str]) -> str:
    """Return a link with its label behind its text, which a translation changes."""
    label = found.group("label")
    return found.group() if label is None or normalizeReference(label) not in labels else f"[{label}][{label}]"


def _escaped(line: str) -> str:
    """Return a line of a paragraph that begins no other block (CommonMark, section 2.4)."""
    return f"\\{line}" if BLOCK.match(line) else ITEM.sub(r"\1\\\2", line, count=1) if ITEM.match(line) else line
