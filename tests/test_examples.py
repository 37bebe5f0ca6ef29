"""What is dropped is named by the line of its file, and a look shows some of each reason, always the same ones."""

import csv
import gzip
import io
import json
import re
import shlex
import tempfile
import unicodedata
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpus_of_groups import GroupedCorpus
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from vaswani.data import CleaningLimits, Corpus, Drops, Mixture, Pair, open_corpus
from vaswani.data.cleaning import OF_FILTER, REASONS, Dropped
from vaswani.data.encoding import encode, encode_rows
from vaswani.data.json_places import read_document
from vaswani.data.pairs import NoPair, read_rows
from vaswani.experiment.arguments import Arguments, Recipe, parse
from vaswani.experiment.examples import LONGEST, SHOWN, Example, Sample, examples_as_text, on_one_line, read_examples
from vaswani.experiment.inspection import figures, inspect, inspection_as_text

LIMITS = CleaningLimits(
    max_tokens=100, drop_html=True, source_scripts="Latin", target_scripts="Latin", line_breaks="drop"
)
FAULTS = {
    "empty": "",
    "HTML": "a <br> b",
    "control characters": "a\0b",
    "wrong script": "кот спит на столе",
    "length ratio": "y " * 30,
    "too long": "word " * 99,
    "line break": "one\ntwo",
}
"""Targets, by the reason for which they are dropped."""
BROKEN = ("undecodable", "malformed")
KINDS = ("kept", *FAULTS, *BROKEN)

OF_DOCUMENTS = {"untranslated", "fuzzy", "obsolete", "not approved", "not to be translated", "other language"}
"""Reasons that only units of documents have."""


def source_of(n: int) -> str:
    return f"row{n:05d}: the cat"


def target_of(kind: str) -> str:
    return FAULTS.get(kind, "die Katze sitzt")


# Each writes rows of such kinds and returns what lines, from 0, the rows begin in, and the kinds that it can write.


def text_files(folder: Path, kinds: list[str], packing: str = "") -> list[str]:
    """Line n of one file beside line n of the other: no row can have a line break, nor be malformed."""
    kinds = ["kept" if kind in ("line break", "malformed") else kind for kind in kinds]
    sides = [
        b"".join(source_of(n).encode() + b"\r\n" for n in range(len(kinds))),
        b"".join((b"\xff" if kind == "undecodable" else target_of(kind).encode()) + b"\n" for kind in kinds),
    ]
    for language, content in zip(("en", "de"), sides, strict=True):
        (folder / f"train.{language}{packing}").write_bytes(gzip.compress(content) if packing else content)
    return kinds


def packed_text_files(folder: Path, kinds: list[str]) -> list[str]:
    return text_files(folder, kinds, ".gz")


def tsv(folder: Path, kinds: list[str]) -> list[str]:
    kinds = ["kept" if kind == "line break" else kind for kind in kinds]
    ends = {"undecodable": b"\xff", "malformed": b"a\tb\tc"}
    rows = [f"{source_of(n)}\t".encode() + ends.get(kind, target_of(kind).encode()) for n, kind in enumerate(kinds)]
    (folder / "train.tsv").write_bytes(b"\xef\xbb\xbf" + b"\n".join([b"en\tde", *rows]) + b"\n")
    return kinds


def quoted(folder: Path, kinds: list[str], ending: str, separator: str) -> list[str]:
    """Cells that span lines, between rows whose quotation marks or bytes make no sense."""
    content = io.BytesIO(f"en{separator}de\r\n".encode())
    content.seek(0, io.SEEK_END)
    for n, kind in enumerate(kinds):
        if kind == "malformed":
            content.write(f'{source_of(n)}{separator}"x\n'.encode())
        elif kind == "undecodable":
            content.write(f"{source_of(n)}{separator}".encode() + b"\xff\n")
        else:
            row = io.StringIO(newline="")
            csv.writer(row, delimiter=separator, quoting=csv.QUOTE_ALL).writerow([source_of(n), target_of(kind)])
            content.write(row.getvalue().encode())
    (folder / f"train.{ending}").write_bytes(content.getvalue())
    return kinds


def quoted_tsv(folder: Path, kinds: list[str]) -> list[str]:
    return quoted(folder, kinds, "tsv", "\t")


def comma_separated(folder: Path, kinds: list[str]) -> list[str]:
    return quoted(folder, kinds, "csv", ",")


def objects(kinds: list[str]) -> list[bytes]:
    values: list[dict[str, Any]] = [{"en": source_of(n), "de": target_of(kind)} for n, kind in enumerate(kinds)]
    rows = []
    for value, kind in zip(values, kinds, strict=True):
        if kind == "malformed":
            value["de"] = 7
        text = json.dumps(value, ensure_ascii=False).encode()
        rows.append(text.replace(b"Katze", b"K\xfftze") if kind == "undecodable" else text)
    return rows


def json_lines(folder: Path, kinds: list[str]) -> list[str]:
    (folder / "train.jsonl").write_bytes(b"\n".join(objects(kinds)))
    return kinds


def json_array(folder: Path, kinds: list[str], before: bytes = b"\n[", after: bytes = b"]") -> list[str]:
    """Objects over several lines each, several to a line, and blanks before all of it."""
    rows = [text.replace(b", ", b",\n  ") if n % 3 else text for n, text in enumerate(objects(kinds))]
    joined = b"".join(
        text + (b"" if n + 1 == len(rows) else b", " if n % 4 else b",\n\n") for n, text in enumerate(rows)
    )
    (folder / "train.json").write_bytes(before + joined + after)
    return kinds


def json_under_a_key(folder: Path, kinds: list[str]) -> list[str]:
    return json_array(folder, kinds, b'{"version": [1,\n2], "data": [\n', b'\n], "more":\n{}}\n')


def parquet(folder: Path, kinds: list[str]) -> list[str]:
    kinds = ["kept" if kind == "malformed" else kind for kind in kinds]
    pq.write_table(table_of(kinds), folder / "train.parquet", row_group_size=700)
    return kinds


def arrow(folder: Path, kinds: list[str]) -> list[str]:
    """What `datasets` streams, a thousand rows at a time."""
    kinds = ["kept" if kind in BROKEN else kind for kind in kinds]
    table = table_of(kinds)
    with pa.OSFile(str(folder / "train.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table, max_chunksize=300)
    return kinds


def table_of(kinds: list[str]) -> pa.Table:
    targets = [b"\xff" if kind == "undecodable" else target_of(kind).encode() for kind in kinds]
    columns = {"en": [source_of(n) for n in range(len(kinds))], "de": pa.array(targets, pa.binary()).view(pa.string())}
    return pa.table(columns)


Writer = Callable[[Path, list[str]], list[str]]
FORMS: dict[Writer, dict[str, Any]] = {
    text_files: {},
    packed_text_files: {},
    tsv: {},
    quoted_tsv: {"tsv_quoting": "spreadsheet"},
    json_lines: {},
    parquet: {},
    arrow: {"door": "dataset"},
    comma_separated: {"door": "dataset"},
    json_array: {"door": "dataset"},
    json_under_a_key: {"door": "dataset"},
}


def opened(folder: Path, door: str = "data_dir", **more: Any) -> Corpus:
    where: dict[str, Any] = {door: str(folder)}
    return open_corpus(**where, split="train", source="en", target="de", **more)


def stands_at(folder: Path, where: str) -> str:
    """What an editor shows in the line that a message names, or parquet in the row."""
    if ", row " in where:
        [*_, number] = re.findall(r"\(row (\d+) of the file\)", where) or re.findall(r", row (\d+)", where)
        return source_of(int(number) - 1)  # as the table has them
    number = int(re.search(r", line (\d+)", where)[1])  # type: ignore[index]
    [path] = [path for path in folder.iterdir() if path.stem.removesuffix(".en") == "train" and ".de" not in path.name]
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).split(b"\n")[number - 1].decode("latin-1")


@pytest.mark.parametrize("form", FORMS)
@given(st.lists(st.sampled_from(KINDS), min_size=1, max_size=30), st.sampled_from([0, 985, 1_990]))
@settings(deadline=None, max_examples=12)
def test_what_is_dropped_is_named_by_its_line(
    toy_tokenizer: PreTrainedTokenizerFast, form: Writer, kinds: list[str], before: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kinds = form(folder, ["kept"] * (before + 1) + kinds)
        corpus = opened(folder, **FORMS[form])
        found: list[tuple[str, str]] = []
        for group in range(corpus.groups):
            dropped: list[Dropped] = []
            rows = read_rows(corpus, group)
            drops = encode_rows(rows, partial(encode, toy_tokenizer), LIMITS, dropped).drops
            assert drops.dropped.total() == len(dropped)
            for position, reason in sorted(dropped):
                row = rows[position]
                found.append((reason, row.where if isinstance(row, NoPair) else rows.where(position)))
                assert row[1].startswith(rows.where(position)) or isinstance(row, Pair) or reason == "undecodable"
        expected = [(n, kind) for n, kind in enumerate(kinds) if kind != "kept"]
        assert [reason for reason, _ in found] == [kind for _, kind in expected]
        for (n, _), (_, where) in zip(expected, found, strict=True):
            assert source_of(n) in stands_at(folder, where)


@given(
    st.dictionaries(st.tuples(st.integers(0, 5), st.integers(0, 9)), st.sampled_from(["empty", "HTML"]), max_size=40),
    st.randoms(use_true_random=False),
    st.integers(1, 3),
)
@settings(deadline=None)
def test_the_same_rows_are_drawn_in_whatever_order_they_are_counted(
    toy_tokenizer: PreTrainedTokenizerFast, faults: dict[tuple[int, int], str], draw: Any, weight: int
) -> None:
    texts = {"empty": "", "HTML": "<br>"}
    content = tuple(
        tuple(Pair(f"{g} {p}", texts.get(faults.get((g, p), ""), "x")) for p in range(10)) for g in range(6)
    )
    corpus = Mixture([GroupedCorpus("rows", content)], [weight])
    groups = []
    for group in range(corpus.groups):
        drops = Drops()
        for position in range(10):
            if reason := faults.get((group % 6, position)):
                drops.add(reason, "")
        groups.append((group, drops))
    drawn = []
    for _ in range(2):
        sample = Sample(corpus)
        for each in groups:
            sample.note([each])
        drawn.append(read_examples(sample, toy_tokenizer, CleaningLimits(drop_html=True)))
        draw.shuffle(groups)
    assert drawn[0] == drawn[1]
    for reason in texts:
        of_reason = {place for place, fault in faults.items() if fault == reason}
        shown = drawn[0].get(reason, [])
        assert len(shown) == min(SHOWN, len(of_reason))
        assert {each.texts for each in shown} <= {(f"{g} {p}", texts[reason]) for g, p in of_reason}
        assert len(set(shown)) == len(shown)
        for row in shown:
            place, number = row.texts[0].split()
            assert row.where == f"rows, group {place}, row {int(number) + 1}"


def test_examples_come_from_all_of_a_text() -> None:
    content = tuple(tuple(Pair(f"{group} {row}", "") for row in range(50)) for group in range(40))
    corpus = GroupedCorpus("rows", content)
    groups: set[int] = set()
    for prefix in range(8):  # other text, other draws
        sample = Sample(GroupedCorpus("rows", (*content, (Pair(str(prefix), "x"),))))
        for group in range(40):
            drops = Drops()
            for row in corpus.read(group):
                drops.add("empty", str(row))
            sample.note([(group, drops)])
        groups |= sample.by_group().keys()
    assert max(groups) > 25
    assert len(groups) > 12


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=3),
    max_leaves=8,
)


@given(
    VALUES,
    st.sampled_from([None, 2]),
    st.text(" \n\t", max_size=3),
    st.integers(0, 40),
    st.text(' \n,:[]{}"a', max_size=1),
)
def test_json_is_read_as_json_reads_it_and_elements_stand_where_they_do(
    value: object, indent: int | None, blank: str, place: int, sign: str
) -> None:
    text = blank + json.dumps(value, indent=indent, ensure_ascii=False) + blank
    text = text[:place] + sign + text[place:]  # may be no JSON any more
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(json.JSONDecodeError):
            read_document(text, 0, json.JSONDecoder(), dict)
        return
    found = read_document(text, 0, json.JSONDecoder(), dict)
    assert found.value == expected
    arrays = {None: expected} if isinstance(expected, list) else expected if isinstance(expected, dict) else {}
    assert {key: [json.loads(text[slice(*span)]) for span in spans] for key, spans in found.spans.items()} == {
        key: array for key, array in arrays.items() if isinstance(array, list)
    }


# on the screen


def columns(text: str) -> int:
    return sum(
        0 if unicodedata.category(each) in ("Mn", "Me") else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )


@given(st.text() | st.text("猫 x\0\n\u202e\u0301\ud800"), st.integers(20, 60))
def test_a_text_takes_one_line_of_so_many_columns_and_nothing_in_it_is_unseen(text: str, width: int) -> None:
    shown = on_one_line(text, width)
    assert columns(shown) <= width
    assert shown.isprintable()
    assert shown
    if text.isprintable() and text.strip() and columns(text) <= width:
        assert shown == text


def test_what_cannot_be_seen_is_spelled_out() -> None:
    assert on_one_line("a\rb\x1b[31m\u202e\ud800c\u200b\0", 60) == "a\\rb\\x1b[31m\\u202e\\ud800c\\u200b\\x00"
    assert on_one_line("", 60) == "''"
    assert on_one_line(" \u3000 ", 60) == "' \\u3000 '"
    assert on_one_line("x" * 60, 60) == "x" * 60
    assert on_one_line("x" * 61, 60) == "x" * 56 + " ..."
    assert on_one_line("猫" * 31, 60) == "猫" * 28 + " ..."


def test_what_is_shown_has_the_width_of_the_screen_and_whole_places(monkeypatch: pytest.MonkeyPatch) -> None:
    drops = Drops()
    for number in range(1_234):
        drops.add("HTML", str(number))
    where = f"{'folder/' * 20}train.tsv, line 2"
    found = {"HTML": [Example(where, ("<br> " * 50, "x\n"))]}
    for width in (50, 90):
        monkeypatch.setenv("COLUMNS", str(width))
        *head, text, other = examples_as_text(found, drops)
        assert head == [
            "Some of the dropped rows, sampled from all inspected:",
            "  HTML, 1 of 1,234:",
            f"    {where}",
        ]
        assert (text.startswith("      <br> "), len(text) <= width, len(text) > width - 6) == (True, True, True)
        assert other == "      x\\n"
    assert examples_as_text({}, Drops()) == []


# a look


def arguments_of(folder: Path, *flags: object) -> Arguments:
    recipe = Recipe("", {"vocab_size": 300}, {"dataset": "grammar"}, {"output_dir": "run"})
    rules = shlex.split("--drop_html --check_script --max_tokens 60 --max_unreadable 0.1")
    given = ["--data_dir", folder, "--cache_dir", folder / "cache", *rules, *flags]
    return parse(recipe, list(map(str, given)))


def write_tsv(folder: Path) -> Path:
    """A file of two row groups with a row of every reason that lines can have."""
    rows = [f"a word {n}\tein Wort {n}".encode() for n in range(1_400)]
    rows[1_100:1_110] = [
        b"\tleer",
        b"a\x00b\tc",
        b"a\tb\tc",
        b"\xff\tx",
        b"x <br> y\tz",
        "кот спит\tdie Katze".encode(),
        rows[4],
        b"long\t" + b"word " * 999,
        b"x\t" + b"y " * 9,
        b"A  WORD 7\tetwas",
    ]
    folder.mkdir(exist_ok=True)
    (folder / "train.tsv").write_bytes(b"en\tde\n" + b"\n".join(rows) + b"\n")
    for split in ("validation", "test"):
        (folder / f"{split}.tsv").write_text("en\tde\na word 7\tein Wort 7\n")
    return folder / "train.tsv"


def test_a_look_shows_pairs_of_every_reason_and_from_packed_text_the_same(tmp_path: Path) -> None:
    file = write_tsv(tmp_path)
    flags = ["--drop_duplicates", "--drop_test_text", "--packed_cache", "--window_groups", "1"]
    arguments = arguments_of(tmp_path, *flags)
    seen = inspect(arguments)
    assert set(seen.examples) == set(REASONS) - {"damaged", "line break"} - OF_DOCUMENTS - OF_FILTER
    assert {reason: len(found) for reason, found in seen.examples.items()} == {
        reason: min(SHOWN, count) for reason, count in seen.drops.dropped.items()
    }
    by_line = {
        int(re.search(r"line (\d+)", each.where)[1]): (reason, *each.texts)  # type: ignore[index]
        for reason, found in seen.examples.items()
        for each in found
    }
    assert by_line.pop(9) == ("test text", "a word 7", "ein Wort 7")
    assert by_line == {
        1_102: ("empty", "", "leer"),
        1_103: ("control characters", "a\0b", "c"),
        1_104: ("malformed", "a\tb\tc"),
        1_105: ("undecodable", "\\xff\tx"),
        1_106: ("HTML", "x <br> y", "z"),
        1_107: ("wrong script", "кот спит", "die Katze"),
        1_108: ("duplicate", "a word 4", "ein Wort 4"),
        1_109: ("too long", "long", ("word " * 999)[:LONGEST] + " ..."),
        1_110: ("length ratio", "x", "y " * 9),
        1_111: ("test text", "A  WORD 7", "etwas"),
    }
    text = inspection_as_text(seen, figures(seen, arguments), arguments)
    assert f"  control characters, 1 of 1:\n    {file}, line 1103\n      a\\x00b\n      c\n" in text
    assert f"  undecodable, 1 of 1:\n    {file}, line 1105, byte 1\n      \\xff\\tx\n" in text
    again = inspect(arguments)  # now from what is packed
    assert again.examples == seen.examples
    kept = json.loads(json.dumps(figures(again, arguments)["examples"]))
    assert kept["HTML"] == [{"where": f"{file}, line 1106", "texts": ["x <br> y", "z"]}]


def test_a_look_at_several_folders_names_the_file_of_each(tmp_path: Path) -> None:
    files = [write_tsv(tmp_path / name) for name in ("main", "more")]
    arguments = arguments_of(
        tmp_path / "main",
        "--extra_dirs",
        tmp_path / "more",
        "--weights",
        2,
        3,
        "--drop_duplicates",
        "--window_groups",
        "1",
    )
    seen = inspect(arguments)
    assert seen.drops.dropped["HTML"] == 2
    assert [each.where for each in seen.examples["HTML"]] == [f"{files[0]}, line 1106"]
    assert [each.where for each in seen.examples["malformed"]] == [
        f"{file}, line 1104: 3 columns, not 2" for file in files
    ]
    assert {each.where.partition(", ")[0] for each in seen.examples["duplicate"]} == {str(files[1])}
    partial = inspect(arguments, windows=1)
    assert sum(map(len, partial.examples.values())) == sum(
        min(SHOWN, count) for count in partial.drops.dropped.values()
    )
