"""Which literals are found in real notation, and what is counted of them."""

from collections import Counter

import pytest

from benchmarks.scoring.literals import COPY, KINDS, Tally, as_table, literals, tally

FOUND = [
    (
        "URLs and paths",
        "See https://x.org/a-b?c=1#d, or (http://y.org/).",
        ["https://x.org/a-b?c=1#d", "http://y.org/"],
    ),
    ("URLs and paths", "I</etc/fstab> und ~/.profile, ./a.out; and/or 1/2", ["/etc/fstab", "~/.profile", "./a.out"]),
    ("URLs and paths", "`PEP <https://x.org/1/>`_ は/usr/binです。", ["https://x.org/1/", "/usr/bin"]),
    ("options", "B<-x>, --no-color=WHEN (-1) well-known a--b --- -- -foo", ["-x", "--no-color", "-1"]),
    ("options", "オプション--verboseと-vです", ["--verbose", "-v"]),
    ("numbers", "1,000 of 3.5 in 2024-01 or x86, B<cat>(1) v2 10. 第3章", ["1,000", "3.5", "2024", "1", "10", "3"]),
    ("code and placeholders", "B<cat>(1) and C<< a->b >> are I<so>", ["B<cat>", "C<< a->b >>", "I<so>"]),
    ("code and placeholders", ":func:`os.open` は``x[0]``を返す", [":func:`os.open`", "``x[0]``"]),
    ("code and placeholders", "%s of %(name)d, 100% done {0} ${HOME} $x", ["%s", "%(name)d", "{0}", "${HOME}", "$x"]),
]


@pytest.mark.parametrize(("kind", "text", "expected"), FOUND)
def test_a_literal_is_found_as_it_is_written(kind: str, text: str, expected: list[str]) -> None:
    assert literals(text, kind) == Counter(expected)


def test_what_is_kept_and_what_is_invented_is_counted_by_line() -> None:
    sources = ["use -a and -a or -b", "use -c", "-d"]
    references = ["-a -a -b -x", "nimm -c", "ohne"]
    outputs = ["-a -b -x -z -z", "-a", "-d"]
    # -a is wanted twice and there once; -x stands in the reference, -d in the source; -z, and -a of line 2, nowhere.
    assert tally(sources, references, outputs, "options") == Tally(wanted=4, kept=2, written=7, invented=3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_copied_source_keeps_all_and_invents_nothing(kind: str) -> None:
    lines = [text for _, text, _ in FOUND]
    found = tally(lines, lines, lines, kind)
    assert found.wanted == found.kept == found.written > 0
    assert found.invented == 0
    assert tally(lines, lines, [""] * len(lines), kind) == Tally(found.wanted, 0, 0, 0)


def test_unlike_numbers_of_lines_are_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        tally(["-a", "-b"], ["-a", "-b"], ["-a"], "options")


def test_a_table_has_the_copied_source_first_and_no_share_of_nothing() -> None:
    rows = list(as_table(["-a 1"], ["-a 1"], {"mine": ["-a"]}))
    assert f"| options | {COPY} | 1 | 1 | 100.0% | 1 | 0 |" in rows
    assert "| numbers | mine | 1 | 0 | 0.0% | 0 | 0 |" in rows
    assert "| URLs and paths | mine | 0 | 0 | - | 0 | 0 |" in rows
