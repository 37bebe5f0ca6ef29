"""Parts of a text that a translation must keep: conversions, variables, tags, entities, addresses, code."""

import re
from collections import Counter
from collections.abc import Sequence

CONVERSION = (
    r"%(?:(?:\d+\$)?(?:\(\w+\))?[-+#0']*(?:\*|\d+)?(?:\.(?:\*|\d+)?)?(?:hh|ll|[hlLqjztZQN]|R\*?)?[diouxXeEfFgGaAcCsSpnm@]"
    r"|<PRI\w+>|%)"
)
"""Of C's printf (ISO C, 7.21.6.1), GMP, MPFR and Python's %, without the flag " ", since "100% of" has none."""

PATTERNS = (
    r"<!--.*?-->|</?[A-Za-z](?:[^<>\"']|\"[^\"]*\"|'[^']*')*>|<[^<>\s]+>",  # tags, and what is in their brackets
    r"&(?:[A-Za-z][A-Za-z0-9]*|#[0-9]+|#[xX][0-9A-Fa-f]+);",  # entities
    r"\b(?:https?|ftp|file|mailto)://?[^\s<>\"'`]*[^\s<>\"'`.,;:!?)\]}]",  # addresses
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    r"``[^`\n]+``|`[^`'\n]+`",  # code
    r"\$?\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}",  # braces, such as {0}, ${name}, {{name}}
    r"\$\(\w+\)|\$[A-Za-z_]\w*|%[A-Z][A-Z0-9_]{2,}%?",  # variables
    CONVERSION,
    r"(?<![\w-])(?:--[A-Za-z][\w-]*|-[A-Za-z0-9](?![\w-]))",  # options
    r"(?<![\w.~])/[\w.-]+(?:/[\w.-]+)+",  # paths
    r"\b(?:[a-z][a-z0-9]*(?:_[A-Za-z0-9]+)+|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b",  # identifiers
)
PLACEHOLDER = re.compile("|".join(PATTERNS), re.DOTALL)
MESSAGE = re.compile(r"\{\s*\w+\s*,\s*(?:plural|select|selectordinal)\s*,")
"""Of ICU's MessageFormat: texts within braces, chosen by a number or a word."""

TAG = re.compile(r"<(/?)([A-Za-z][\w:.-]*)(?:[^<>\"']|\"[^\"]*\"|'[^']*')*?(/?)>")
VOID = frozenset({
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr",
    "x", "bx", "ex",
})  # fmt: skip
"""Elements without an end: HTML's (section 13.1.2), XLIFF's."""


def pattern_of(markup: Sequence[str]) -> re.Pattern[str]:
    """Return the pattern of what must be kept where `markup` is the format's own."""
    own = [re.escape(each) for each in sorted(set(markup), key=len, reverse=True)]
    return re.compile("|".join([*own, *PATTERNS]), re.DOTALL) if own else PLACEHOLDER


def in_parts(text: str, pattern: re.Pattern[str]) -> list[str]:
    """Cut a text into what may be translated (at even places) and what must be kept (at odd places)."""
    parts, done = [], 0
    for found in pattern.finditer(text):
        parts += [text[done : found.start()], found.group()]
        done = found.end()
    return [*parts, text[done:]]


def is_kept(source: str, translation: str, pattern: re.Pattern[str]) -> bool:
    """Say whether the translation has the placeholders of the source: each as often, and where order counts in order.

    It counts for conversions without a number or a name, which take their arguments by order, and for tags, which
    must stay nested. A percent sign more than the source has is none of a text either: "% und" is a conversion to C.
    """
    of_source, of_translation = in_parts(source, pattern), in_parts(translation, pattern)
    here, there = of_source[1::2], of_translation[1::2]
    if Counter(here) != Counter(there) or _percent_signs(of_translation) > _percent_signs(of_source):
        return False
    return _by_order(here) == _by_order(there) and (is_nested(there) or not is_nested(here))


def _percent_signs(parts: Sequence[str]) -> int:
    """Return how many stand outside placeholders."""
    return sum(part.count("%") for part in parts[::2])


def is_nested(parts: Sequence[str]) -> bool:
    """Say whether each tag that is opened is closed, the last one first."""
    opened: list[str] = []
    for tag in filter(None, map(TAG.fullmatch, parts)):
        is_end, name, is_empty = tag.groups()
        if is_end:
            if not opened or opened.pop() != name:
                return False
        elif not is_empty and name.lower() not in VOID:
            opened.append(name)
    return not opened


def has_words(text: str, pattern: re.Pattern[str]) -> bool:
    """Say whether anything outside the placeholders has a letter."""
    return any(any(map(str.isalpha, part)) for part in in_parts(text, pattern)[::2])


def _by_order(placeholders: Sequence[str]) -> list[str]:
    """Return the conversions that take their arguments by order."""
    ordered = (each for each in placeholders if re.fullmatch(CONVERSION, each) and each != "%%")
    return [each for each in ordered if "$" not in each and "(" not in each]
