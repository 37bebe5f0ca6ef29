"""Glossaries: what is read of TSV and TBX, where terms stand in a text, and how sources name them."""

import gzip
import random
from pathlib import Path

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from vaswani.data.glossary.annotation import MARKS, Annotator, annotated
from vaswani.data.glossary.glossary import Glossary, Term, glossary_of
from vaswani.data.glossary.matching import TermFinder, forms
from vaswani.data.glossary.reading import read_glossary
from vaswani.data.pairs import CorpusError, Pair
from vaswani.data.scripts import WITHOUT_SPACES

TBX_2008 = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE martif SYSTEM "TBXBasiccoreStructV02.dtd">
<martif type="TBX-Basic" xml:lang="en"><martifHeader/><text><body>
  <termEntry id="c1">
    <langSet xml:lang="en-US"><tig><term>print  preview</term></tig><tig><term>preview</term></tig></langSet>
    <langSet xml:lang="DE">
      <tig><term>Vorschau</term><termNote type="administrativeStatus">admittedTerm-admn-sts</termNote></tig>
      <ntig><termGrp><term>Seiten<hi>ansicht</hi></term>
        <termNote type="administrativeStatus">preferredTerm-admn-sts</termNote></termGrp></ntig>
      <tig><term>Preview</term><termNote type="administrativeStatus">deprecatedTerm-admn-sts</termNote></tig>
    </langSet>
    <langSet xml:lang="fr"><tig><term>aperçu</term></tig></langSet>
  </termEntry>
  <termEntry id="c2"><langSet xml:lang="en"><tig><term>alone</term></tig></langSet></termEntry>
</body></text></martif>
"""
TBX_2019 = """<?xml version="1.0"?>
<tbx type="TBX-Basic" style="dct" xml:lang="en" xmlns="urn:iso:std:iso:30042:ed-2"
     xmlns:min="http://www.tbxinfo.net/ns/min" xmlns:basic="http://www.tbxinfo.net/ns/basic">
<tbxHeader/><text><body>
  <conceptEntry id="c1">
    <langSec xml:lang="en"><termSec><term>file</term></termSec></langSec>
    <langSec xml:lang="de-DE">
      <termSec><term>Akte</term><min:administrativeStatus>supersededTerm-admn-sts</min:administrativeStatus></termSec>
      <termSec><term>Datei</term></termSec></langSec>
    <langSec xml:lang="de-AT"><termSec><term>File</term></termSec></langSec>
  </conceptEntry>
</body></text></tbx>
"""


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def terms_of(path: Path, *languages: str) -> list[tuple[str, tuple[str, ...]]]:
    return [tuple(term) for term in read_glossary(path, languages or None).terms]  # type: ignore[arg-type, misc]


def test_tsv_of_two_columns_and_with_named_ones(tmp_path: Path) -> None:
    plain = "\ufeff# terms\r\nfile\tDatei\tn., f.\r\n\r\nopen  file\toffene Datei\nfile\tAkte\n"
    expected = [("file", ("Datei", "Akte")), ("open file", ("offene Datei",))]
    assert terms_of(written(tmp_path, "a.tsv", plain)) == expected
    assert terms_of(written(tmp_path, "a.txt", plain), "en", "de") == expected
    assert terms_of(written(tmp_path, "a.tsv.gz", gzip.compress(plain.encode()))) == expected
    named = "fr\tde-DE\tnote\ten\n\tDatei\tx\tfile\nfenêtre\tFenster\t\twindow\n"
    assert terms_of(written(tmp_path, "b.tsv", named), "en", "de") == [("file", ("Datei",)), ("window", ("Fenster",))]
    assert terms_of(written(tmp_path, "c.tsv", "en\tde\nlog\tLog\n")) == [("log", ("Log",))]
    assert terms_of(written(tmp_path, "d.tsv", "log\tlog\nOK\tOK\n")) == [("log", ("log",)), ("OK", ("OK",))]


def test_the_nearest_language_of_a_table_counts(tmp_path: Path) -> None:
    path = written(tmp_path, "t.tsv", "en\tpt-PT\tpt\tpt-BR\nbus\tautocarro\tomnibus\tônibus\n")
    assert terms_of(path, "en", "pt-BR") == [("bus", ("ônibus",))]
    assert terms_of(path, "en", "pt-PT") == [("bus", ("autocarro",))]


def test_a_status_in_a_group_of_notes_counts(tmp_path: Path) -> None:
    note = '<termNote type="administrativeStatus">deprecatedTerm-admn-sts</termNote>'
    languages = {
        "en": "<termSec><term>file</term></termSec>",
        "de": f"<termSec><term>Akte</term><termNoteGrp>{note}<date>2020-01-01</date></termNoteGrp></termSec>"
        "<termSec><term>Datei</term></termSec>",
    }
    sections = "".join(f'<langSec xml:lang="{name}">{each}</langSec>' for name, each in languages.items())
    body = f"<text><body><conceptEntry>{sections}</conceptEntry></body></text>"
    text = f'<tbx style="dca" type="TBX-Core" xml:lang="en">{body}</tbx>'
    assert terms_of(written(tmp_path, "t.tbx", text), "en", "de") == [("file", ("Datei",))]


def test_tbx_of_both_editions(tmp_path: Path) -> None:
    old, new = written(tmp_path, "old.tbx", TBX_2008), written(tmp_path, "new.tbx", TBX_2019)
    both = ("Seitenansicht", "Vorschau")
    assert terms_of(old, "en", "de") == [("print preview", both), ("preview", both)]
    assert terms_of(old, "de", "en-US") == [
        ("Seitenansicht", ("print preview", "preview")),
        ("Vorschau", ("print preview", "preview")),
        ("Preview", ("print preview", "preview")),
    ]
    assert terms_of(new, "en", "de") == [("file", ("Datei", "File"))]
    assert terms_of(new, "en", "de-AT") == [("file", ("File",))]


@pytest.mark.parametrize(
    ("name", "text", "languages", "words"),
    [
        (
            "a.tsv",
            "file\tDatei\nfolder\n",
            None,
            r"a\.tsv, line 2: it has no target term. Write the source term, a tab",
        ),
        ("a.tsv", "\tDatei\n", None, "line 1: it has no source term"),
        ("a.tsv", "file\tDatei\nfolder\tOrdner".encode("utf-16"), None, "holds text in UTF-16"),
        ("a.tsv", b"file\tDatei\nsize\tGr\xf6\xdfe\n", None, r"line 2, byte 8: it is not UTF-8. Convert the file"),
        ("a.tsv", "# nothing\n", None, "has no pair of terms"),
        ("a.tsv", "x" * 200_000, None, "line 1: it is longer than"),
        ("a.tsv", "fr\tit\nun\tuno\n", ("en", "de"), "line 1: the columns are fr, it, and terms from en to de"),
        ("a.tsv", "fi\x07le\tDatei\n", None, "which has a control character"),
        ("a.tsv", "file__done__\tDatei\n", None, "which stand around terms"),
        ("a.tsv", "a" * 501 + "\tDatei\n", None, "has 501 characters"),
        ("a.tbx", TBX_2008, None, "name two by --direction, such as en-de"),
        ("a.tbx", TBX_2008, ("en", "it"), "has no terms in it; its languages are DE, en, en-US, fr"),
        ("a.tbx", TBX_2008[:-40], ("en", "de"), r"a\.tbx, line 1\d: "),
        ("a.tbx", "<tmx/>", ("en", "de"), "has no entry: a TBX file has"),
        ("a.csv", "file,Datei\n", None, r"give a file that ends with \.tsv, \.txt, \.tbx"),
    ],
)
def test_damaged_glossaries_are_named_with_place_and_remedy(
    tmp_path: Path, name: str, text: str | bytes, languages: tuple[str, str] | None, words: str
) -> None:
    with pytest.raises(CorpusError, match=words):
        read_glossary(written(tmp_path, name, text), languages)


PIECES = st.lists(
    st.sampled_from(["file", "File", "s", " ", "-", "(", "menu", "_", "1", "术", "语", "é", "e\u0301", "C++", "ก", "้"]),
    max_size=12,
).map("".join)
_APART = "".join(rf"\p{{Script={script}}}" for script in WITHOUT_SPACES)


def slow_find(text: str, terms: list[str]) -> list[tuple[int, int, int]]:
    """From left to right, at each place the longest that is whole words, by patterns."""
    word = r"[\p{L}\p{M}\p{N}_]"
    bound = regex.compile(rf"(?!\p{{M}})(?:(?<!{word})|(?!{word})|(?<=[{_APART}])|(?=[{_APART}]))")
    found, place = [], 0
    while place < len(text):
        here = []
        for number, term in enumerate(terms):
            for kind, form in enumerate(forms(term)):
                end = place + len(form)
                is_whole = all(at in (0, len(text)) or bound.match(text, at) for at in (place, end))
                if text.startswith(form, place) and is_whole:
                    here.append((-len(form), kind, number, end))
        if here:
            _, _, number, end = min(here)
            found.append((place, end, number))
            place = end
        else:
            place += 1
    return found


@settings(max_examples=400, deadline=None)
@given(text=PIECES, terms=st.lists(PIECES.filter(bool), min_size=1, max_size=5, unique=True))
def test_terms_are_found_as_the_definition_says(text: str, terms: list[str]) -> None:
    assert [tuple(each) for each in TermFinder(terms).find(text)] == slow_find(text, terms)


def test_whole_words_the_longest_and_capitals() -> None:
    terms = ["file", "file menu", "C++", "术语", "-x"]

    def found(text: str) -> list[str]:
        return [text[each.start : each.end] for each in TermFinder(terms).find(text)]

    assert found("File the file menu, not files, profile, file_1 or FILE") == ["File", "file menu"]
    assert found("(file)-file's C++ and -x") == ["file", "file", "C++", "-x"]
    assert found("这个术语表和术语") == ["术语", "术语"]


@settings(max_examples=200, deadline=None)
@given(text=PIECES, seed=st.integers(0, 99))
def test_an_annotated_source_without_its_marks_and_target_terms_is_the_source(text: str, seed: int) -> None:
    draw = random.Random(seed)
    glossary = glossary_of("x", [(term, ["Wort " * draw.randint(1, 2)]) for term in ("file", "menu", "术", "C++")])
    line = Annotator(glossary).line(text)
    _, between, done = map(regex.escape, MARKS)
    back = regex.sub(rf"{between}.*?{done}", "", line).replace(f"{MARKS[0]} ", " ").replace(MARKS[0], "")
    number = len(glossary.find(text))
    assert back.removeprefix(" ") == text.removeprefix(" ")
    assert [line.count(mark) for mark in MARKS] == [number] * 3


def test_a_source_with_terms_by_hand() -> None:
    glossary = Glossary("x", (Term("file", ("Datei", "Akte")), Term("menu", ("Menü",))))
    line = Annotator(glossary).line("File in (menu)")
    assert line == "__source__ File__target__ Datei__done__ in (__source__menu__target__Menü__done__)"
    assert annotated("no term", []) == "no term"
    pair = Pair("open the file menu", "Akte öffnen")
    expected = "open the__source__ file__target__ Akte__done__ menu"
    assert Annotator(glossary).pair((0, 0, 0), 0, pair) == Pair(expected, "Akte öffnen")  # what the target has, alone
    assert Annotator(glossary, 0.0).pair((0, 0, 0), 0, pair) is pair
