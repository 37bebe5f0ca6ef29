"""Remains of HTML or XML in a sentence: tags and character entities that a crawler did not take out."""

import re
from html.entities import html5

# What stands between < and > is a tag if it is a bare name, or a name with attributes of which one has a value. So
# "a <b and c> d" is arithmetic, and <http://example.com> an address. The name begins with an ASCII letter, as those
# of HTML do: "3 <4> 5" and "<да>", a quotation typed without quotation marks, are text.
_TAG = re.compile(
    r"</?[A-Za-z][A-Za-z0-9:._-]*(?:\s*/?|\s[^<>=]*=[^<>]*)>"
    r"|<!--|<!\[CDATA\[|<!(?i:doctype)\s|<\?xml\s"
)  # no branch can give back what another takes, so the time is linear in the text

_ENTITY = re.compile(r"&(?:#[0-9]+;|#[xX][0-9A-Fa-f]+;|([A-Za-z][A-Za-z0-9]*;))")


def has_markup(text: str) -> bool:
    """Tell whether a text holds a tag (<p>, </a>, <br/>, <!--) or a character entity (&amp;, &#39;, &#x27;).

    A named entity is one of those that HTML defines, with its semicolon: "AT&T", "R&D; more" and "x?a=1&copy=2" have
    none.
    """
    if "<" in text and _TAG.search(text):
        return True
    return "&" in text and any(name is None or name in html5 for name in _entity_names(text))


def _entity_names(text: str) -> list[str | None]:
    return [match[1] for match in _ENTITY.finditer(text)]
