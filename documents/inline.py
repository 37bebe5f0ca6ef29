"""The text between two tags, as a reader sees it, with the tags in it as they stand; and back again.

XML and HTML have the same grammar of tags; each says what is a character of the text and which elements are kept whole.
"""

import re
from collections.abc import Callable
from html import escape

TAG = re.compile(r"<(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>")
MARKUP = re.compile(rf"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|{TAG.pattern}", re.DOTALL)


def as_read(
    raw: str, plain: Callable[[str], str], end_of: Callable[[str, re.Match[str]], int], cdata: bool = False
) -> tuple[str, tuple[str, ...]]:
    """Return the text of some characters of the file, and the markup in it.

    Args:
        raw: the characters of the file.
        plain: returns what characters between tags mean to a reader.
        end_of: returns where the markup ends that a tag begins: behind the tag, or behind its element if that is kept
            whole.
        cdata: what stands in a CDATA section is text.

    """
    texts: list[str] = []
    markup: list[str] = []
    done = 0
    while found := MARKUP.search(raw, done):
        texts.append(plain(raw[done : found.start()]))
        done = found.end()
        if cdata and found.group().startswith("<![CDATA["):
            texts.append(found.group()[9:-3])
            continue
        done = end_of(raw, found)
        markup.append(raw[found.start() : done])
        texts.append(markup[-1])
    return "".join([*texts, plain(raw[done:])]), tuple(markup)


def as_written(text: str, markup: tuple[str, ...], *kept: str) -> str:
    """Return the characters of the file for a text of `as_read`: escaped, but for its markup and the kept patterns."""
    patterns = [*map(re.escape, sorted(set(markup), key=len, reverse=True)), *kept]
    parts = re.split(f"({'|'.join(patterns)})", text) if patterns else [text]
    return "".join(part if place % 2 else escape(part, quote=False) for place, part in enumerate(parts))
