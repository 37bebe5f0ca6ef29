"""Cleaning: a pair is kept whole or dropped with a reason, and nothing is lost from the count."""

import html
import itertools
import pickle
import re
from functools import reduce
from operator import add

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaswani.data.cleaning import REASONS, CleaningLimits, Drops, clean_pairs, length_fault, text_fault
from vaswani.data.line_breaks import in_one_line
from vaswani.data.markup import has_markup
from vaswani.data.pairs import Corpus, NoPair, Pair, PairsCorpus, Row
from vaswani.data.scripts import is_written_in, scripts_of

LIMITS = CleaningLimits()
TOKENS = st.integers(1, 400)


class WithBadRows(PairsCorpus):
    """Pairs in memory among which some rows cannot be read."""

    def read(self, group: int) -> list[Row]:  # type: ignore[override]
        return [NoPair("undecodable", "line 1, byte 1"), *super().read(group)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a sentence", None),
        ("tab\tinside", None),
        ("line\u2028separator, no\u00a0break, soft\u00adhyphen, zero\u200bwidth", None),
        ("👩‍👩‍👧 e\u0301 größer", None),
        ("", "empty"),
        (" \t\u3000", "empty"),
        ("nul\0", "control characters"),
        ("one\rtwo", "control characters"),
        ("one\ntwo", "control characters"),
        ("bell\x07", "control characters"),
        ("delete\x7f", "control characters"),
        ("nel\x85", "control characters"),
        ("x" * 5_000, None),
        ("x" * 5_001, "too long"),
        ("\0" * 1_000_000, "too long"),
    ],
)
def test_a_text_is_judged_on_either_side(text: str, reason: str | None) -> None:
    assert text_fault(Pair(text, "fine"), LIMITS) == reason
    assert text_fault(Pair("fine", text), LIMITS) == reason


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        (256, 256, None),
        (257, 256, "too long"),
        (256, 257, "too long"),
        (10, 35, None),
        (10, 36, "length ratio"),
        (36, 10, "length ratio"),
        (2, 11, None),
        (2, 12, "length ratio"),
    ],
)
def test_lengths_are_judged_at_the_limits(source: int, target: int, reason: str | None) -> None:
    assert length_fault(source, target, LIMITS) == reason


@given(TOKENS, TOKENS, st.floats(1, 10))
@settings(deadline=None)
def test_length_is_judged_alike_in_both_directions_and_more_is_allowed_by_wider_limits(
    a: int, b: int, ratio: float
) -> None:
    limits = CleaningLimits(max_ratio=ratio)
    fault = length_fault(a, b, limits)
    assert fault == length_fault(b, a, limits)
    if fault is None:
        assert length_fault(a, b, CleaningLimits(max_tokens=300, max_ratio=ratio + 1)) is None


@given(st.integers(1, 5), st.integers(1, 5))
@settings(deadline=None)
def test_a_few_words_are_never_dropped_by_ratio(a: int, b: int) -> None:
    assert length_fault(a, b, CleaningLimits(max_ratio=1)) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_tokens": 1}, "max_tokens is 1"),
        ({"max_ratio": 0.5}, "max_ratio is 0.5"),
        ({"max_ratio": float("nan")}, "max_ratio is nan"),
        ({"max_characters": 0}, "max_characters is 0"),
    ],
)
def test_limits_that_keep_nothing_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CleaningLimits(**arguments)  # type: ignore[arg-type]


@given(st.lists(st.builds(Pair, st.text(max_size=6), st.text(max_size=6))))
@settings(deadline=None)
def test_every_row_is_yielded_in_order_or_counted(pairs: list[Pair]) -> None:
    corpus: Corpus = WithBadRows("rows", pairs)
    drops, limits = Drops(), CleaningLimits(max_characters=5)
    kept = list(clean_pairs(corpus, limits, drops))
    in_lines = [Pair(*map(in_one_line, pair)) for pair in pairs]
    assert kept == [pair for pair in in_lines if text_fault(pair, limits) is None]
    assert drops.kept == len(kept)
    assert drops.kept + drops.dropped.total() == len(pairs) + corpus.groups
    assert set(drops.dropped) <= set(REASONS)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(sorted(REASONS)))))
@settings(deadline=None)
def test_counts_of_processes_add_up_to_the_count_of_one(events: list[tuple[int, str]]) -> None:
    whole, parts = Drops(), [Drops() for _ in range(4)]
    for number, (process, reason) in enumerate(sorted(events, key=lambda event: event[0])):
        for drops in (whole, parts[process]):
            drops.kept += 1
            drops.add(reason, f"row {number}")
    assert reduce(add, parts) == whole
    assert pickle.loads(pickle.dumps(whole)) == whole


def test_a_report_names_count_reason_remedy_and_the_first_places() -> None:
    drops = Drops(kept=1_234)
    for number in range(5):
        drops.add("undecodable", f"train.de, line {number + 1}, byte 3")
    drops.add("empty", "train.de, group 0, row 7")
    totals, undecodable, empty = drops.report().splitlines()
    assert totals == "1,234 pairs kept, 6 dropped:"
    assert "5 undecodable" in undecodable
    assert "iconv" in undecodable
    assert undecodable.endswith("train.de, line 1, byte 3; train.de, line 2, byte 3; train.de, line 3, byte 3")
    assert empty.endswith("first at train.de, group 0, row 7")
    assert Drops(kept=2).report() == "2 pairs kept, 0 dropped."


@pytest.mark.parametrize(
    "text",
    [
        "<p>", "</p>", "<br/>", "<br />", "<P CLASS=x>", '<a href="http://x.org/?a=1">here', "one<br>two",
        "a <b>big</b> cat", "<!-- seen -->", "<!DOCTYPE html>", '<?xml version="1.0"?>', "<![CDATA[cat]]>",
        "<xs:element>", '<seg id="1">', "<h1\n>", "Tom &amp; Jerry", "it&#39;s", "it&#x27;s", "it&#X2019;s",
        "it&apos;s", "caf&eacute;", "AT&T &lt; IBM",
        "a <title>cat</title>", "a <cat>b</cat>", "cat</title>", "a <cat/>", "<title lang=en>", "<cat name='x'>",
        "<g id=\"1\">cat</g>", "<x id='1'/>", "<ph x=\"1\"/>", "<bpt i=\"1\">", "<_:media-1/>", "<o:p>",
        "<listitem>",
        "H<sub>2</sub>O", "vitamin C<sup>1</sup>", "<b>plan B</b>", "plan B<br>", "`ls` <br>", "see ``<br>`` or <br>",
        "<!ENTITY cat \"x\">", "Q&A &amp; more", "l`art <br> d`un",
    ],
)  # fmt: skip
def test_remains_of_html_are_found(text: str) -> None:
    assert has_markup(text)
    assert has_markup(f"Größer {text} 猫")


@pytest.mark.parametrize(
    "text",
    [
        "a < b", "a<b", "a < b and c > d", "a <b and c> d", "3 <4> 5", "x <= y >= z", "<3", "<-- there", ">_<",
        "<_>", "< p >", "<>", "< >", "<http://example.org>", "<me@example.org>", "<да>", "<<", "<p", "p>",
        "B<cat>", "B<b>", "I<file>", "C<i>", "F<etc/>", "F</tmp>", "B<-d>, B<--delete> I<dir>", "B<ls>(1)",
        "git add <file>...", "<title>", "--time=<time>", "<code> <label>", "<host:port> at <hh:mm>", "press <Enter>",
        "<Del> or <Ins>", "vector<int> and List<String>", "#include <stdio.h>", "%<PRIu64>", "<x@y.org> <a.b>",
        "``<br>`` ends a line", "the `<p>` of HTML", "<Task pending name=x>", "&key; &brandShortName;",
        ":ref:`cat <br>`", "</>", "<!>", "AT&T", "R&D; more", "R&D", "x & y; z", "?a=1&copy=2", "&",
        "&;", "&#;", "&#x;", "&#x2g;",
        "&nothing;", "& amp ;",
    ],
)  # fmt: skip
def test_what_only_looks_like_html_is_kept(text: str) -> None:
    assert not has_markup(text)
    assert not has_markup(f"Größer {text} 猫")


@given(st.text("<>&;#/ =!ap1x-", max_size=40))
@settings(deadline=None, max_examples=300)
def test_text_that_was_escaped_is_found_and_text_without_the_three_signs_is_not(text: str) -> None:
    escaped = html.escape(text)
    assert has_markup(escaped) == (escaped != text)
    assert not has_markup(re.sub("[<>&]", "", text))


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The cat sleeps."), ("de_DE", "Größe"), ("ru", "Кошка спит."), ("uk", "Мої п’ять кішок"),
        ("bg", "Котка"), ("sr", "Мачка"), ("sr", "mačka"), ("sr-Latn", "mačka"), ("sr_Cyrl", "мачка"),
        ("el", "Η γάτα"), ("ar", "القطة نائمة"), ("fa", "گربه"), ("he", "החתול ישן"),
        ("hi", "बिल्ली सो रही है"), ("ja", "コーヒー"), ("ja", "猫はコーヒー"), ("ja", "東京"),
        ("ko", "고양이"), ("ko", "漢字"), ("zh", "猫在睡觉"), ("zh-Hans", "猫"), ("zh_TW", "貓 ㄇㄠ"),
        ("th", "แมวกำลังนอน"),
        ("zho_Hant", "貓"),
        ("ka", "კატა"), ("hy", "կատու"), ("ta", "பூனை"), ("EN", "cat"), ("nds", "Katt"), ("ru", "12:30"),
        ("ru", ""), ("ja", "— 3 % (!) 👍"), ("ru", "5 µ"), ("zh", "ーー"), ("ru", "кот cat"), ("en", "кот cat"),
    ],
)  # fmt: skip
def test_a_language_is_written_in_its_scripts(language: str, text: str) -> None:
    assert is_written_in(text, scripts_of(language))


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Кошка спит."), ("ru", "The cat sleeps."), ("ru", "коты cats a"), ("el", "die Katze"),
        ("zh", "고양이"), ("zh", "ねこ"), ("ko", "ねこ"), ("ja", "고양이"), ("ar", "החתול"), ("he", "القطة"),
        ("sr_Latn", "мачка"), ("sr-Cyrl", "mačka"), ("hi", "แมว"), ("sr", "γάτα"), ("de", "5 Ω μ A"),
        ("zh-Hans", "ㄇㄠ"),
    ],
)  # fmt: skip
def test_another_script_is_noticed(language: str, text: str) -> None:
    assert not is_written_in(text, scripts_of(language))


@given(st.text(" ,;!–—…·、。", max_size=12), st.text("猫犬鳥", max_size=6), st.text("abc", max_size=12), st.text("кот"))
@settings(deadline=None)
def test_half_of_the_letters_decide_wherever_they_stand_and_an_ideograph_counts_as_three(
    signs: str, han: str, latin: str, cyrillic: str
) -> None:
    for one, other in itertools.permutations([(han, "Han", 3), (latin, "Latin", 1), (cyrillic, "Cyrillic", 1)], 2):
        text = one[0] + signs + other[0]
        assert is_written_in(text, one[1]) == (one[2] * len(one[0]) >= other[2] * len(other[0]))
        assert is_written_in(text, f"{one[1]} {other[1]}")


NOTATION = [
    "``os.path.join(a, b)``", "`ls -la`", ":class:`str`", ":c:func:`x`", ":ref:`how <why>`",
    "`cat'", "<tt>some code</tt>",
    "<code class='x'>print x</code>", "<literal>no</literal>",
    "<a href='http://x.org/some/page'>", "<guilabel>", "<br/>",
    "<placeholder>", "B<dpkg>", "I<file>", "C<< some code >>", "B<--delete>", "E<lt>", "https://example.org/a/page?q=1",
    "www.example.org/page", "mailto:me@example.org", "someone@example.org", "/usr/share/doc", "~/notes", "../up",
    "docs/index.rst", "C:\\Windows\\System", "--recursive", "--colour=always", "-x", "-name", "snake_case", "__init__",
    "os.path", "index.html", "std::vector", "camelCase", "GitHub", "x86", "utf8", "0xff", "printf(3)", "main()", "%s",
    "%(name)s", "%1$s", "%-20.3lf", "{name}", "{0}", "{{ user }}", "${HOME}", "$HOME", "$(pwd)",
    "&key;", "&amp;", "@code{x}",
    "\\newline", "*argument*", "**kwargs**", "Ctrl+Alt+Delete", "'quoted'", '"quoted"', "“quoted”", "1,234", ".bashrc",
]  # fmt: skip
SENTENCES = {
    "en": "The cat sleeps", "de": "Größe zählt", "ru": "Кот спит", "uk": "Їжак їсть", "el": "Η γάτα", "ja": "猫がいる",
    "zh": "猫在睡觉", "ko": "고양이가 잔다", "ar": "القطة نائمة", "fa": "گربه خواب است",
    "hi": "बिल्ली सो रही है", "he": "החתול ישן",
    "th": "แมวกำลังนอน", "ka": "კატა ზის", "hy": "կատուն է",
}  # fmt: skip


@pytest.mark.parametrize("language", SENTENCES)
def test_code_names_of_files_and_the_like_are_of_every_language(language: str) -> None:
    scripts = scripts_of(language)
    for piece in NOTATION:
        assert is_written_in(piece, scripts), piece
        for text in (f"{SENTENCES[language]} {piece}", f"{piece} {SENTENCES[language]} ({piece}, {piece})"):
            assert is_written_in(text, scripts), text
        for other in SENTENCES:
            if not set(scripts_of(other).split()) & set(scripts.split()):
                assert not is_written_in(f"{piece} {SENTENCES[other]}, {piece} {piece}.", scripts), (piece, other)
    assert is_written_in(f"{SENTENCES[language]} {' '.join(NOTATION)}", scripts)


@given(st.sampled_from(sorted(SENTENCES)), st.sampled_from(sorted(SENTENCES)), st.lists(st.sampled_from(NOTATION)))
@settings(deadline=None, max_examples=300)
def test_notation_never_decides(expected: str, came: str, pieces: list[str]) -> None:
    text = " ".join([*pieces, SENTENCES[came], *pieces])
    assert is_written_in(text, scripts_of(expected)) == is_written_in(SENTENCES[came], scripts_of(expected))


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ja", "``os.path``を使う"),
        ("ja", "関数`foo`は`bar`を返す"),
        ("zh", "错误：uname 失败"),
        ("zh", "由 Jane Doe 贡献。"),
        ("ko", "버퍼(buffer protocol)"),
        ("ru", "Джейн Доу (Jane Catherine Doe)"),
        ("uk", "B<cat>(1) читає I<файл>"),
        ("ja", "Unix と Windows の違い"),
        ("el", "ο τύπος ``dict[str, Any]``"),
        ("zh", "见https://x.org/a/long/page。"),
        ("de", "α``alpha``βγ is Griechisch"),
        ("en", "the letter ``ж`` of Cyrillic"),
        ("ja", "定義（a definition of it）"),
    ],
)
def test_a_sentence_around_names_and_code_is_kept(language: str, text: str) -> None:
    assert is_written_in(text, scripts_of(language))


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ja", "Use ``os.path`` or `ls` here"),
        ("ru", "See https://x.org/страница for more"),
        ("ru", "(not translated)"),
        ("en", "Файл ``/etc/long_name.conf`` в каталоге ``os.path.join``"),
        ("de", "``contextlib.suppress``を使う"),
        ("uk", "don`t use it, won`t work"),
        ("zh", "``Hello'' he said, and ``bye''"),
        ("ja", "a < b and b > c"),
        ("ko", "ファイル`x`です"),
        ("fr", "Удалить B<пакет> сейчас"),
        ("ar", "100% of the e-mail"),
        ("el", "The word γάτα means cat"),
    ],
)
def test_another_language_around_code_is_noticed(language: str, text: str) -> None:
    assert not is_written_in(text, scripts_of(language))


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "tlh",
            r'of language "tlh" is not known. Add it to the code, such as tlh_Latn .* leave out the check.* de .* zu\.',
        ),
        ("english", '"english" is not known'),
        ("en_Qqqq", '"Qqqq" does not name a Unicode script'),
    ],
)
def test_an_unknown_script_is_refused_with_the_way_out(language: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        scripts_of(language)


def test_html_and_scripts_are_judged_only_when_asked_and_each_side_by_its_own() -> None:
    greek, html_left, html_right = Pair("cat", "γάτα"), Pair("a<br>cat", "γάτα"), Pair("cat", "γάτα &amp; γάτα")
    assert [text_fault(pair, LIMITS) for pair in (greek, html_left, html_right)] == [None] * 3
    limits = CleaningLimits(drop_html=True, source_scripts="Latin", target_scripts="Greek")
    assert [text_fault(pair, limits) for pair in (greek, html_left, html_right)] == [None, "HTML", "HTML"]
    for swapped in (Pair("γάτα", "γάτα"), Pair("cat", "cat"), Pair("γάτα", "cat")):
        assert text_fault(swapped, limits) == "wrong script"
    assert text_fault(Pair("12:30", "γάτα"), limits) is None
    assert text_fault(Pair("γάτα", "γάτα"), CleaningLimits(target_scripts="Greek")) is None
    for field in ("source_scripts", "target_scripts"):
        with pytest.raises(ValueError, match='"Klingon" does not name a Unicode script'):
            CleaningLimits(**{field: "Klingon"})  # type: ignore[arg-type]
