"""Remains of HTML or XML in a sentence: tags and character entities that a crawler did not remove.

Not all text between < and > is a tag: manuals write B<cat> for bold print (POD), <file> as a placeholder, vector<int>
and #include <stdio.h>. So a tag is recognised by its form (it closes, it ends in "/", it has an attribute, its partner
is in the same text) or by its name, if that name can hardly be anything else. And text between backquotes is an example
in a text about markup, not a remain.
"""

import re
from html.entities import html5

from .wiki_notation import CODE_SPAN

_ELEMENTS_OF_HTML = (
    "a abbr acronym address area article aside audio b base bdi bdo big blink blockquote body br button canvas caption "
    "center cite code col colgroup data datalist dd del details dfn dialog dir div dl dt em embed fieldset figcaption "
    "figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe img input ins kbd "
    "label legend li link main map mark marquee menu meta meter nav nobr noframes noscript object ol optgroup option "
    "output p param picture pre progress q rp rt ruby s samp script section select slot small source span strike "
    "strong style sub summary sup svg table tbody td template textarea tfoot th thead time title tr track tt u ul var "
    "video wbr"
)
"""Including those of old versions."""
_NEVER_PLACEHOLDERS = (
    "b big blink blockquote body br center colgroup dd div dl dt em fieldset figcaption frameset h1 h2 h3 h4 h5 h6 hr "
    "html i iframe img kbd li nobr noframes noscript ol optgroup p pre samp small span strike strong sub sup tbody td "
    "textarea tfoot th thead tr tt u ul wbr "
    # of DocBook, TMX and XLIFF:
    "alt-trans bpt citerefentry cmdsynopsis computeroutput ept guibutton guiicon guilabel guimenu guimenuitem "
    "guisubmenu informaltable inlinemediaobject itemizedlist keycap keycombo listitem mediaobject menuchoice "
    "orderedlist para programlisting refentrytitle refsect1 seg sect1 sect2 simpara systemitem trans-unit tuv "
    "userinput varlistentry variablelist"
)
"""Names that are always tags. <title>, <code>, <time> and many others are placeholders just as often."""
_NAMESPACES = "_ dc dcterms fo html itunes media o og rdf rdfs soap st1 svg xhtml xi xlink xs xsd xsi xsl"
"""Prefixes in use; <host:port> and <hh:mm> have another."""
_HTML, _SURE, _SPACES = (frozenset(names.split()) for names in (_ELEMENTS_OF_HTML, _NEVER_PLACEHOLDERS, _NAMESPACES))

_NAME = r"[A-Za-z_][A-Za-z0-9:_-]*"
_OPENED = re.compile(rf"<({_NAME})[\s/>]")
_CLOSED = re.compile(rf"</({_NAME})\s*>")
_TAG = re.compile(
    rf"(?P<pod>(?<![A-Za-z0-9])[A-Z])?<(?P<slash>/?)(?P<name>{_NAME})(?P<rest>\s[^<>]*|/)?>"
    r"|<!--|<!\[CDATA\[|<!(?:(?i:doctype)|ELEMENT|ENTITY|ATTLIST)\s|<\?xml\b"
)  # no branch can backtrack, so the time is linear in the text
_QUOTED = re.compile(r"""[A-Za-z_][\w:.-]*\s*=\s*(?:"[^"]*"|'[^']*')""")
_ENTITY = re.compile(r"&(?:#[0-9]+;|#[xX][0-9A-Fa-f]+;|([A-Za-z][A-Za-z0-9]*;))")


def has_markup(text: str) -> bool:
    """Return whether a text holds a tag (<p>, </a>, <br/>, <!--) or a character entity (&amp;, &#39;, &#x27;).

    A named entity is one of those that HTML defines, with its semicolon: "AT&T", "R&D; more" and "x?a=1&copy=2" have
    none.
    """
    if "<" not in text and "&" not in text:
        return False
    if "`" in text:
        text = CODE_SPAN.sub(" ", text)
    if any(match[1] is None or match[1] in html5 for match in _ENTITY.finditer(text)):
        return True
    tags = list(_TAG.finditer(text))
    if not tags:
        return False
    partners = set(_OPENED.findall(text)) & set(_CLOSED.findall(text))
    return any(_is_tag(match, partners) for match in tags)


def _is_tag(match: "re.Match[str]", partners: set[str]) -> bool:
    """Return whether a match is a tag; `partners` are the names that both open and close in the text."""
    name = match["name"]
    if name is None or name in partners:
        return True
    rest = (match["rest"] or "").strip()
    space, _, local = name.lower().rpartition(":")
    if "=" in rest:
        return local in _HTML or space in _SPACES or _QUOTED.match(rest) is not None
    if rest not in ("", "/") or (match["pod"] and local != "br"):
        return False
    return bool(match["slash"] or rest) or local in _SURE or space in _SPACES
