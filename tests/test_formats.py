"""Documents of translators give the rows that their formats mean, in order, and damage is named."""

import codecs
import gettext
import gzip
import io
import os
import pickle
import shutil
import subprocess
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import datasets
import polib
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packings import PACKINGS

from vaswani.data import NoPair, Pair, open_corpus
from vaswani.data.documents.gettext_units import read_mo, read_po
from vaswani.data.documents.po import entries
from vaswani.data.documents.units import Asked, Tally, Unit
from vaswani.data.documents.xml_elements import content_of
from vaswani.data.language_tags import distance, is_swapped, subtags
from vaswani.data.pairs import Corpus, CorpusError, Row, read_rows

MSGFMT = shutil.which("msgfmt")


def opened(folder: Path, content: str | bytes, ending: str, source: str = "en", target: str = "de") -> Corpus:
    """Write a document as the training split of a folder, and open that."""
    folder.mkdir(exist_ok=True)
    path = folder / f"train{ending}"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return of_folder(folder, source, target)


def of_folder(folder: Path, source: str = "en", target: str = "de", split: str = "train") -> Corpus:
    cache = str(folder.parent / "cache")
    return open_corpus(data_dir=str(folder), split=split, source=source, target=target, cache_dir=cache)


def rows(corpus: Corpus) -> list[Row]:
    return [row for group in range(corpus.groups) for row in corpus.read(group)]


def outcomes(corpus: Corpus) -> list[tuple[str, str] | str]:
    """Return the pairs, and the reasons of what is none."""
    return [row.reason if isinstance(row, NoPair) else (row.source, row.target) for row in rows(corpus)]


# Tags of languages


@pytest.mark.parametrize(
    ("asked", "found", "expected"),
    [
        ("en", "en", 0), ("en", "EN", 0), ("pt-BR", "pt_br", 0), ("sr_Latn", "sr@latin", 0),
        ("de-DE", "de_DE.UTF-8", 0),
        ("en", "en-US", 1), ("zh", "zh-Hans-CN", 1), ("en-US", "en", 2), ("zh-Hans", "zh", 2),
        ("en-GB", "en-US", None), ("en", "de", None), ("en", "eng", None), ("e", "en", None), ("en", "", None),
    ],
)  # fmt: skip
def test_a_tag_counts_as_another(asked: str, found: str, expected: int | None) -> None:
    assert distance(asked, found) == expected


TAGS = st.lists(st.sampled_from(["en", "us", "latn", "de", "x"]), min_size=1, max_size=3).map("-".join)


@given(TAGS, TAGS)
def test_tags_count_as_each_other_both_ways(one: str, other: str) -> None:
    turned = {None: None, 0: 0, 1: 2, 2: 1}
    assert distance(other, one) == turned[distance(one, other)]
    assert (distance(one, other) == 0) == (subtags(one) == subtags(other))
    way = is_swapped((one, other), (one, other))
    assert way is False
    assert is_swapped((one, other), (other, one)) is (one != other)


# TMX


def tmx(*units: str, head: str = "<?xml version='1.0'?>") -> str:
    body = "\n".join(f"<tu tuid='{number}'>{unit}</tu>" for number, unit in enumerate(units, 1))
    return f"{head}<tmx version='1.4'><header srclang='en'/><body>\n{body}\n</body></tmx>"


def variant(language: str, text: str, attribute: str = "xml:lang") -> str:
    return f"<tuv {attribute}='{language}'><prop type='x'>no text</prop><seg>{text}</seg></tuv>"


def test_a_memory_gives_its_units_in_order(tmp_path: Path) -> None:
    corpus = opened(
        tmp_path / "tm",
        tmx(
            variant("en-US", "One.") + variant("de", "Eins."),
            variant("EN", "Two &amp; a half.", "lang") + variant("de-DE", "Zwei &lt;einhalb&gt;."),
            variant("en", "Three.") + variant("fr", "Trois."),
            variant("de", "Vier") + variant("en-GB", "Four, narrower") + variant("en", "Four"),
            variant("en", "") + variant("de", "Fünf\nsechs"),
        ),
        ".tmx",
    )
    assert outcomes(corpus) == [
        ("One.", "Eins."), ("Two & a half.", "Zwei <einhalb>."), "other language", ("Four", "Vier"),
        ("", "Fünf\nsechs"),
    ]  # fmt: skip
    where = read_rows(corpus, 0).where
    assert where(0) == f"{tmp_path}/tm/train.tmx, line 2, tu 1 (1)"
    assert where(4).endswith("train.tmx, line 6, tu 5 (5)")
    assert rows(corpus)[2] == NoPair("other language", f"{tmp_path}/tm/train.tmx, line 4, tu 3 (3)")
    assert corpus.remarks == ["1 further variants of a language left out, where a unit has several"]  # type: ignore[attr-defined]


def test_a_memory_may_have_a_namespace(tmp_path: Path) -> None:
    memory = tmx(variant("en", "Hello") + variant("de", "Hallo")).replace(
        "<tmx", "<tmx xmlns='http://www.lisa.org/tmx14'"
    )
    assert outcomes(opened(tmp_path, memory, ".tmx")) == [("Hello", "Hallo")]


def test_the_wider_tag_counts_too_and_another_region_does_not(tmp_path: Path) -> None:
    text = tmx(variant("en", "One") + variant("pt-BR", "Um"), variant("en", "Two") + variant("pt-PT", "Dois"))
    assert outcomes(opened(tmp_path / "tm", text, ".tmx", "en-US", "pt-BR")) == [("One", "Um"), "other language"]
    assert outcomes(of_folder(tmp_path / "tm", "pt_BR", "en")) == [("Um", "One"), "other language"]
    assert outcomes(of_folder(tmp_path / "tm", "pt", "en")) == [("Um", "One"), ("Dois", "Two")]


def test_inline_tags_go_and_their_text_stays(tmp_path: Path) -> None:
    source = (
        "Press <bpt i='1'>&lt;b></bpt>the <hi type='term'>red</hi> key<ept i='1'>&lt;/b></ept>,"
        "<ph type='lb'/>then<ph>{1}<sub>a footnote</sub></ph> wait<ut>\\par</ut>."
    )
    corpus = opened(tmp_path / "tm", tmx(variant("en", source) + variant("de", "Drücken")), ".tmx")
    assert outcomes(corpus) == [("Press the red key, then wait.", "Drücken")]
    assert corpus.remarks == [  # type: ignore[attr-defined]
        "6 inline tags left out, their text kept",
        "1 texts inside inline tags left out",
    ]


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20)
LANGUAGES = st.sampled_from(["en", "en-US", "EN_gb", "de", "de-AT", "fr"])


@given(
    st.lists(st.lists(st.tuples(LANGUAGES, TEXTS), max_size=4), min_size=1, max_size=5),
    st.sampled_from(["utf-8", "utf-16"]),
)
@settings(deadline=None, max_examples=40)
def test_any_memory_that_another_writer_wrote_is_read(
    tmp_path_factory: pytest.TempPathFactory, units: list[list[tuple[str, str]]], encoding: str
) -> None:
    root = ElementTree.Element("tmx", version="1.4")
    body = ElementTree.SubElement(root, "body")
    for unit in units:
        element = ElementTree.SubElement(body, "tu")
        for language, text in unit:
            side = ElementTree.SubElement(element, "tuv", {"{http://www.w3.org/XML/1998/namespace}lang": language})
            ElementTree.SubElement(side, "seg").text = text
    expected: list[tuple[str, str] | str] = []
    for unit in units:
        sides = []
        for wanted in ("en", "de"):
            same = [text for language, text in unit if language == wanted]
            narrower = [text for language, text in unit if language[:2].lower() == wanted]
            sides.append(next(iter(same + narrower), None))
        expected.append("other language" if None in sides else (str(sides[0]), str(sides[1])))
    folder = tmp_path_factory.mktemp("memory") / "tm"
    content = ElementTree.tostring(root, encoding=encoding, xml_declaration=True)
    if not any(isinstance(each, tuple) for each in expected):
        with pytest.raises(CorpusError, match=r"no unit that is translated from en to de: \d+ other language"):
            opened(folder, content, ".tmx")
    else:
        assert outcomes(opened(folder, content, ".tmx")) == expected


BOMB = "<!DOCTYPE tmx [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]>"
OUTSIDE = "<!DOCTYPE tmx [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"
WHOLE = tmx(variant("en", "One") + variant("de", "Eins"), variant("en", "Two") + variant("de", "Zwei"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (WHOLE[:-90], r"train.tmx, line 3: (unclosed token|no element found)"),
        (WHOLE.replace("Two", "T & o"), r"line 3: not well-formed \(invalid token\), at character 70\. Fix this place"),
        (WHOLE.replace("Two", "T\x01o"), r"line 3: not well-formed"),
        (WHOLE.replace("Two", "T&#1;o"), r"line 3: reference to invalid character number"),
        (WHOLE.replace("</seg>", "</sag>", 1), r"line 2: mismatched tag"),
        (WHOLE.replace("<tmx", f"{BOMB}<tmx"), r"line 1: it declares the entity a, and entities are not expanded"),
        (WHOLE.replace("<tmx", f"{OUTSIDE}<tmx"), r"line 1: it declares the entity a"),
        (WHOLE.replace("<tmx", "<!DOCTYPE tmx SYSTEM 'x.dtd'><tmx").replace("Two", "&nbsp;"), "line 3: &nbsp; stands"),
        (WHOLE.replace("Two", "<hi>" * 200 + "</hi>" * 200), "line 3: elements are nested deeper than 100"),
        (WHOLE.replace("<?xml version='1.0'?>", "<?xml version='1.0' encoding='x-none'?>"), "line 1: "),
        ("One\tEins\n", "line 1: syntax error"),
        (b"%PDF-1.7\n", "holds a PDF document"),
        (gzip.compress(WHOLE.encode())[:-9], "is not a complete .gz file"),
    ],
)
def test_a_damaged_memory_is_named_with_line_and_remedy(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        opened(tmp_path / "tm", content, ".tmx")
    assert not list((tmp_path / "cache").rglob("*.parquet"))


def test_a_unit_without_end_is_no_memory_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vaswani.data.documents.xml_elements._LONGEST", 1000)
    text = "word " * 250
    with pytest.raises(CorpusError, match=r"x.tmx, line 2: a unit that begins there is longer than 1,000 characters"):
        content_of(tmx(variant("en", text)).encode(), "x.tmx", ["tu"])


# XLIFF


def xliff_1(*units: str, more: str = "target-language='de'") -> str:
    return (
        "<xliff version='1.2' xmlns='urn:oasis:names:tc:xliff:document:1.2'>"
        f"<file original='a' source-language='en-US' {more}><body>\n" + "\n".join(units) + "\n</body></file></xliff>"
    )


def test_xliff_1_says_what_is_translated(tmp_path: Path) -> None:
    def unit(text: str, more: str = "", of_target: str = "") -> str:
        target = f"<target {of_target}>{text.upper()}</target>"
        return f"<trans-unit id='{text}' {more}><source>{text}</source>{target}</trans-unit>"

    corpus = opened(
        tmp_path / "x",
        xliff_1(
            unit("a"), unit("b", "approved='yes'"), unit("c", "approved='no'"), unit("d", "", "state='translated'"),
            unit("e", "", "state='needs-review-translation'"), unit("f", "", "state='new'"),
            unit("n", "approved='yes'", "state='needs-translation'"),
            unit("g", "translate='no'"),
            "<trans-unit id='h'><source>h</source></trans-unit>",
            "<trans-unit id='i'><source>i</source><target/><alt-trans><source>i</source><target>J</target></alt-trans>"
            "</trans-unit>",
            f"<group translate='no'>{unit('k')}</group>",
            "<trans-unit id='l'><source>Go <g id='1'>home</g><x id='2' ctype='lb'/>now</source>"
            "<target><g id='1'>Nach Hause</g><x id='2'/></target></trans-unit>",
            "<trans-unit id='m'><source>One. Two.</source>"
            "<seg-source><g id='1'><mrk mtype='seg' mid='0'>One.</mrk> "
            "<mrk mtype='seg' mid='1'>Two.</mrk></g></seg-source>"
            "<target><mrk mtype='seg' mid='1'>Zwei.</mrk> <mrk mtype='seg' mid='0'>Eins.</mrk></target></trans-unit>",
        ),
        ".xlf",
    )  # fmt: skip
    assert outcomes(corpus) == [
        ("a", "A"), ("b", "B"), "not approved", ("d", "D"), "not approved", "not approved", ("n", "N"),
        "not to be translated", "untranslated", "untranslated", "not to be translated", ("Go home now", "Nach Hause"),
        ("One.", "Eins."), ("Two.", "Zwei."),
    ]  # fmt: skip
    where = read_rows(corpus, 0).where
    assert where(2).endswith("train.xlf, line 4, trans-unit c")
    assert where(13).endswith("line 14, trans-unit m, segment 1")


def test_xliff_1_is_read_the_other_way_round_and_refused_in_other_languages(tmp_path: Path) -> None:
    text = xliff_1("<trans-unit id='a'><source>one</source><target>eins</target></trans-unit>")
    assert outcomes(opened(tmp_path / "x", text, ".xliff", "de", "en")) == [("eins", "one")]
    with pytest.raises(CorpusError, match="no unit that is translated from en to fr: 1 other language"):
        of_folder(tmp_path / "x", "en", "fr")
    without = opened(tmp_path / "y", text.replace("target-language='de'", ""), ".xlf", "en", "fr")
    assert outcomes(without) == [("one", "eins")]


def test_segments_without_a_name_are_paired_in_order(tmp_path: Path) -> None:
    segments = [
        f"<{tag}><mrk mtype='seg'>{one}</mrk> <mrk mtype='seg'>{other}</mrk></{tag}>"
        for tag, one, other in (("seg-source", "A.", "B."), ("target", "C.", "D."))
    ]
    unit = f"<trans-unit id='1'><source>A. B.</source>{''.join(segments)}</trans-unit>"
    assert outcomes(opened(tmp_path, xliff_1(unit), ".xlf")) == [("A.", "C."), ("B.", "D.")]


def test_a_character_that_there_is_not_is_replaced(tmp_path: Path) -> None:
    unit = "<unit id='u'><segment><source>A<cp hex='D800'/></source><target>B</target></segment></unit>"
    head = "<xliff version='2.0' srcLang='en' trgLang='de' xmlns='urn:oasis:names:tc:xliff:document:2.0'>"
    corpus = opened(tmp_path, f"{head}<file id='f'>{unit}</file></xliff>", ".xlf")
    assert outcomes(corpus) == [("A\N{REPLACEMENT CHARACTER}", "B")]


def test_xliff_2_says_what_is_translated(tmp_path: Path) -> None:
    def segment(text: str, more: str = "") -> str:
        return f"<segment id='s{text}' {more}><source>{text}</source><target>{text.upper()}</target></segment>"

    final, initial = "state='final'", "state='initial'"
    text = (
        "<xliff version='2.0' srcLang='en' trgLang='de-DE' xmlns='urn:oasis:names:tc:xliff:document:2.0'"
        " xmlns:m='urn:oasis:names:tc:xliff:matches:2.0'><file id='f'>\n"
        "<unit id='u'><m:matches><m:match><source>no</source><target>NO</target></m:match></m:matches>"
        f"{segment('a')}<ignorable><source> </source></ignorable>{segment('b', final)}"
        f"{segment('c', initial)}<segment><source>d</source></segment></unit>\n"
        f"<group id='g' translate='no'><unit id='v'>{segment('e')}</unit></group>\n"
        "<unit id='w'><segment><source>Go <pc id='1'>home</pc><ph id='2' subType='xlf:lb'/>now<sc id='3'/>"
        "<cp hex='0007'/></source><target><mrk id='m1' type='term'>Heim</mrk></target></segment></unit>"
        "</file></xliff>"
    )
    corpus = opened(tmp_path / "x", text, ".xlf")
    assert outcomes(corpus) == [
        ("a", "A"), ("b", "B"), "not approved", "untranslated", "not to be translated", ("Go home now\x07", "Heim"),
    ]  # fmt: skip
    assert read_rows(corpus, 0).where(1).endswith("line 2, unit u, segment sb")


# gettext

HEADER = 'msgid ""\nmsgstr ""\n"Language: de\\n"\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
POLISH = (
    'msgid ""\nmsgstr ""\n"Language: pl\\n"\n"Content-Type: text/plain; charset=UTF-8\\n"\n"Plural-Forms: nplurals=3; '
    'plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<12 || n%100>14) ? 1 : 2);\\n"\n'
)
STATES = (
    HEADER
    + r"""
# a translator's comment
#. extracted
#: file.c:1
#, c-format
msgid "One \"quoted\"\n"
"over two lines\t\\ \x41\101"
msgstr ""
"Eins „zitiert“\n" "über zwei Zeilen\t\\ \a"

#, fuzzy, c-format
#| msgid "before"
msgid "Two"
msgstr "Zwei"

msgctxt "menu"
msgid "Open"
msgstr "Öffnen"
msgctxt "state"
msgid "Open"
msgstr "Offen"

msgid "Untranslated"
msgstr ""

msgid "one file"
msgid_plural "%d files"
msgstr[0] "eine Datei"
msgstr[1] "%d Dateien"

#, fuzzy
#~ msgid "Old"
#~ msgstr "Alt"

#~| msgid "before"
#~ msgctxt "c"
#~ msgid "Older"
#~ msgstr "Älter"
"""
)


def test_a_catalogue_gives_its_entries_in_order(tmp_path: Path) -> None:
    corpus = opened(tmp_path / "po", STATES, ".po")
    assert outcomes(corpus) == [
        ('One "quoted"\nover two lines\t\\ AA', "Eins „zitiert“\nüber zwei Zeilen\t\\ \a"),
        "fuzzy", ("Open", "Öffnen"), ("Open", "Offen"), "untranslated",
        ("one file", "eine Datei"), ("%d files", "%d Dateien"), "obsolete", "obsolete",
    ]  # fmt: skip
    where = read_rows(corpus, 0).where
    assert where(3).endswith("train.po, line 23, msgctxt state")
    assert where(6).endswith("train.po, line 30, msgstr[1]")


def test_plural_forms_go_by_the_form_of_one(tmp_path: Path) -> None:
    def catalogue(forms: str, language: str, *translations: str) -> str:
        texts = "".join(f'msgstr[{number}] "{text}"\n' for number, text in enumerate(translations))
        header = HEADER.replace("Language: de", f'Language: {language}\\n"\n"Plural-Forms: {forms}')
        return f'{header}\nmsgid "one"\nmsgid_plural "many"\n{texts}'

    def read(*given: str) -> list[tuple[str, str] | str]:
        return outcomes(opened(tmp_path / given[1], catalogue(*given), ".po", "en", given[1]))

    assert read("nplurals=3; plural=(n==1 ? 0 : n<5 ? 1 : 2);", "pl", "a", "b", "c") == [
        ("one", "a"), ("many", "b"), ("many", "c"),
    ]  # fmt: skip
    assert read("nplurals=2; plural=(n==1 ? 1 : 0);", "xx", "a", "b") == [("many", "a"), ("one", "b")]
    assert read("nplurals=1; plural=0;", "ja", "a") == [("many", "a")]
    assert read("nplurals=INTEGER; plural=EXPRESSION;", "yy", "a", "b") == [("one", "a"), ("many", "b")]


def test_the_language_of_a_catalogue_is_looked_at(tmp_path: Path) -> None:
    assert outcomes(opened(tmp_path / "po", STATES, ".po", "de", "en"))[2] == ("Öffnen", "Open")
    with pytest.raises(CorpusError, match=r"train.po says that it translates any language into de, and en to fr is"):
        of_folder(tmp_path / "po", "en", "fr")
    assert outcomes(
        opened(tmp_path / "sr", STATES.replace("Language: de", "Language: sr@latin"), ".po", "en", "sr_Latn")
    )


def test_bytes_in_escapes_are_of_the_encoding(tmp_path: Path) -> None:
    for charset, codes in (("UTF-8", "\\303\\251"), ("iso-8859-1", "\\xe9")):
        text = HEADER.replace("UTF-8", charset) + f'msgid "Caf{codes}"\nmsgstr "Kaffee"\n'
        assert outcomes(opened(tmp_path / charset, text, ".po")) == [("Café", "Kaffee")]
    with pytest.raises(CorpusError, match=r"line 5: \\351 is no character of UTF-8"):
        opened(tmp_path / "none", HEADER + 'msgid "Caf\\351"\nmsgstr "Kaffee"\n', ".po")


def test_a_comment_does_not_tell_the_encoding(tmp_path: Path) -> None:
    text = f'# charset=latin1 was this once\n{HEADER}msgid "for"\nmsgstr "für"\n'
    assert outcomes(opened(tmp_path, text, ".po")) == [("for", "für")]


def test_other_encodings_of_catalogues_are_read(tmp_path: Path) -> None:
    for charset in ("iso-8859-1", "cp1252", "utf-8"):
        text = STATES.replace("charset=UTF-8", f"charset={charset}").replace("„zitiert“", "zitiert")
        corpus = opened(tmp_path / charset, text.encode(charset), ".po")
        assert ("Open", "Öffnen") in outcomes(corpus)
    japanese = HEADER.replace("UTF-8", "SHIFT_JIS").replace("de", "ja") + 'msgid "table"\nmsgstr "表"\n'
    assert b'\\"' in japanese.encode("shift_jis")[-4:]  # its second byte is a backslash
    assert outcomes(opened(tmp_path / "ja", japanese.encode("shift_jis"), ".po", "en", "ja")) == [("table", "表")]
    broken = opened(tmp_path / "broken", STATES.encode().replace("Ö".encode(), b"\xd6"), ".po")
    assert outcomes(broken)[2:4] == ["undecodable", ("Open", "Offen")]
    assert read_rows(broken, 0).texts[2] == ("Open", "\\xd6ffnen")
    with pytest.raises(CorpusError, match="says that its encoding is no-such, which is not known"):
        opened(tmp_path / "none", STATES.replace("charset=UTF-8", "charset=no-such"), ".po")


@pytest.mark.parametrize(
    ("more", "line", "said"),
    [
        ('msgid "a"\n', 2, "the entry of line 1 has no msgstr"),
        ('msgid "a"\nmsgid "b"\nmsgstr "c"\n', 2, "msgid is out of order"),
        ('msgid "a\nmsgstr "c"\n', 1, "a quotation mark is not closed"),
        ('msgid "a" b\nmsgstr "c"\n', 1, '"b" is no keyword'),
        ('msgid "a"\nmsgstr "c\\q"\n', 2, r"\\q is no escape"),
        ('msgid "a"\n#~ msgstr "c"\n', 2, "the entry of line 1 are obsolete"),
        ('msgid "a"\nmsgid_plural "b"\nmsgstr "c"\n', 3, "msgstr in an entry with plural"),
        ('msgid "a"\nmsgstr[0] "c"\n', 2, r"msgstr\[0\] in an entry without plural"),
        ('msgid "a"\nmsgid_plural "b"\nmsgstr[1] "c"\n', 3, r"msgstr\[1\] is out of order"),
        ('"a"\n', 1, "a text without a keyword"),
        ('msgstr "a"\n', 1, "msgstr is out of order"),
        ("msgid\nmsgstr\n", 2, "msgid has no text"),
        ("<html>\n", 1, "neither text nor comment"),
    ],
)
def test_a_damaged_catalogue_is_named_with_line_and_remedy(more: str, line: int, said: str) -> None:
    with pytest.raises(CorpusError, match=rf"x\.po, line {line}: .*{said}.*msgfmt --check.*Mend this place"):
        list(entries(more, "utf-8", "x.po"))
    if MSGFMT:
        found = subprocess.run([MSGFMT, "-o", "/dev/null", "-"], input=more.encode(), capture_output=True, check=False)
        assert found.returncode


LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1, max_size=12)
PO_ENTRIES = st.lists(
    st.tuples(LINES, st.none() | LINES, st.none() | LINES, LINES | st.just(""), st.booleans(), st.booleans()),
    max_size=6, unique_by=lambda each: each[:2],
)  # fmt: skip


def catalogue_of(drawn: Sequence[tuple[str, str | None, str | None, str, bool, bool]]) -> polib.POFile:
    found = polib.POFile(wrapwidth=20)
    found.metadata = {"Language": "de", "Content-Type": "text/plain; charset=UTF-8"}
    for source, context, plural, translation, is_fuzzy, is_obsolete in drawn:
        entry = polib.POEntry(msgid=source, msgctxt=context, obsolete=is_obsolete, flags=["fuzzy"] if is_fuzzy else [])
        if plural is None:
            entry.msgstr = translation
        else:
            entry.msgid_plural, entry.msgstr_plural = plural, {0: translation, 1: f"{translation}s"}
        found.append(entry)
    return found


def read_units(read: object, content: bytes, path: Path) -> list[Unit]:
    path.write_bytes(content)
    return list(read(path, Asked("en", "de"), Tally()))  # type: ignore[operator]


@given(PO_ENTRIES)
@settings(deadline=None, max_examples=60)
def test_any_catalogue_of_polib_is_read_as_polib_and_gettext_read_it(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[str, str | None, str | None, str, bool, bool]]
) -> None:
    written = catalogue_of(drawn)
    folder = tmp_path_factory.mktemp("po")
    text = str(written)
    units = read_units(read_po, text.encode(), folder / "a.po")
    counts = Counter(unit.reason for unit in units)
    expected = Counter[str | None]()
    for entry in written:
        forms = list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]
        for form in forms:
            expected[
                "obsolete" if entry.obsolete else "untranslated" if not form else "fuzzy" if entry.fuzzy else None
            ] += 1
    assert counts == expected
    found = [entry for entry in entries(text, "utf-8", "a.po") if not entry.is_header]
    assert [(each.id.text, each.context and each.context.text) for each in found if each.id] == [
        (each.msgid, each.msgctxt) for each in sorted(written, key=lambda entry: entry.obsolete)
    ]
    for each in found:  # each text stands where its place says
        for field in (each.id, each.context, each.plural, *each.translations.values()):
            if field is not None:
                raw = text[field.start : field.end]
                assert raw[0] == raw[-1] == '"'
    if MSGFMT and all(each.isprintable() for entry in drawn for each in entry[:4] if each):
        made = folder / "a.mo"
        subprocess.run([MSGFMT, "-o", str(made), str(folder / "a.po")], check=True, capture_output=True)
        compiled = list(read_mo(made, Asked("en", "de"), Tally()))
        kept = [
            unit for unit in units if unit.reason is None or (unit.reason == "untranslated" and "msgstr" in unit.place)
        ]
        theirs = gettext.GNUTranslations(io.BytesIO(made.read_bytes()))
        assert theirs.info().get("language") == "de"
        complete = Counter((unit.source, unit.target) for unit in compiled if unit.reason is None)
        assert complete <= Counter((unit.source, unit.target) for unit in kept)


def test_a_compiled_catalogue_gives_what_is_translated(tmp_path: Path) -> None:
    text = STATES.replace('\\n" "', '\\n"\n"').replace(r"\x41\101", "AA").replace(r"\a", "!")  # what polib knows
    polib.pofile(text).save_as_mofile(str(tmp_path / "a.mo"))
    content = (tmp_path / "a.mo").read_bytes()
    corpus = opened(tmp_path / "mo", content, ".mo")
    from_po = opened(tmp_path / "po", text, ".po")
    assert sorted(map(str, outcomes(corpus))) == sorted(
        str(each) for each in outcomes(from_po) if isinstance(each, tuple)
    )
    assert "msgctxt menu" in "".join(map(read_rows(corpus, 0).where, range(corpus.rows)))
    for cut in (10, 30, len(content) // 2, len(content) - 2):
        with pytest.raises(CorpusError, match=r"train\.mo: .*Make it again: msgfmt"):
            opened(tmp_path / f"cut {cut}", content[:cut], ".mo")
    with pytest.raises(CorpusError, match=r"train\.mo: it does not begin as an MO file does"):
        opened(tmp_path / "other", b"\x95\x04" + content[2:], ".mo")


# Test sets of WMT

SOURCE_SGM = """<srcset setid="new" srclang="any">
<doc sysid="source" docid="a" genre="news" origlang="en">
<hl><seg id="1">Head &amp; line</seg></hl>
<p><seg id="2">AT&T said &quot;no&quot;.</seg>
<seg id="3">Lost.</seg></p></doc>
<DOC docid='b'><seg id=1> Two
lines </seg></DOC></srcset>
"""
REFERENCE_SGM = """<refset setid="new" srclang="any" trglang="de">
<doc sysid="ref" docid="b"><seg id="1">Zwei Zeilen</seg></doc>
<doc sysid="ref" docid="a"><seg id="1">Kopfzeile</seg><seg id="2">AT&T sagte nein.</seg></doc>
<doc sysid="second" docid="a"><seg id="1">Überschrift</seg></doc>
</refset>
"""
OF_SGM = [
    ("Head & line", "Kopfzeile"),
    ('AT&T said "no".', "AT&T sagte nein."),
    "untranslated",
    ("Two\nlines", "Zwei Zeilen"),
]


@pytest.mark.parametrize("names", [("train-src.en.sgm", "train-ref.de.sgm"), ("train.en.sgm", "train.de.sgm.gz")])
def test_sgm_is_aligned_by_document_and_segment(tmp_path: Path, names: tuple[str, str]) -> None:
    folder = tmp_path / "sgm"
    folder.mkdir()
    for name, text in zip(names, (SOURCE_SGM, REFERENCE_SGM), strict=True):
        (folder / name).write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    corpus = of_folder(folder)
    assert outcomes(corpus) == OF_SGM
    assert read_rows(corpus, 0).where(3).endswith("line 6, doc b, seg 1")
    assert corpus.remarks == ["1 translations of further translators left out"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("line</seg>", "line", r"train.en.sgm, line 3: its segment is not closed"),
        ('id="3"', 'id="2"', r"line 5: doc a has a second seg 2, after that of line 4"),
        ("</srcset>", "<doc></seg>", "line 7: </seg> closes no segment"),
        ("seg", "sag", "train.en.sgm has no <seg>"),
    ],
)
def test_damaged_sgm_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    (tmp_path / "sgm").mkdir()
    (tmp_path / "sgm" / "train.de.sgm").write_text(REFERENCE_SGM, encoding="utf-8")
    with pytest.raises(CorpusError, match=said):
        opened(tmp_path / "sgm", SOURCE_SGM.replace(old, new), ".en.sgm")
    with pytest.raises(CorpusError, match="have no segment in common"):
        opened(tmp_path / "sgm", SOURCE_SGM.replace('id="a"', 'id="c"').replace("='b'", "='d'"), ".en.sgm")


WMT_XML = """<?xml version='1.0' encoding='utf-8'?>
<dataset id="new"><collection id="general">
<doc id="a" origlang="en"><src lang="en"><p><seg id="1">One &amp; a half</seg><seg id="2">Two</seg></p></src>
<ref lang="de" translator="A"><p><seg id="1">Eins</seg></p></ref>
<ref lang="de" translator="B"><p><seg id="1">Einer</seg><seg id="2">Zwei</seg></p></ref>
<hyp system="X" language="de"><p><seg id="1">Eine</seg></p></hyp></doc>
<doc id="b"><src lang="en"><p><seg id="1">Three</seg></p></src><ref lang="de" translator="A"><p>
<seg id="1"> Drei </seg></p></ref></doc>
</collection></dataset>
"""


def test_the_xml_of_wmt_gives_the_first_translator(tmp_path: Path) -> None:
    corpus = opened(tmp_path / "wmt", WMT_XML, ".xml")
    assert outcomes(corpus) == [("One & a half", "Eins"), "untranslated", ("Three", "Drei")]
    assert corpus.remarks == ["2 translations of further translators left out"]  # type: ignore[attr-defined]
    assert outcomes(of_folder(tmp_path / "wmt", "de", "en"))[0] == ("Eins", "One & a half")
    with pytest.raises(CorpusError, match="references of: en to de; en to fr is asked for"):
        of_folder(tmp_path / "wmt", "en", "fr")
    with pytest.raises(CorpusError, match="has no <doc> with a <src>"):
        opened(tmp_path / "other", "<a/>", ".xml")


# Archives of Moses' form


def test_two_directions_in_one_file_are_refused(tmp_path: Path) -> None:
    documents = [
        f"<doc id='{name}'><src lang='{source}'><p><seg id='1'>A</seg></p></src>"
        f"<ref lang='{target}' translator='X'><p><seg id='1'>B</seg></p></ref></doc>"
        for name, source, target in (("d", "en", "de"), ("e", "de", "en"))
    ]
    with pytest.raises(CorpusError, match=r"de, where the same translator has written en before\."):
        opened(tmp_path, f"<dataset id='x'>{''.join(documents)}</dataset>", ".xml")


def archive(*members: tuple[str, str | bytes], by: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", by) as found:
        for name, content in members:
            found.writestr(name, content)
    return stream.getvalue()


def test_an_archive_of_two_files_is_read(tmp_path: Path) -> None:
    content = archive(
        ("README", "no text"), ("x/Books.de-en.de", codecs.BOM_UTF8 + "Eins\r\nZwei\nDr\x85ei\n".encode()),
        ("x/Books.de-en.en", b"One\nTw\xe9\nThree"),
    )  # fmt: skip
    for ending in (".zip", ".txt.zip"):
        corpus = opened(tmp_path / ending, content, ending)
        assert outcomes(corpus) == [("One", "Eins"), "undecodable", ("Three", "Dr\x85ei")]
        assert "train.txt.zip, x/Books.de-en.en, line 2, byte 3" in str(rows(corpus)[1]) or ending == ".zip"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (archive(("a.en", "One\nTwo\n"), ("a.de", "Eins\n")), r"a\.de ends behind line 1, and the other file goes on"),
        (archive(("a.en", "One\n"), ("b.en", ""), ("a.de", "Eins\n")), r"holds 2 files that end in \.en"),
        (archive(("a.en", "One\n")), r"holds 0 files that end in \.de.*It holds: a\.en"),
        (archive(("a.en", "One\n" * 99), ("a.de", "Eins\n" * 99))[:-40], r"train\.zip: .*unzip -t tests it"),
        (
            archive(("a.en", "One\n"), ("a.de", "Eins\n")).replace(b"\xcfK", b"\xcfL", 1),
            r"train\.zip.*unzip -t tests it",
        ),
        (
            archive(("a.en", "One\n" * 99), ("a.de", "Eins\n" * 99), by=zipfile.ZIP_LZMA).replace(
                b"\x5d\0\0", b"\xff\0\0"
            ),
            r"train\.zip.*unzip -t tests it",
        ),
    ],
)
def test_a_damaged_archive_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        opened(tmp_path / "zip", content, ".zip")


# Several files of one split


def table(path: Path, *pairs: tuple[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"en": [each[0] for each in pairs], "de": [each[1] for each in pairs]}), path)


@pytest.mark.parametrize("inside", ["", "data"])
def test_the_shards_of_a_data_set_are_one_split(tmp_path: Path, inside: str) -> None:
    folder = tmp_path / "hub"
    table(folder / inside / "train-00001-of-00002.parquet", ("c", "d"))
    table(folder / inside / "train-00000-of-00002.parquet", ("a", "b"), ("e", "f"))
    (folder / "README.md").write_text("a card")
    corpus = of_folder(folder)
    assert outcomes(corpus) == [("a", "b"), ("e", "f"), ("c", "d")]
    assert (corpus.rows, corpus.groups) == (3, 2)
    assert read_rows(corpus, 1).where(0).endswith("train-00001-of-00002.parquet, row group 0, row 1")
    assert pickle.loads(pickle.dumps(corpus)).read(1) == [Pair("c", "d")]
    (folder / inside / "train-00000-of-00002.parquet").unlink()
    with pytest.raises(CorpusError, match="lacks number 00000 of the 2 files of train"):
        of_folder(folder)


@pytest.mark.parametrize("column", ["flat", "translation"])
def test_what_save_to_disk_left_is_read(tmp_path: Path, column: str) -> None:
    pairs = [{"en": f"a{number}", "de": f"b{number}"} for number in range(2_200)]
    rows = pairs if column == "flat" else [{"translation": pair} for pair in pairs]
    data = datasets.Dataset.from_list(rows)
    splits = {"train": data, "validation": data.select([7, 5])}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "set", num_shards={"train": 2, "validation": 1})
    corpus = of_folder(tmp_path / "set")
    assert outcomes(corpus) == [(pair["en"], pair["de"]) for pair in pairs]
    assert (corpus.rows, corpus.groups) == (2_200, 4)
    assert read_rows(corpus, 1).where(4).endswith("data-00000-of-00002.arrow, row 1005")
    assert pickle.loads(pickle.dumps(corpus)).read(3)[-1] == Pair("a2199", "b2199")
    assert outcomes(of_folder(tmp_path / "set", split="validation")) == [("a7", "b7"), ("a5", "b5")]
    (tmp_path / "set/train/data-00001-of-00002.arrow").unlink()
    with pytest.raises(CorpusError, match="lacks number 00001 of the 2 files of data"):
        of_folder(tmp_path / "set")


def test_an_arrow_file_with_an_index_is_read_and_its_faults_are_named(tmp_path: Path) -> None:
    text = pa.array([b"a", b"\xff", b"c"]).view(pa.string())
    batch = pa.record_batch({"en": text, "de": pa.array(["A", "B", "C"])})
    path = tmp_path / "train.arrow"
    with pa.ipc.new_file(path, batch.schema) as file:
        file.write_batch(batch)
        file.write_batch(batch.slice(2))
    corpus = of_folder(tmp_path)
    assert outcomes(corpus) == [("a", "A"), "undecodable", ("c", "C"), ("c", "C")]
    assert read_rows(corpus, 1).where(0) == f"{path}, row 4"
    path.write_bytes(path.read_bytes())
    os.utime(path, (1, 1))
    assert read_rows(corpus, 1)[0] == Pair("c", "C")  # the same bytes
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(CorpusError, match=r"train\.arrow has changed since it was opened"):
        corpus.read(0)
    for content in (b"", b"en\tde\n", path.read_bytes()[:300], b"\xff\xff\xff\xff" + b"\x10\0\0\0" * 9):
        path.write_bytes(content)
        with pytest.raises(CorpusError, match=r"train\.arrow cannot be read as Arrow record batches .* write"):
            of_folder(tmp_path)
    with pa.ipc.new_stream(path, batch.schema):
        pass
    with pytest.raises(ValueError, match=r"train\.arrow has columns but no rows"):
        of_folder(tmp_path)
    with pa.ipc.new_stream(path, (other := batch.rename_columns(["en", "fr"])).schema) as file:
        file.write_batch(other)
    with pytest.raises(CorpusError, match=r'train\.arrow.*"de"'):
        of_folder(tmp_path)


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.zst", ".tsv.xz"])
def test_shards_of_lines_are_one_split_too(tmp_path: Path, ending: str) -> None:
    for number in range(3):
        content = (
            f'{{"en": "a{number}", "de": "b{number}"}}\n' if "json" in ending else f"en\tde\na{number}\tb{number}\n"
        )
        packed = next((pack for name, pack in PACKINGS.items() if ending.endswith(name)), bytes)
        (tmp_path / f"train-{number:05d}-of-00003{ending}").write_bytes(packed(content.encode()))
    assert outcomes(of_folder(tmp_path)) == [(f"a{number}", f"b{number}") for number in range(3)]


def test_a_split_may_be_a_folder_of_documents(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    (folder / "train").mkdir(parents=True)
    (folder / "train" / "b.po").write_text(f'{HEADER}\nmsgid "b"\nmsgstr "B"\n')
    (folder / "train" / "a.tmx.gz").write_bytes(gzip.compress(tmx(variant("en", "a") + variant("de", "A")).encode()))
    (folder / "train" / "Makefile").write_text("all:\n")
    corpus = of_folder(folder)
    assert outcomes(corpus) == [("a", "A"), ("b", "B")]
    assert corpus.name == f"{folder}/train (2 files)"
    (folder / "train.tsv").write_text("en\tde\na\tb\n")
    with pytest.raises(ValueError, match=r'split "train" in 2 formats: a\.tmx\.gz \+ b\.po, train\.tsv'):
        of_folder(folder)


# What is kept


def test_rows_are_kept_and_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = tmx(*(variant("en", f"One {number}") + variant("de", f"Eins {number}") for number in range(2_500)))
    corpus = opened(tmp_path / "tm", text, ".tmx")
    assert [len(corpus.read(group)) for group in range(corpus.groups)] == [1_000, 1_000, 500]
    assert outcomes(corpus) == [(f"One {number}", f"Eins {number}") for number in range(2_500)]
    (tmp_path / "tm" / "train.tmx").unlink()
    assert pickle.loads(pickle.dumps(corpus)).read(2)[-1] == Pair("One 2499", "Eins 2499")
    packed = opened(tmp_path / "packed", gzip.compress(text.encode()), ".tmx.gz")
    assert packed.fingerprint == corpus.fingerprint
    changed = opened(tmp_path / "changed", text.replace("Eins 7<", "Zwei 7<"), ".tmx")
    assert changed.fingerprint != corpus.fingerprint

    monkeypatch.setattr("vaswani.data.documents.corpus._keep", lambda *_: pytest.fail("it is there already"))
    again = opened(tmp_path / "tm", text, ".tmx")
    assert (again.fingerprint, again.read(1)) == (corpus.fingerprint, corpus.read(1))
    for kept in (tmp_path / "cache" / "documents").glob("*.parquet"):
        kept.unlink()
    with pytest.raises(CorpusError, match=r"where the rows of .*train\.tmx are kept, cannot be read"):
        again.read(0)
