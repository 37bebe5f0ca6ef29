"""Tables by both doors, a folder and a data set: each row by itself, whatever stands in the others."""

import csv
import io
import json
import pickle
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from packings import PACKINGS

from vaswani.data.opening import Corpus, NoPair, Pair, Row, open_corpus
from vaswani.data.pairs import CorpusError
from vaswani.data.quoting import grammar, records, signs

DOORS = ("data_dir", "dataset")
Sides = list[tuple[str, str]]


def opened(folder: Path, door: str, **more: Any) -> Corpus:
    where: dict[str, Any] = {door: str(folder)}
    return open_corpus(**where, split="train", source="en", target="de", **more)


def rows_of(corpus: Corpus) -> list[Row]:
    return [row for group in range(corpus.groups) for row in corpus.read(group)]


def contents(rows: Sequence[Row]) -> list[Pair | str]:
    """Pairs as they are, and of the others the reason."""
    return [row if isinstance(row, Pair) else row.reason for row in rows]


def zipped(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("inner/train.jsonl", content)
        archive.writestr("__MACOSX/._train.jsonl", b"\0\x05\x16\x07")
    return stream.getvalue()


PACKED: dict[str, Callable[[bytes], bytes]] = {"": bytes, **PACKINGS}


# JSON

ODD_ROWS = [
    ({"en": "a", "de": "b"}, Pair("a", "b")),
    ({"en": 5, "de": "b"}, "malformed"),
    ({"en": "a", "de": 1.5}, "malformed"),
    ({"en": True, "de": "b"}, "malformed"),
    ({"en": ["a"], "de": "b"}, "malformed"),
    ({"en": {"text": "a"}, "de": "b"}, "malformed"),
    ({"en": None, "de": "b"}, Pair("", "b")),
    ({"de": "b"}, Pair("", "b")),
    ({"translation": {"en": "a", "de": "b"}}, Pair("a", "b")),
    ({"translation": {"en": 7, "de": "b"}}, "malformed"),
    ({"translation": {"en": None, "de": "b"}}, Pair("", "b")),
    ({"translation": "a"}, "malformed"),
    ({"translation": {"model": "x"}, "en": "a", "de": "b"}, Pair("a", "b")),
    ({"translation": {"model": "x"}, "en": "a"}, Pair("a", "")),
    ({"en": "a", "de": "b", "score": 1}, Pair("a", "b")),
    ({"en": "a", "de": "b", "score": "high"}, Pair("a", "b")),
    ({"en": "a", "de": "b", "score": {"x": [1, "y"]}, "late": None}, Pair("a", "b")),
    ({"en": "nul\0", "de": '"quoted" \\ text'}, Pair("nul\0", '"quoted" \\ text')),
    ("text", "malformed"),
    ({"en": "last", "de": "letzte"}, Pair("last", "letzte")),
]
LINES = b"".join(json.dumps(row).encode() + b"\n" for row, _ in ODD_ROWS)
EXPECTED = [row for _, row in ODD_ROWS]


@pytest.mark.parametrize("ending", ["jsonl", "json", "ndjson"])
@pytest.mark.parametrize("packing", PACKED)
def test_rows_of_json_lines_are_judged_one_by_one_whatever_the_ending(
    tmp_path: Path, ending: str, packing: str
) -> None:
    (tmp_path / f"train.{ending}{packing}").write_bytes(PACKED[packing](LINES))
    for door in DOORS if ending == "jsonl" else DOORS[1:]:
        corpus = opened(tmp_path, door)
        assert contents(rows_of(corpus)) == EXPECTED, door
        assert rows_of(pickle.loads(pickle.dumps(corpus))) == rows_of(corpus)


def test_json_lines_in_a_zip_archive_are_a_file_each(tmp_path: Path) -> None:
    (tmp_path / "train.zip").write_bytes(zipped(LINES))
    corpus = opened(tmp_path, "dataset")
    assert corpus.groups == 1
    assert contents(corpus.read(0)) == EXPECTED
    assert str(corpus.read(0)[1][1]).startswith(f"{tmp_path}/train.zip, inner/train.jsonl, line 2: int")


def test_a_number_after_a_hundred_thousand_texts_costs_its_own_row(tmp_path: Path) -> None:
    """`datasets` would turn all that came in one block with it into JSON source between quotation marks."""
    lines = [json.dumps({"en": f"the cat {n}", "de": f"die katze {n}", "x": "y" * 80}) for n in range(101_000)]
    lines[100_000] = json.dumps({"en": 7, "de": "sieben"})
    (tmp_path / "train.json").write_text("\n".join(lines))
    rows = rows_of(opened(tmp_path, "dataset"))
    assert rows[100_000] == NoPair("malformed", f"{tmp_path}/train.json, line 100001: int, not text")
    del rows[100_000]
    numbers = [n for n in range(101_000) if n != 100_000]
    assert rows == [Pair(f"the cat {n}", f"die katze {n}") for n in numbers]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("final", [True, False])
def test_line_ends_and_a_byte_order_mark_of_json_are_no_text(
    tmp_path: Path, mark: bytes, end: bytes, final: bool
) -> None:
    content = mark + LINES.replace(b"\n", end)
    (tmp_path / "train.jsonl").write_bytes(content if final else content.removesuffix(end))
    for door in DOORS:
        assert contents(rows_of(opened(tmp_path, door))) == EXPECTED


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_json_file_may_be_one_array_or_an_object_that_has_it_as_data(
    tmp_path: Path, indent: int | None, mark: str
) -> None:
    rows = [row for row, _ in ODD_ROWS]
    for value in (rows, {"version": 1, "data": rows}, {"data": rows, "translation": None}):
        (tmp_path / "train.json").write_text(mark + json.dumps(value, indent=indent) + "\n\n")
        assert contents(rows_of(opened(tmp_path, "dataset"))) == EXPECTED
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files: train.json\n  field: pairs\n---\n"
    )
    (tmp_path / "train.json").write_text(json.dumps({"data": [], "pairs": rows}, indent=indent))
    assert contents(rows_of(opened(tmp_path, "dataset"))) == EXPECTED
    (tmp_path / "train.json").write_text(json.dumps({"data": rows}, indent=indent))
    with pytest.raises(CorpusError, match=r"train\.json \(its one object\) has no columns .*it has: data"):
        opened(tmp_path, "dataset")


def test_a_byte_that_is_not_utf8_costs_its_row_in_an_array_too(tmp_path: Path) -> None:
    (tmp_path / "train.json").write_bytes(b'[{"en": "caf\xe9", "de": "a"},\n {"en": "b", "de": "c"}]')
    assert contents(rows_of(opened(tmp_path, "dataset"))) == ["undecodable", Pair("b", "c")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b'[{"en": "a", "de": "b"},\n{"en": "a", "de":',
            r"train\.json is not JSON \(Expecting value.*one object per line",
        ),
        (b'{"rows": [{"en": "a", "de": "b"}]}', r"no columns .*it has: rows"),
        (b'{\n "en": ["a"],\n "de": ["b"]\n}', r"list, not text"),
        (b'{"data": "a"}', "has str where its rows should be"),
        (b"[]", "holds no rows"),
        (b"[1, 2]\n[3, 4]\n", "the first 2 rows are all malformed.*not a JSON object"),
        ('{"en": "a", "de": "b"}\n'.encode("utf-16"), r"train\.json holds text in UTF-16.*iconv -f utf-16 "),
        ('{"en": "a", "de": "b"}\n'.encode("utf-16-le"), r"train\.json holds text in UTF-16-LE.*iconv -f utf-16-le "),
    ],
)
def test_json_that_is_no_table_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "train.json").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        opened(tmp_path, "dataset")


def test_json_in_another_encoding_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files: train.json\n  encoding: latin-1\n---\n"
    )
    (tmp_path / "train.json").write_bytes(LINES)
    with pytest.raises(CorpusError, match="declares that its JSON files are in latin-1"):
        opened(tmp_path, "dataset")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"en": "a", "en": "b", "de": "c"}', "malformed"),
        (b'{"translation": {"en": "a", "de": "b", "de": "c"}}', "malformed"),
        (b'{"translation": {"en": "a", "de": "b"}, "translation": {"en": "c", "de": "d"}}', "malformed"),
        (b'{"en": "a", "x": 1, "x": 2, "de": "c"}', Pair("a", "c")),
        (b'{"en": "a", "e\\u006e": "b", "de": "c"}', "malformed"),
    ],
)
@pytest.mark.parametrize("door", DOORS)
def test_an_object_with_a_wanted_key_twice_is_no_row(
    tmp_path: Path, line: bytes, expected: Pair | str, door: str
) -> None:
    (tmp_path / "train.jsonl").write_bytes(b'{"en": "1", "de": "2"}\n' + line + b"\n")
    assert contents(rows_of(opened(tmp_path, door))) == [Pair("1", "2"), expected]


# Parquet


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "column",
    [
        pa.array([1]),
        pa.array([b"x"]),
        pa.array([["x"]]),
        pa.array([None]),
        pa.array([{"x": "y"}]),
        pa.array(['"x"']).cast(pa.json_()),
    ],
)
def test_a_column_of_parquet_that_is_not_text_is_refused(tmp_path: Path, column: pa.Array, door: str) -> None:
    """JSON source too, which is what `datasets` makes of text beside numbers."""
    pq.write_table(pa.table({"en": column, "de": ["x"]}), tmp_path / "train.parquet")
    with pytest.raises(ValueError, match=r'train\.parquet: column "en" holds .*, not text'):
        opened(tmp_path, door)


# TSV

CELLS = st.text(st.sampled_from('ab "“\t\n\r,\\é😀'), max_size=6).map(lambda text: text.rstrip("\r"))
MARKS = ['"a\tb', '"c\t"d', 'e\tf"', '"g "h" i\tj ""k""', '"Yes."\t"No."', '"\t"', '""\t""']


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("quoting", [None, "none"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_quotation_mark_in_tsv_is_text_by_both_doors(
    tmp_path: Path, door: str, quoting: str | None, end: str
) -> None:
    (tmp_path / "train.tsv").write_bytes(end.join(["en\tde", *MARKS, ""]).encode())
    rows = rows_of(opened(tmp_path, door, tsv_quoting=quoting))
    assert rows == [Pair(*line.split("\t")) for line in MARKS]


def as_pandas(folder: Path, sides: Sides, end: str = "\n", quoting: Any = csv.QUOTE_MINIMAL) -> None:
    """Write as `DataFrame.to_csv` does, by the same writer."""
    with (folder / "train.tsv").open("w", newline="") as file:
        csv.writer(file, "excel-tab", lineterminator=end, quoting=quoting).writerows([("en", "de"), *sides])


SPOKEN = [("plain", "schlicht"), ('He said "yes".', 'Er sagte "ja".'), ("a\tb", "c\nd"), ('"', '""'), ("", "leer")]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_pandas_wrote_is_told_and_read_by_choice(tmp_path: Path, door: str, quoting: Any, end: str) -> None:
    as_pandas(tmp_path, SPOKEN, end, quoting)
    with pytest.raises(
        CorpusError, match=r"train\.tsv looks like TSV from a spreadsheet .*--tsv_quoting spreadsheet.*_quoting none"
    ):
        opened(tmp_path, door)
    corpus = opened(tmp_path, door, tsv_quoting="spreadsheet")
    assert rows_of(corpus) == [Pair(*sides) for sides in SPOKEN]
    assert corpus.rows == len(SPOKEN)


def test_signs_of_quoting_are_found_at_the_end_of_a_long_file(tmp_path: Path) -> None:
    as_pandas(tmp_path, [*[(f"the cat {n}", f"die katze {n}") for n in range(5_000)], ('a "b"', "c")])
    for door in DOORS:
        with pytest.raises(CorpusError, match=r"looks like TSV from a spreadsheet .*\(see line 5002\)"):
            opened(tmp_path, door)
        assert rows_of(opened(tmp_path, door, tsv_quoting="spreadsheet"))[-1] == Pair('a "b"', "c")
        assert rows_of(opened(tmp_path, door, tsv_quoting="none"))[-1] == Pair('"a ""b"""', "c")


EXCEL = "en\tde\n" + '"Yes, sir."\tJa.\n' * 3 + "No.\tNein.\n"


@pytest.mark.parametrize(
    ("content", "quoted"),
    [
        (EXCEL, True),
        (EXCEL + "No, sir.\tNein.\n", False),
        ("en\tde\n" + '"Yes."\t"Ja."\n' * 3, True),
        ("en\tde\n" + '"Yes."\t"Ja."\n' * 2, False),
        ("en\tde\n" + '"Yes."\t"Ja."\n' * 3 + "No.\tNein.\n", False),
        ('en\tde\n"a ""b"" c"\td\n', True),
        ('en\tde\n"a ""b"" c"\td\ne "f" g\th\n', False),
        ('"en"\t"de"\na\tb\n', True),
        ("en\tde\na\tb\n", False),
    ],
)
@pytest.mark.parametrize("door", DOORS)
def test_quoting_is_told_by_its_signs(tmp_path: Path, content: str, quoted: bool, door: str) -> None:
    (tmp_path / "train.tsv").write_text(content)
    if quoted:
        with pytest.raises(CorpusError, match="looks like TSV from a spreadsheet"):
            opened(tmp_path, door)
    else:
        opened(tmp_path, door)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6), st.sampled_from(["\n", "\r\n"]))
@settings(deadline=None)
@example([('a"\n', "\rb"), ("\n", '"')], "\n")
def test_what_the_csv_module_quotes_comes_back(sides: Sides, end: str) -> None:
    """A lone carriage return included, which only some writers quote and no reader here takes for a line end."""
    for separator in ("\t", ",", ";"):
        stream = io.StringIO()
        csv.writer(stream, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_MINIMAL).writerows(sides)
        found = list(records(stream.getvalue().encode(), grammar(separator.encode())))
        assert [tuple(cell.decode() for cell in each.cells or []) for each in found] == sides
        lines = stream.getvalue().split("\n")
        for each in found:
            assert lines[each.line - 1] == stream.getvalue().encode()[each.start :].decode().split("\n")[0]


@given(st.binary(max_size=40) | st.text(st.sampled_from('a"\t\n\r'), max_size=20).map(str.encode))
@settings(deadline=None)
def test_every_line_is_in_one_record_whatever_the_bytes(content: bytes) -> None:
    found = list(records(content, grammar(b"\t")))
    starts = [each.start for each in found]
    assert starts == sorted(set(starts))
    for each, end in zip(found, [*starts, len(content)][1:], strict=True):
        if each.cells is None:  # one line, and after it at most empty ones
            assert content[each.start : end].strip(b"\r\n").count(b"\n") == 0
        assert each.line == content.count(b"\n", 0, each.start) + 1
    signs(content, 2, grammar(b"\t"))


@pytest.mark.parametrize("door", DOORS)
def test_a_stray_mark_in_quoted_tsv_costs_its_line(tmp_path: Path, door: str) -> None:
    lines = ['"a\tb', 'c\td "e', '"f"x\tg', '"h ""i"""\tj', '"k\nl"\tm', "n", "o\tp\tq", "", "r\t\udcff", '"s\tt']
    (tmp_path / "train.tsv").write_bytes("\n".join(["en\tde", *lines]).encode("utf-8", "surrogateescape"))
    rows = rows_of(opened(tmp_path, door, tsv_quoting="spreadsheet"))
    assert contents(rows) == [
        "malformed",
        Pair("c", 'd "e'),
        "malformed",
        Pair('h "i"', "j"),
        Pair("k\nl", "m"),
        "malformed",
        "malformed",
        "undecodable",
        "malformed",
    ]
    assert [str(row[1]).split(":")[0] for row in rows if isinstance(row, NoPair)] == [
        f"{tmp_path}/train.tsv, line {line}" for line in (2, 4, 8, 9)
    ] + [f"{tmp_path}/train.tsv, line 11, byte 1", f"{tmp_path}/train.tsv, line 12"]


def test_groups_of_quoted_tsv_hold_whole_records(tmp_path: Path) -> None:
    sides = [(f"one\ntwo {n}", f'"{n}"') for n in range(2_500)]
    as_pandas(tmp_path, sides)
    content = (tmp_path / "train.tsv").read_bytes()
    (tmp_path / "train.tsv").write_bytes(b"\xef\xbb\xbf" + content)
    corpus = opened(tmp_path, "data_dir", tsv_quoting="spreadsheet")
    assert [len(corpus.read(group)) for group in range(corpus.groups)] == [1_000, 1_000, 500]
    assert rows_of(corpus) == rows_of(pickle.loads(pickle.dumps(corpus))) == [Pair(*each) for each in sides]
    (tmp_path / "train.tsv").unlink()
    (tmp_path / "train.tsv.zst").write_bytes(PACKED[".zst"](content))
    assert rows_of(opened(tmp_path, "data_dir", tsv_quoting="spreadsheet")) == [Pair(*each) for each in sides]


@pytest.mark.parametrize("door", DOORS)
def test_the_fingerprint_tells_how_marks_were_read(tmp_path: Path, door: str) -> None:
    (tmp_path / "train.tsv").write_text("en\tde\na\tb\n")
    found = [opened(tmp_path, door, tsv_quoting=each).fingerprint for each in (None, "none", "spreadsheet")]
    assert found[0] == found[1] != found[2]


def test_a_quoting_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("en\tde\na\tb\n")
    with pytest.raises(ValueError, match=r"--tsv_quoting is 'excel'\. Give one of: none, spreadsheet"):
        opened(tmp_path, "data_dir", tsv_quoting="excel")


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("name", ["tsv", "en"])
def test_packed_text_is_read_by_both_doors(tmp_path: Path, packing: str, name: str) -> None:
    if name == "tsv":
        (tmp_path / f"train.tsv{packing}").write_bytes(PACKED[packing](b"en\tde\na\tb\nc\td\n"))
    else:
        (tmp_path / f"train.en{packing}").write_bytes(PACKED[packing](b"a\nc\n"))
        (tmp_path / "train.de").write_bytes(b"b\nd\n")
    for door in DOORS if name == "tsv" else DOORS[:1]:
        assert rows_of(opened(tmp_path, door)) == [Pair("a", "b"), Pair("c", "d")]


# CSV


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"en,de\na,b\n1,2\n01,NA\n", [Pair("a", "b"), Pair("1", "2"), Pair("01", "NA")]),
        (b"en,de\na,b,\nc,d\n", ["malformed", Pair("c", "d")]),  # pandas would take the first cells for an index
        (b"en,de\na\nc,d\n", ["malformed", Pair("c", "d")]),
        (b'en,de\n"a, ""b""",c\nd "e",f\n', [Pair('a, "b"', "c"), Pair('d "e"', "f")]),
        (b'en,de\n"a,b\nc,d\n"e"x,f\n', ["malformed", Pair("c", "d"), "malformed"]),
        (b"en,de\n\xff,b\nc,d\n", ["undecodable", Pair("c", "d")]),
        (b"\xef\xbb\xbfen,de\r\na,b\r\n\r\nc,d", [Pair("a", "b"), Pair("c", "d")]),
        (b'"en","de"\n"a","b\nc"\n', [Pair("a", "b\nc")]),
        (b"en,x,de\na,1,b\nc,y,d\n", [Pair("a", "b"), Pair("c", "d")]),
    ],
)
def test_rows_of_csv_are_judged_one_by_one(tmp_path: Path, content: bytes, expected: list[Pair | str]) -> None:
    (tmp_path / "train.csv").write_bytes(content)
    assert contents(rows_of(opened(tmp_path, "dataset"))) == expected


@pytest.mark.parametrize(
    ("told_there", "content"),
    [
        ("sep: ';'", b'en;de\n"a;b";c,d\n'),
        ("sep: '\\t'\n  names: [en, de]", b"a;b\tc,d\n"),
        ("sep: '\\t'\n  quoting: 3", b"en\tde\na;b\tc,d\n"),
        ("skiprows: 1", b'about\nen,de\na;b,"c,d"\n'),  # which only pandas knows
    ],
)
def test_what_a_data_set_says_of_its_files_is_heard(tmp_path: Path, told_there: str, content: bytes) -> None:
    (tmp_path / "README.md").write_text(
        f"---\nconfigs:\n- config_name: default\n  data_files: train.csv\n  {told_there}\n---\n".replace(
            "'\\t'", '"\\t"'
        )
    )
    (tmp_path / "train.csv").write_bytes(content)
    assert rows_of(opened(tmp_path, "dataset")) == [Pair("a;b", "c,d")]


def test_rows_that_pandas_would_shift_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files: train.csv\n  skiprows: 1\n---\n"
    )
    (tmp_path / "train.csv").write_bytes(b"about\nen,de\na,b,\nc,d,\n")
    with pytest.raises(CorpusError, match=r"train\.csv has rows with more cells than columns"):
        opened(tmp_path, "dataset")
