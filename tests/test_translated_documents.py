"""Documents come out as they were, with translations in their places and every placeholder kept."""

import gzip
import os
import random
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import polib
import pytest
from command_processes import together
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from vaswani.commands import main
from vaswani.documents import DocumentError, document_format, finished, reader_of, translate_units
from vaswani.documents.accelerators import accelerator_of, marked, without
from vaswani.documents.declared_encoding import decoded
from vaswani.documents.placeholders import PLACEHOLDER, in_parts, is_kept, pattern_of
from vaswani.documents.subtitles import balanced

LANGUAGES = ("en", "de")
PO = """\
# A template.
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

#: main.c:1
#, c-format
msgid "Could not open %s: %d files"
msgstr ""

#, fuzzy
msgid "Guess"
msgstr "Vermutung"

#, fuzzy
#| msgid "Older"
msgid "Old"
msgstr ""

msgctxt "menu"
msgid "_File"
msgstr ""

msgid "%d file removed"
msgid_plural "%d files removed"
msgstr[0] ""
msgstr[1] ""

msgid ""
"A long text that goes over several lines, since nobody could say in fewer words "
"what is to be said here.\\n"
"\\n"
"Use --help, <b>bold</b> & `code`, \\"quoted\\" \\\\ or http://example.org/x.\\n"
msgstr ""

msgid "Done"
msgstr "Fertig"

#~ msgid "gone"
#~ msgstr ""
"""
XLIFF_1 = """\
<?xml version="1.0" encoding="UTF-8"?>
<!-- from a tool -->
<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">
 <file source-language="en" target-language="de" datatype='plaintext' original="a.txt"><body>
  <trans-unit id="1" approved='no'>
    <source>Press <g id="1">Save &amp; go</g> now<x id="2"/></source>
  </trans-unit>
  <trans-unit id="2"><source>It has a target</source><target state="final">Ein Ziel</target></trans-unit>
  <trans-unit id="3" translate="no"><source>Name</source></trans-unit>
  <trans-unit id="4"><source>Code <ph id="p">&lt;br&gt;</ph> of others</source><target state="new"/></trans-unit>
  <group translate="no"><trans-unit id="5"><source>Not this</source></trans-unit></group>
 </body></file>
</xliff>
"""
XLIFF_2 = """\
<x:xliff version="2.0" srcLang="en" trgLang="de" xmlns:x="urn:oasis:names:tc:xliff:document:2.0">
<x:file id="f"><x:unit id="1"><x:segment><x:source>Hello <x:pc id="1">big</x:pc> world</x:source></x:segment>
<x:ignorable><x:source> </x:source></x:ignorable>
<x:segment state="final"><x:source>Done</x:source><x:target>Fertig</x:target></x:segment></x:unit>
<x:unit id="2" translate="no"><x:segment><x:source>Not this</x:source></x:segment></x:unit></x:file></x:xliff>
"""
TMX = """\
<?xml version="1.0"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header srclang="en" datatype="plaintext"/><body>
  <tu tuid="1">
    <tuv xml:lang="en-US"><seg>Print <bpt i="1">{\\b </bpt>this<ept i="1">}</ept> &lt;page&gt;</seg></tuv>
  </tu>
  <tu><tuv xml:lang="EN"><seg>Known</seg></tuv><tuv xml:lang="de-CH"><seg>Bekannt</seg></tuv></tu>
  <tu><tuv xml:lang="fr"><seg>Autre</seg></tuv></tu>
</body></tmx>
"""
SRT = """\
1
00:00:01,000 --> 00:00:02,500
Here is a sentence that
goes on in a second line.

2
00:00:03,000 --> 00:00:04,000 X1:40
- <i>Who is it?</i>
- It is me.
"""
HTML = """\
<!DOCTYPE html>
<html lang="en"><head><title>A page &amp; more</title><style>b { x: "<y>" }</style></head>
<body class="a>b">
<h1>Hello <em>big</em> world</h1>
<p>One line
  and <a href="x?a=1&amp;b=2">a link</a>, with <code>foo()</code> &mdash; caf&eacute;. <br/>
 Next line.</p>
<!-- no text -->
<ul><li>First<li><b>Second</b></ul>
<pre>
 leave this
</pre>
<script>if (a < b) { "text" }</script>
<p translate="no">Name</p> Tail &copy; 2020
</body></html>
"""
MARKDOWN = """\
---
title: leave this
---
# A heading with `code`

A paragraph with **bold** words
and a [link](http://example.org "title") over two lines.\x20\x20
After a hard break\\
and another.

> A quotation
> goes on here.

1. item one
2. item *two*
   goes on

| a cell | another |
|---|---|
| one | `x` |

```
code
```

    indented

<div>html</div>

Last
----
[ref]: http://example.org
"""
DOCUMENTS = {
    "po": PO, "xliff": XLIFF_1, "xliff 2": XLIFF_2, "tmx": TMX, "srt": SRT, "html": HTML, "markdown": MARKDOWN,
}  # fmt: skip


def translated(text: str, name: str, translate: Callable[[str], str]) -> str:
    """Return a document translated by a function of a line."""
    units = reader_of(name.split()[0], LANGUAGES)(text)
    translations, _ = translate_units(units, lambda lines: [translate(line) for line in lines])
    return finished(text, units, translations)


CODE = re.compile(r"(<(ph|bpt|ept)\b.*?</\2>|<[^>]*>|\]\(.*?\)|[%{`&-]\S*|http\S*)")


def in_capitals(line: str) -> str:
    """Return a translation of words alone, as by a network that keeps all else."""
    parts, done = [], 0
    for found in CODE.finditer(line):
        parts += [line[done : found.start()].upper(), found.group()]
        done = found.end()
    return "".join([*parts, line[done:].upper()])


# --- structure --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["srt", "html", "markdown"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_network_that_copies_gives_the_same_bytes(name: str, line_end: str) -> None:
    """Where a document has no place for both languages."""
    text = DOCUMENTS[name].replace("\n", line_end)
    assert translated(text, name, str) == text
    assert translated(text, name, str.upper) != text


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_copied_po_file_is_the_one_whose_translations_are_its_messages(line_end: str) -> None:
    """With the wrapping and the escapes of the messages."""
    text = PO.replace("\n", line_end)
    copied = translated(text, "po", str)
    entries = {entry.msgid: entry for entry in polib.pofile(copied)}
    assert entries["Guess"].msgstr == "Vermutung"
    assert all(entry.msgstr in (entry.msgid, "Vermutung", "Fertig", "") for entry in entries.values())
    emptied = re.sub(r'(?s)(msgid (".*?"\s*?\n)msgstr )\2', r'\1""' + line_end, copied)
    assert emptied.replace("\r\n", "\n") != copied.replace("\r\n", "\n")
    assert translated(emptied, "po", str) == copied


def test_messages_without_a_translation_get_one_and_all_else_stays() -> None:
    """As polib reads both files."""
    before, after = polib.pofile(PO), polib.pofile(translated(PO, "po", lambda line: line.replace("e", "é")))
    assert str(before.metadata) == str(after.metadata)
    for old, new in zip(before, after, strict=True):
        assert (old.msgid, old.msgctxt, old.flags, old.obsolete) == (new.msgid, new.msgctxt, new.flags, new.obsolete)
        if not old.msgstr and not old.msgid_plural and not old.obsolete:
            assert new.msgstr.replace("é", "e") == old.msgid
    plural = after.find("%d file removed")
    assert plural is not None
    assert plural.msgstr_plural == {0: "%d filé rémovéd", 1: "%d filés rémovéd"}


PLURALS = """msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Plural-Forms: nplurals=6; plural=n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5;\\n"

msgid "one file"
msgid_plural "%d files"
"""


def test_the_form_of_one_translates_the_singular() -> None:
    """gettext manual, "Plural forms": in Arabic msgstr[1]."""
    after = translated(PLURALS + "".join(f'msgstr[{number}] ""\n' for number in range(6)), "po", in_capitals)
    assert [entry.msgstr_plural for entry in polib.pofile(after)] == [
        {number: "ONE FILE" if number == 1 else "%d FILES" for number in range(6)}
    ]


@pytest.mark.parametrize(
    "text",
    [
        'msgid "Caf\\303\\251"\nmsgstr ""\n',
        'msgid "Caf\\xc3\\xa9"\nmsgstr ""\n',
        '  msgid "Café"\n\tmsgstr ""\n',
        'msgid "Ca" "fé"\nmsgstr ""\n',
        'msgid\n"Café"\nmsgstr\n""\n',
        'domain "x"\nmsgid "Café" msgstr ""\n',
        'msgid "Café"\nmsgid_plural "Cafés"\nmsgstr [0] ""\n',
    ],
)
def test_the_layout_of_a_po_file_is_free(text: str) -> None:
    """As gettext's own reader takes it."""
    [unit] = reader_of("po", LANGUAGES)(text)
    assert unit.source.startswith("Café")
    after = finished(text, [unit], ["x"])
    assert after == f'{text[: unit.start]}"x"\n'
    if shutil.which("msgfmt"):
        header = 'msgid "" msgstr "Content-Type: text/plain; charset=UTF-8\\n"\n'
        after = header + after if "domain" not in text else after.replace("\n", f"\n{header}", 1)
        subprocess.run(["msgfmt", "-o", os.devnull, "-"], input=after.encode(), check=True)


@given(messages=st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]) | st.sampled_from(
    '\n\t"\\%'), min_size=1, max_size=120), min_size=1, max_size=5, unique=True))  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_random_messages_are_those_that_polib_reads(messages: list[str]) -> None:
    """And their translations are what polib reads again."""
    file = polib.POFile(wrapwidth=78)
    file.extend(polib.POEntry(msgid=message) for message in messages)
    text = str(file)
    units = reader_of("po", None)(text)
    read = [entry.msgid for entry in polib.pofile(text)]
    assert [unit.source for unit in units] == read
    translations: list[str | None] = [message[::-1] for message in read]
    assert [entry.msgstr for entry in polib.pofile(finished(text, units, translations))] == translations


@pytest.mark.skipif(shutil.which("msgfmt") is None, reason="msgfmt of gettext is not installed")
def test_gettext_takes_what_is_written(tmp_path: Path) -> None:
    """With its checks of conversions and line ends."""
    path = tmp_path / "de.po"
    path.write_text(translated(PO, "po", in_capitals))
    found = subprocess.run(["msgfmt", "--check-format", "-o", tmp_path / "x.mo", path], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert len(polib.mofile(tmp_path / "x.mo")) >= 5


def test_xliff_1_gets_targets_with_their_state() -> None:
    """Only where none was, and where it may be translated."""
    after = translated(XLIFF_1, "xliff", in_capitals)
    space = "{urn:oasis:names:tc:xliff:document:1.2}"
    units = {unit.get("id"): unit for unit in ET.fromstring(after.encode()).iter(f"{space}trans-unit")}
    targets = {key: unit.find(f"{space}target") for key, unit in units.items()}
    assert targets["3"] is targets["5"] is None
    first, second, fourth = targets["1"], targets["2"], targets["4"]
    assert first is not None
    assert second is not None
    assert fourth is not None
    assert (first.get("state"), "".join(first.itertext())) == ("translated", "PRESS SAVE & GO NOW")
    assert [child.tag for child in first] == [f"{space}g", f"{space}x"]
    assert (second.get("state"), second.text) == ("final", "Ein Ziel")
    assert (fourth.get("state"), "".join(fourth.itertext())) == ("translated", "CODE <br> OF OTHERS")
    assert re.sub(r"\s*<target state=\"translated\">.*</target>|<target state=\"new\"/>", "", after) == XLIFF_1.replace(
        '<target state="new"/>', ""
    )


def test_a_segment_that_loses_its_tags_in_every_way_says_so() -> None:
    """XLIFF 1.2 has a state for it."""
    after = translated(XLIFF_1, "xliff", lambda line: "%s" if "Press" in line or "Save" in line else line)
    assert '<target state="needs-translation"></target>' in after
    assert "%s" not in after


def test_xliff_2_and_its_prefix() -> None:
    """The target is named as the source is."""
    after = translated(XLIFF_2, "xliff", in_capitals)
    assert '<x:target>HELLO <x:pc id="1">BIG</x:pc> WORLD</x:target></x:segment>' in after
    assert after.count("<x:target>") == 2
    ET.fromstring(after)


@pytest.mark.parametrize(("version", "mark"), [("1.2", 'mtype="protected"'), ("2.0", 'translate="no"')])
def test_a_protected_part_of_a_segment_is_not_translated(version: str, mark: str) -> None:
    """XLIFF 1.2, values of mtype; XLIFF 2.1, the Translate Annotation."""
    unit = "trans-unit" if version == "1.2" else "segment"
    source = f"<source>use <mrk id='m' {mark}>Save All</mrk> today</source>"
    text = f"<xliff version='{version}' trgLang='de'><{unit}>{source}</{unit}></xliff>"
    assert f">USE <mrk id='m' {mark}>Save All</mrk> TODAY</target>" in translated(text, "xliff", in_capitals)


def test_targets_need_the_language_of_targets() -> None:
    """XLIFF 2.1, constraints of <xliff>."""
    with pytest.raises(DocumentError, match=r'line 1: it has no trgLang, .*add it, such as trgLang="de"'):
        reader_of("xliff", LANGUAGES)("<xliff version='2.0'><segment><source>a</source></segment></xliff>")


def test_a_memory_gets_variants_of_the_language_it_lacks() -> None:
    """en-US serves for en, de-CH for de."""
    after = translated(TMX, "tmx", in_capitals)
    added = '\n    <tuv xml:lang="de"><seg>PRINT <bpt i="1">{\\b </bpt>THIS<ept i="1">}</ept> &lt;page&gt;</seg></tuv>'
    assert after.count(added) == 1
    assert after.replace(added, "") == TMX
    with pytest.raises(DocumentError, match="in es; they have EN, de-CH, en-US, fr"):
        reader_of("tmx", ("es", "de"))(TMX)
    with pytest.raises(ValueError, match="say which ones by --direction"):
        reader_of("tmx", None)


def test_a_tag_of_a_cue_is_not_cut() -> None:
    text = '<v Roger Bingham of New York>We are <font color="#ffffff" face="b c d e">in</font> New York'
    for count in range(2, 9):
        lines = balanced(text, count)
        assert " ".join(lines) == text
        assert all(line.count("<") == line.count(">") for line in lines)


def test_a_cue_keeps_its_lines() -> None:
    """A sentence goes over both; speakers keep theirs."""
    after = translated(SRT, "srt", in_capitals)
    assert after.upper() == SRT.upper()
    longer = translated(SRT, "srt", lambda line: line.replace("sentence", "very long and winding sentence"))
    assert [len(cue.splitlines()) for cue in longer.split("\n\n")] == [4, 4]


class Tags(HTMLParser):
    """Collects what is no text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[object] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, attrs))

    def handle_endtag(self, tag: str) -> None:
        self.found.append(tag)


def test_html_keeps_its_tags_and_its_code() -> None:
    """And what a network says of < and & is text."""
    after = translated(HTML, "html", lambda line: line.replace("line", "l<i&ne").replace("page", "SEITE"))
    assert Tags(after).found == Tags(HTML).found
    assert "One l&lt;i&amp;ne and" in after
    assert "<title>A SEITE &amp; more</title>" in after
    for part in ("<code>foo()</code>", " leave this\n", '{ "text" }', '<p translate="no">Name</p>', "<!-- no text -->"):
        assert part in after


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("html", '<p>See <a\n  href="x" title="Go">it</a>.</p>', '<p>SEE <a\n  href="x" title="Go">IT</a>.</p>'),
        ("html", "<p>See <!-- a\nb --> it, <code>f(\n)</code>.", "<p>SEE <!-- a\nb --> IT, <code>f(\n)</code>."),
        (
            "xliff",
            "<xliff version='1.2'><trans-unit><source>A <ph id='1'>x\ny</ph> b</source></trans-unit></xliff>",
            ">A <ph id='1'>x\ny</ph> B</target>",
        ),
        ("tmx", TMX.replace("{\\b </bpt>", "{\\b\n</bpt>"), "PRINT <bpt i=\"1\">{\\b\n</bpt>THIS"),
    ],
)  # fmt: skip
def test_markup_over_two_lines_is_kept_whole(name: str, text: str, expected: str) -> None:
    assert expected in translated(text, name, in_capitals)


def test_a_message_of_icu_over_several_lines_is_not_translated() -> None:
    text = 'msgid ""\n"{n, plural,\\n"\n" one {# file}\\n"\n" other {# files}}"\nmsgstr ""\n'
    assert translated(text, "po", str.upper) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "<ul><li translate=no>Acme<li>second item</ul><p>after",
            "<ul><li translate=no>Acme<li>SECOND ITEM</ul><p>AFTER",
        ),
        ("<p translate=NO>Acme<p>second", "<p translate=NO>Acme<p>SECOND"),
        ("<div><p translate=no>Acme</div>after", "<div><p translate=no>Acme</div>AFTER"),
        ("<table><tr><td translate=no>a<b>c<td>d</table>e", "<table><tr><td translate=no>a<b>c<td>D</table>E"),
        ("<dl><dt translate=no>a<dd>b<dt>c</dl>", "<dl><dt translate=no>a<dd>B<dt>C</dl>"),
        ("<p translate=no>a <i>b<p>c", "<p translate=no>a <i>b<p>C"),
        ("<div translate=no>a<p>b<p>c</div>d", "<div translate=no>a<p>b<p>c</div>D"),
    ],
)
def test_the_end_of_an_element_may_be_left_out(text: str, expected: str) -> None:
    """HTML, section 13.1.2.4: what is not to be translated ends where the element does."""
    assert translated(text, "html", in_capitals) == expected


def test_empty_elements_around_a_text_are_no_part_of_it() -> None:
    around = "<br><!-- no --><hr>" * 20
    assert translated(f"{around} hello {around}", "html", in_capitals) == f"{around} HELLO {around}"


def test_a_cell_keeps_its_pipes() -> None:
    """GitHub's extension of tables: a pipe within a cell is escaped."""
    text = "| a | b |\n|---|---|\n| big \\| cat | cat |\n"
    assert translated(text, "markdown", str.upper) == "| A | B |\n|---|---|\n| BIG \\| CAT | CAT |\n"
    assert "| X\\|Y |" in translated(text, "markdown", lambda line: "X|Y" if line == "cat" else line)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see [the guide] now", "see [XX][the guide] now"),
        ("see [the guide][] now", "see [XX][the guide] now"),
        ("see [our guide][The Guide] now", "see [XX][The Guide] now"),
        ("see [this] and `[the guide]` now", "see [this] and `[the guide]` now"),
    ],
)
def test_a_link_by_its_text_keeps_its_label(text: str, expected: str) -> None:
    """CommonMark, section 6.3: the text of such a link is what its target is found by."""
    definition = "\n\n[the guide]: http://example.org\n"
    after = translated(text + definition, "markdown", lambda line: re.sub(r"\[(the|our) guide\](?=\[)", "[XX]", line))
    assert after == expected + definition


@pytest.mark.parametrize("front", ["---\ntitle: x\n---\n", '+++\ntitle = "x"\n+++\n'])
def test_front_matter_is_not_translated(front: str) -> None:
    assert translated(f"{front}\nhello\n", "markdown", str.upper) == f"{front}\nHELLO\n"


def test_the_box_of_a_task_is_kept() -> None:
    text = "- [x] done\n- [ ] open\n"
    assert translated(text, "markdown", lambda line: line.replace("[x]", "[y]").upper()) == "- [x] DONE\n- [ ] OPEN\n"


def test_markdown_keeps_its_blocks() -> None:
    """Also if a translation begins as another block would."""
    after = translated(MARKDOWN, "markdown", lambda line: f"1. {line}" if line[0] == "L" else in_capitals(line))
    kinds = [token.type for token in MarkdownIt("commonmark").enable("table").parse(after)]
    assert kinds == [token.type for token in MarkdownIt("commonmark").enable("table").parse(MARKDOWN)]
    assert '**BOLD** WORDS AND A [LINK](http://example.org "title") OVER TWO LINES.  \nAFTER A HARD BREAK\\\n' in after
    assert "1\\. Last" in after
    for part in ("title: leave this", "`code`", "```\ncode\n```", "    indented", "<div>html</div>"):
        assert part in after


@pytest.mark.parametrize(
    ("name", "text", "line", "problem"),
    [
        ("po", 'msgid "a"\nmsgstr "b\n', 2, "a quotation mark is not closed"),
        ("po", 'msgid "a"\nwhat\n', 2, '"what" is no keyword'),
        ("po", 'msgid "a"\nmsgstr ""\nmsgstr ""\n', 3, "msgstr is out of order"),
        ("xliff", "<xliff version='1.2'>\n<file>", 2, "no well-formed XML"),
        ("xliff", "<tmx/>", 1, "no XLIFF 1 or 2"),
        ("tmx", "<xliff/>", 1, "is no <tmx>"),
        ("tmx", '<!DOCTYPE t [\n<!ENTITY a "b">]><tmx/>', 2, "it declares an entity"),
        ("srt", "Some text\n", 1, "no cue with times"),
    ],
)
def test_damage_has_its_line(name: str, text: str, line: int, problem: str) -> None:
    """And a word about it."""
    with pytest.raises(DocumentError, match=rf"^line {line}: .*{re.escape(problem)}"):
        reader_of(name, LANGUAGES)(text)


def test_a_document_has_its_own_encoding() -> None:
    """It is read and written by it; a character that it lacks is a reference, or cannot be written."""
    text = PO.replace("UTF-8", "ISO-8859-1").replace("Fertig", "Schön")
    document = decoded(text.encode("latin-1"), "po")
    assert document.text == text
    assert document.encoded(text) == text.encode("latin-1")
    assert document.holds("ö")
    assert not document.holds("€")
    page = decoded(b"<meta charset=iso-8859-1>", "html")
    assert page.holds("ł")
    assert page.encoded("ö ł") == "ö &#322;".encode("latin-1")
    with pytest.raises(DocumentError, match="line 2: byte 6 of the file is not utf-8"):
        decoded(b"1234\n\xff", "srt")


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (b"<meta charset=iso-8859-1>It\x92s 5 \x80", "It’s 5 €"),
        ("<meta charset=gb2312>镕".encode("gbk"), "镕"),
        ("<meta charset='x-sjis'>\u2460".encode("cp932"), "\u2460"),
        ("<meta name=description content='charset=latin1'><meta charset=utf-8>ü".encode(), "ü"),
        ("<?xml version='1.0' encoding='iso-8859-2'?><html>ř".encode("iso-8859-2"), "ř"),
    ],
)
def test_the_label_of_an_encoding_means_what_browsers_take_it_for(page: bytes, text: str) -> None:
    """By the Encoding Standard, section 4.2, which its name may not say."""
    assert decoded(page, "html").text.endswith(text)


# --- placeholders -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("100% of %d, %5.2f%% and %(name)s", ["%d", "%5.2f", "%%", "%(name)s"]),
        ("Write {0} or ${name} to {{x}}", ["{0}", "${name}", "{{x}}"]),
        ("See <a href='x>y'>this</a> &amp; http://a.org/b.", ["<a href='x>y'>", "</a>", "&amp;", "http://a.org/b"]),
        ("Run `make all` with --jobs=4 or -j 4, not - or a-b", ["`make all`", "--jobs", "-j"]),
        ("<%s>: see <FILE>, 1 < 2 > 0", ["<%s>", "<FILE>"]),
        ("compl(%Rg) and %Zd, %R*g, %0.f%%", ["%Rg", "%Zd", "%R*g", "%0.f", "%%"]),
        ("%PRODUCTNAME opens $(ARG1) in /etc/passwd", ["%PRODUCTNAME", "$(ARG1)", "/etc/passwd"]),
        ("mail me@example.org, use foo_bar and MAX_SIZE", ["me@example.org", "foo_bar", "MAX_SIZE"]),
        ("a < b, 5 % more, R&D, E_xit", []),
    ],
)
def test_what_is_kept(text: str, kept: list[str]) -> None:
    """The rest is text."""
    assert in_parts(text, PLACEHOLDER)[1::2] == kept


@pytest.mark.parametrize(
    ("source", "translation", "is_good"),
    [
        ("%s of %d", "%d von %s", False),
        ("%1$s of %2$d", "%2$d von %1$s", True),
        ("{a} of {b}", "{b} von {a}", True),
        ("<b>x</b> y", "</b>x<b> y", False),
        ("<b>x</b> y", "y <b>x</b>", True),
        ("<b>x", "<b>y", True),
        ("a %s", "a", False),
        ("a %s", "a %s %s", False),
        ("error: %c", "Fehler: % und %c", False),  # gettext reads "% u"
        ("no sign", "% ein Zeichen", False),
        ("100% of %s", "100 % von %s", True),
        ("5% of it", "5 Prozent davon", True),
    ],
)
def test_what_counts_as_kept(source: str, translation: str, is_good: bool) -> None:
    """Order counts where arguments are taken by order, and nesting where tags are."""
    assert is_kept(source, translation, PLACEHOLDER) is is_good


@pytest.mark.parametrize(
    ("text", "expected", "translation", "result"),
    [
        ("_File", ("_", "F", 0), "Datei", "_Datei"),
        ("E&xit", ("&", "x", 1), "Text", "Te&xt"),
        ("Save ~As", ("~", "A", 5), "Speichern als", "Speichern ~als"),
        ("foo_bar", None, "", ""),
        ("R&D", None, "", ""),
        ("~/text", None, "", ""),
        ("Tom &amp; Jerry", None, "", ""),
    ],
)
def test_marks_of_menus(text: str, expected: tuple[str, str, int] | None, translation: str, result: str) -> None:
    """They move to the letter of the source, if the translation has it."""
    found = accelerator_of(text, PLACEHOLDER)
    assert (None if found is None else tuple(found)) == expected
    if found is not None:
        assert len(without(text, found)) == len(text) - 1
        assert marked(translation, found, PLACEHOLDER) == result


@given(st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_whatever_a_network_does_placeholders_are_kept(seed: int) -> None:
    """It drops, doubles and swaps words at random; what comes out has all placeholders, or is left out."""
    draw = random.Random(seed)

    def noisy(line: str) -> str:
        words = line.split(" ")
        for _ in range(draw.randrange(4)):
            place = draw.randrange(len(words))
            words[place : place + 1] = [words[place]] * draw.choice([0, 2]) or ["so"]
        if draw.random() < 0.3:
            draw.shuffle(words)
        return " ".join(words)

    for name, text in DOCUMENTS.items():
        units = reader_of(name.split()[0], LANGUAGES)(text)
        translations, counts = translate_units(units, lambda lines: list(map(noisy, lines)))
        assert counts.finished == sum(each is not None for each in translations)
        for unit, translation in zip(units, translations, strict=True):
            if translation is not None:
                here, there = (in_parts(each, pattern_of(unit.markup))[1::2] for each in (unit.source, translation))
                assert sorted(here) == sorted(there)
        after = finished(text, units, translations)
        if name in ("xliff", "xliff 2", "tmx"):
            ET.fromstring(after.encode())
        if name == "html":
            assert sorted(map(str, Tags(after).found)) == sorted(map(str, Tags(text).found))


def test_pieces_save_what_the_whole_lost() -> None:
    """A network that spoils every placeholder still translates between them."""
    units = reader_of("po", None)(PO)
    translations, counts = translate_units(
        units, lambda lines: [re.sub(r"[^\w\s]", "", line).upper() for line in lines]
    )
    assert translations[0] == "COULD NOT OPEN %s: %d FILES"
    assert translations[2] == "_FILE"
    assert counts.finished == len(units)
    assert counts.in_pieces >= 4


def test_pieces_have_no_marks_of_their_neighbours() -> None:
    """A colon or a quotation mark beside a placeholder stays there, and the network gets words."""
    seen: list[str] = []

    def translate(lines: list[str]) -> list[str | None]:
        seen.extend(lines)
        return [line.replace("%", "").upper() for line in lines]

    units = reader_of("po", None)('msgid "%s: option \'%c%s\' is bad.\\n"\nmsgstr ""\n')
    assert translate_units(units, translate)[0] == ["%s: OPTION '%c%s' IS BAD.\n"]
    assert seen == ["%s: option '%c%s' is bad.", "is bad.", "option"]


def test_sentences_are_not_cut_within_a_placeholder() -> None:
    """Nor between the tags of a pair."""
    seen: list[str] = []
    units = reader_of("html", None)("<p>One. <b>Two. Three.</b> See http://a.org/x. Y. Five.</p>")

    def split(line: str) -> list[str]:
        return re.findall(r"\S+ ?", line)

    def translate(lines: list[str]) -> list[str | None]:
        seen.extend(lines)
        return list(lines)

    translate_units(units, translate, split)
    assert "<b>Two. Three.</b>" in seen


# --- the command ------------------------------------------------------------------------------------------------------


def test_a_packed_document_is_a_document(
    talker_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its kind is that of the name without the ending of the packing."""
    (tmp_path / "a.po").write_text(PO)
    (tmp_path / "a.po.gz").write_bytes(gzip.compress(PO.encode()))
    for name in ("a.po", "a.po.gz"):
        words = ["--input", str(tmp_path / name), "--output", str(tmp_path / name.replace("a.po", "b.po"))]
        assert main(["translate", str(talker_folder), *words, "--beams", "1"]) == 0
        assert "is read as a document (po)" in capsys.readouterr().err
    assert gzip.decompress((tmp_path / "b.po.gz").read_bytes()) == (tmp_path / "b.po").read_bytes()


def test_the_command_translates_a_document(
    talker_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the ending of its name; the counts are on stderr; nothing is written for a damaged one."""
    source, output = tmp_path / "a.po", tmp_path / "b.po"
    source.write_text(PO)
    main(["translate", str(talker_folder), "--input", str(source), "--output", str(output), "--beams", "1"])
    told = capsys.readouterr().err
    assert "is read as a document (po)" in told
    assert re.search(r"6 of 6 untranslated unit\(s\) translated, \d of them in pieces", told)
    assert output.read_text().startswith(PO[:150])
    source.write_text(f"{PO}what\n")
    assert main(["translate", str(talker_folder), "--input", str(source), "--output", str(tmp_path / "c.po")]) == 2
    assert f'{source}, line {PO.count(chr(10)) + 1}: "what" is no keyword' in capsys.readouterr().err
    assert not (tmp_path / "c.po").exists()


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--resume"], "--resume is for lines"),
        (["--format", "text", "--direction", "en-de"], "--direction is for documents"),
        (["--format", "tmx"], "say which ones by --direction"),
        (["--format", "tmx", "--direction", "en"], "two languages joined by a hyphen are needed"),
        (["--format", "jsonl", "--split_sentences", "en"], "use --format text"),
    ],
)
def test_flags_that_do_not_fit(
    talker_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], problem: str
) -> None:
    """Are refused with the way out, before a model is loaded."""
    source = tmp_path / "a.po"
    source.write_text(PO)
    output = str(tmp_path / "b")
    assert main(["translate", str(talker_folder), "--input", str(source), "--output", output, *flags]) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.slow
def test_processes_share_a_document(talker_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And give the bytes of one; a damaged one ends both."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))  # for the process from which they are forked
    source, alone, shared = (tmp_path / name for name in ("a.md", "alone.md", "shared.md"))
    source.write_text(MARKDOWN)
    command = ["translate", str(talker_folder), "--input", str(source), "--beams", "1", "--output"]
    assert main([*command, str(alone)]) == 0
    assert [each.exitcode for each in together([*command, str(shared)], tmp_path)] == [0, 0]
    assert alone.read_bytes() == shared.read_bytes() != source.read_bytes()
    source.write_bytes(b"\xff")
    assert [each.exitcode for each in together([*command, str(tmp_path / "none.md")], tmp_path)] == [2, 2]
    assert "line 1: byte 1 of the file is not utf-8" in (tmp_path / "said 0").read_text()
    assert "Traceback" not in (tmp_path / "said 1").read_text()


def test_long_lines_are_translated_by_sentences(
    talker_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line is its sentences' translations; without the flag it is too long."""
    source, output = tmp_path / "a.txt", tmp_path / "b.txt"
    sentences = ["The cat sat.", "A dog saw it.", "They ran away."]
    source.write_text("\n".join([*sentences, "", " ".join(sentences)]) + "\n")
    command = ["translate", str(talker_folder), "--input", str(source), "--output", str(output), "--max_tokens", "15"]
    main(command)
    *alone, blank, together = output.read_text().splitlines()
    assert (blank, together) == ("", "")
    assert "left empty" in capsys.readouterr().err
    main([*command, "--split_sentences", "en"])
    assert output.read_text().splitlines() == [*alone, "", " ".join(alone)]
    assert capsys.readouterr().err == ""


def test_names_of_files() -> None:
    """Endings are those of the formats."""
    assert document_format(Path("a/messages.PO")) == "po"
    assert document_format(Path("a.txt")) is None
