"""Corpora: every form of the same text gives the same pairs, and bad input is named, not swallowed."""

import gzip
import io
import itertools
import json
import os
import pickle
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaswani.data.hub import open_hub
from vaswani.data.opening import (
    Corpus,
    JsonLinesCorpus,
    LocalParquet,
    NoPair,
    Pair,
    PairsCorpus,
    Row,
    Swapped,
    TextFilesCorpus,
    TsvCorpus,
    open_corpus,
)
from vaswani.data.pairs import CorpusError
from vaswani.data.parquet import WholeReads
from vaswani.data.splits import choose_split
from vaswani.data.text_files import Lines, index_lines

PAIRS = [Pair(f"sentence {i}\x85\u2028, “one”", f"Satz {i}: größer\tals") for i in range(2_345)]
SPLITTERS = "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"  # where str.splitlines also breaks


def rows_of(corpus: Corpus) -> list[Row]:
    return [row for group in range(corpus.groups) for row in corpus.read(group)]


def write_text(folder: Path, pairs: list[Pair], split: str = "train") -> None:
    for code, side in zip(("en", "de"), zip(*pairs, strict=True), strict=True):
        (folder / f"{split}.{code}").write_bytes("".join(f"{text}\n" for text in side).encode())


def write_gzip(folder: Path, pairs: list[Pair]) -> None:
    write_text(folder, pairs)
    for code in ("en", "de"):
        (folder / f"train.{code}.gz").write_bytes(gzip.compress((folder / f"train.{code}").read_bytes()))
        (folder / f"train.{code}").unlink()


def write_tsv(folder: Path, pairs: list[Pair]) -> None:
    lines = ["number\tde\ten", *(f"{i}\t{pair.target}\t{pair.source}" for i, pair in enumerate(pairs))]
    (folder / "train.tsv").write_bytes("\n".join(lines).encode())


def write_jsonl(folder: Path, pairs: list[Pair]) -> None:
    lines = [json.dumps({"en": pair.source, "de": pair.target, "other": 1}) for pair in pairs]
    (folder / "train.jsonl").write_text("\n".join(lines))


def write_nested_jsonl(folder: Path, pairs: list[Pair]) -> None:
    lines = [json.dumps({"translation": {"en": pair.source, "de": pair.target}}) for pair in pairs]
    (folder / "train.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))


def write_parquet(folder: Path, pairs: list[Pair]) -> None:
    table = pa.table({"en": [pair.source for pair in pairs], "n": range(len(pairs)), "de": [p.target for p in pairs]})
    pq.write_table(table, folder / "train.parquet", row_group_size=400)


def write_nested_parquet(folder: Path, pairs: list[Pair], name: str = "train.parquet") -> None:
    table = pa.table({"translation": [{"de": pair.target, "en": pair.source} for pair in pairs]})
    pq.write_table(table, folder / name, row_group_size=400)


WRITERS = [write_text, write_gzip, write_tsv, write_jsonl, write_nested_jsonl, write_parquet, write_nested_parquet]


def write_hub(folder: Path, pairs: list[Pair]) -> None:
    write_nested_parquet(folder, pairs[:1_000], "train-00000-of-00002.parquet")
    write_nested_parquet(folder, pairs[1_000:], "train-00001-of-00002.parquet")
    write_nested_parquet(folder, pairs[:7], "validation-00000-of-00001.parquet")


# One text, many forms


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(("source", "target"), [("en", "de"), ("de", "en")])
def test_every_form_of_a_text_gives_its_pairs_in_either_direction(
    tmp_path: Path, write: Callable[[Path, list[Pair]], None], source: str, target: str
) -> None:
    pairs = [Pair(*(side.replace("\t", " ") for side in pair)) for pair in PAIRS] if write is write_tsv else PAIRS
    write(tmp_path, pairs)
    corpus = open_corpus(data_dir=str(tmp_path), split="train", source=source, target=target)
    assert rows_of(corpus) == (pairs if source == "en" else [Pair(*pair[::-1]) for pair in pairs])


@pytest.mark.parametrize(("source", "target"), [("en", "de"), ("de", "en")])
def test_a_streamed_dataset_gives_its_pairs_row_group_by_row_group(tmp_path: Path, source: str, target: str) -> None:
    write_hub(tmp_path, PAIRS)
    corpus = open_corpus(dataset=str(tmp_path), split="train", source=source, target=target)
    assert [len(corpus.read(group)) for group in range(corpus.groups)] == [400, 400, 200, 400, 400, 400, 145]
    assert rows_of(corpus) == (PAIRS if source == "en" else [Pair(*pair[::-1]) for pair in PAIRS])


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_streamed_dataset_of_another_format_is_one_group_a_file(tmp_path: Path, ending: str) -> None:
    content = {"csv": "en,de\na,b\nc,d\n", "jsonl": '{"en": "a", "de": "b"}\n{"en": "c", "de": "d"}\n'}[ending]
    (tmp_path / f"train.{ending}").write_text(content)
    corpus = open_corpus(dataset=str(tmp_path), split="train", source="de", target="en")
    assert corpus.groups == 1
    assert corpus.read(0) == [("b", "a"), ("d", "c")]


def test_cells_of_csv_are_text_as_they_stand(tmp_path: Path) -> None:
    cells = ["NA", "None", "null", "NaN", "", "01", "2.50", " x ", "true", 'a, \\ "b"']
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    lines = ["".join(f"{cell},{cell}\n" for cell in column) for column in (quoted, ["01"] * 3)]
    for number, content in enumerate(lines):
        (tmp_path / f"train_{number}.csv").write_text("en,de\n" + content)
    corpus = open_corpus(dataset=str(tmp_path), split="train", source="en", target="de")
    assert [corpus.read(group) for group in range(corpus.groups)] == [
        [Pair(cell, cell) for cell in cells],
        [Pair("01", "01")] * 3,
    ]


CARD = """---
dataset_info:
  features:
  - name: en
    dtype: string
  - name: de
    dtype: string
---
"""


@pytest.mark.parametrize("card", [None, CARD])
def test_each_file_of_a_streamed_dataset_has_its_own_order_of_columns(tmp_path: Path, card: str | None) -> None:
    if card is not None:
        (tmp_path / "README.md").write_text(card)
    for number, content in enumerate(["en,de\n", "en,de\na,b\n", "de,en\nd,c\n"]):
        (tmp_path / f"train_{number}.csv").write_text(content)
    corpus = open_corpus(dataset=str(tmp_path), split="train", source="en", target="de")
    assert [corpus.read(group) for group in range(corpus.groups)] == [[], [Pair("a", "b")], [Pair("c", "d")]]


@pytest.mark.parametrize(
    ("content", "card", "message"),
    [
        ("en,fr\nc,d\n", None, r'has no columns "en" and "de".*it has: en, fr\.'),
        ("en,fr\nc,d\n", CARD, r'has no columns "en" and "de".*it has: en, fr\.'),
        ("", None, r"has no header\. Write the names of the columns into its first line, or delete it"),
    ],
)
def test_a_file_of_a_streamed_dataset_that_does_not_serve_is_refused_by_name(
    tmp_path: Path, content: str, card: str | None, message: str
) -> None:
    if card is not None:
        (tmp_path / "README.md").write_text(card)
    (tmp_path / "train_0.csv").write_text("en,de\na,b\n")
    (tmp_path / "train_1.csv").write_text(content)
    with pytest.raises(CorpusError, match=rf"train_1\.csv {message}"):
        open_corpus(dataset=str(tmp_path), split="train", source="en", target="de")


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz"])
def test_bad_lines_of_a_streamed_dataset_are_counted_and_end_nothing(tmp_path: Path, ending: str) -> None:
    lines = [
        b'{"en": "a", "de": "b"}',
        b'{"en": "\\ud800", "de": "c"}',
        b'{"en": "caf\xe9", "de": "d"}',
        b"oops",
        b'{"en": "e", "de": "f"}',
    ]
    content = b"\n".join(lines) + b"\n"
    path = tmp_path / f"train.{ending}"
    path.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    rows = open_corpus(dataset=str(tmp_path), split="train", source="en", target="de").read(0)
    assert [row.reason if isinstance(row, NoPair) else row for row in rows] == [
        ("a", "b"),
        "undecodable",
        "undecodable",
        "malformed",
        ("e", "f"),
    ]
    assert str(rows[1][1]).startswith(f"{path}, line 2")


def test_a_streamed_row_group_is_read_without_the_files_of_the_others(tmp_path: Path) -> None:
    write_hub(tmp_path, PAIRS)
    corpus = open_hub(str(tmp_path), None, "train", "en", "de")
    (tmp_path / "train-00001-of-00002.parquet").unlink()
    assert corpus.read(2) == PAIRS[800:1_000]
    with pytest.raises(CorpusError, match=r"train-00001-of-00002\.parquet is gone"):
        corpus.read(3)


@pytest.mark.parametrize(("gap", "reads"), [(0, 1), (10, 1), (30_000, 2)])
def test_a_row_group_is_read_at_once_and_by_the_thread_that_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gap: int, reads: int
) -> None:
    """A thread of Arrow's that still holds a file of Python's can abort a process that ends."""
    path = tmp_path / "train.parquet"
    between = {"id": [random.randbytes(gap) for _ in range(3)]} if gap else {}
    table = pa.table({"en": list("abc")} | between | {"de": list("xyz")})
    pq.write_table(table, path, compression="none")
    corpus = LocalParquet(path, "en", "de")
    threads = []
    fetch = WholeReads._fetch

    def noted(self: WholeReads, place: int, wanted: int) -> bytes:
        threads.append(threading.get_ident())
        return fetch(self, place, wanted)

    monkeypatch.setattr(WholeReads, "_fetch", noted)
    assert corpus.read(0) == [Pair(*pair) for pair in ("ax", "by", "cz")]
    assert threads == [threading.get_ident()] * reads


def test_files_of_one_data_set_with_unlike_columns_are_refused_by_name(tmp_path: Path) -> None:
    write_hub(tmp_path, PAIRS)
    pq.write_table(pa.table({"en": ["a"], "fr": ["b"]}), tmp_path / "train-00001-of-00002.parquet")
    with pytest.raises(ValueError, match=r"train-00001-of-00002\.parquet has no columns .*it has: en, fr"):
        open_hub(str(tmp_path), None, "train", "en", "de")


def test_every_corpus_gives_the_same_rows_in_a_spawned_process(tmp_path: Path) -> None:
    corpora: list[Corpus] = [PairsCorpus("memory", PAIRS)]
    for write in [*WRITERS, write_hub]:
        folder = tmp_path / write.__name__
        folder.mkdir()
        write(folder, [Pair(*(side.replace("\t", " ") for side in pair)) for pair in PAIRS])
        where: dict[str, Any] = {"dataset": str(folder)} if write is write_hub else {"data_dir": str(folder)}
        corpora.append(open_corpus(**where, split="train", source="en", target="de"))
    corpora.append(Swapped(corpora[-1]))
    script = (
        "import pickle, sys\n"
        "corpora = pickle.load(sys.stdin.buffer)\n"
        "backwards = [[corpus.read(group) for group in reversed(range(corpus.groups))] for corpus in corpora]\n"
        "pickle.dump(backwards, sys.stdout.buffer)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=pickle.dumps(corpora), stdout=subprocess.PIPE, check=True
    )
    for corpus, backwards in zip(corpora, pickle.loads(done.stdout), strict=True):
        assert backwards[::-1] == [corpus.read(group) for group in range(corpus.groups)], corpus.name


def test_what_travels_to_a_worker_is_the_index_not_the_text(tmp_path: Path) -> None:
    write_gzip(tmp_path, PAIRS * 20)
    corpus = open_corpus(data_dir=str(tmp_path), split="train", source="en", target="de")
    text_size = sum(len(side.encode()) for pair in PAIRS * 20 for side in pair)
    assert len(pickle.dumps(corpus)) < text_size / 1_000


# Lines


@given(
    st.lists(st.text(st.sampled_from("aé€😀 \t" + SPLITTERS)), min_size=1),
    st.booleans(),
    st.sampled_from([b"\n", b"\r\n"]),
)
@settings(deadline=None)
def test_a_line_ends_at_a_newline_and_nowhere_else(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], final: bool, end: bytes
) -> None:
    lines = [text.rstrip("\r").encode() for text in texts]
    content = end.join(lines) + (end if final or not lines[-1] else b"")
    path = tmp_path_factory.getbasetemp() / "lines.txt"
    for prefix in (b"", b"\xef\xbb\xbf"):
        path.write_bytes(prefix + content)
        assert Lines(path).read(0) == lines


@pytest.mark.parametrize("count", [1, 999, 1_000, 1_001, 2_000, 2_500])
@pytest.mark.parametrize("final", ["", "\n"])
def test_groups_hold_a_thousand_lines_each(tmp_path: Path, count: int, final: str) -> None:
    texts = [f"{i} {'x' * (i % 7)}" for i in range(count)]
    (tmp_path / "a").write_text("\n".join(texts) + final)
    (tmp_path / "b").write_text("\n".join(reversed(texts)) + final)
    corpus = TextFilesCorpus(tmp_path / "a", tmp_path / "b")
    assert rows_of(corpus) == list(zip(texts, reversed(texts), strict=True))
    assert [len(corpus.read(group)) for group in range(corpus.groups)][:-1] == [1_000] * ((count - 1) // 1_000)


@pytest.mark.parametrize("step", [1, 2, 999, 4_000])
def test_an_index_made_over_many_reads_equals_one_made_by_counting(step: int) -> None:
    lengths = [number * number % 6 for number in range(2_500)]

    class InSteps(io.BytesIO):
        def read(self, _: int | None = -1) -> bytes:
            return super().read(step)

    content = b"".join(b"x" * length + b"\n" for length in lengths)
    index = index_lines(InSteps(content))
    ends = [0, *itertools.accumulate(length + 1 for length in lengths)]
    assert index.lines == len(lengths)
    assert index.starts == [ends[0], ends[1_000], ends[2_000], ends[2_500]]
    assert index == index_lines(io.BytesIO(content))


# Fingerprints


@pytest.mark.parametrize("write", WRITERS)
def test_a_fingerprint_follows_the_content_and_not_the_place(
    tmp_path: Path, write: Callable[[Path, list[Pair]], None]
) -> None:
    pairs = [Pair(*(side.replace("\t", " ") for side in pair)) for pair in PAIRS]
    changed = [*pairs[:1_500], Pair(pairs[1_500].source, pairs[1_500].target.replace("ß", "s")), *pairs[1_501:]]
    found: list[str] = []
    for place, content in (("here", pairs), ("there", pairs), ("changed", changed)):
        (tmp_path / place).mkdir()
        write(tmp_path / place, content)
        found.append(open_corpus(data_dir=str(tmp_path / place), split="train", source="en", target="de").fingerprint)
        found.append(open_corpus(data_dir=str(tmp_path / place), split="train", source="de", target="en").fingerprint)
    assert found[:2] == found[2:4]
    assert len(set(found)) == 4


def test_compressing_a_text_leaves_its_fingerprint(tmp_path: Path) -> None:
    write_text(tmp_path, PAIRS)
    plain = TextFilesCorpus(tmp_path / "train.en", tmp_path / "train.de")
    write_gzip(tmp_path, PAIRS)
    assert TextFilesCorpus(tmp_path / "train.en.gz", tmp_path / "train.de.gz").fingerprint == plain.fingerprint


def test_fingerprints_in_memory_and_swapped_differ() -> None:
    corpora: list[Corpus] = [
        PairsCorpus("a", [Pair("ab", "c")]),
        PairsCorpus("a", [Pair("a", "bc")]),
        Swapped(PairsCorpus("a", [Pair("ab", "c")])),
        PairsCorpus("a", [Pair("ab", "c")] * 2),
    ]
    assert len({corpus.fingerprint for corpus in corpora}) == 4


def test_the_fingerprint_of_a_streamed_dataset_follows_its_files_split_and_direction(tmp_path: Path) -> None:
    write_hub(tmp_path, PAIRS)

    def found(split: str, source: str, target: str) -> str:
        return open_hub(str(tmp_path), None, split, source, target).fingerprint

    before = [found("train", "en", "de"), found("train", "de", "en"), found("validation", "en", "de")]
    assert before == [found("train", "en", "de"), found("train", "de", "en"), found("validation", "en", "de")]
    os.utime(tmp_path / "train-00000-of-00002.parquet", (1, 1))
    assert found("train", "en", "de") == before[0]
    write_hub(tmp_path, PAIRS[::-1])
    assert len({*before, found("train", "en", "de")}) == 4


# Bad input


def test_files_of_unequal_length_are_refused_with_both_counts_and_the_first_odd_line(tmp_path: Path) -> None:
    write_text(tmp_path, PAIRS)
    with (tmp_path / "train.de").open("a") as stream:
        stream.write("one more\nand another")
    with pytest.raises(
        ValueError, match=r"train\.de has 2,347 lines and .*train\.en 2,345: line 2,346 of .*train\.de "
    ):
        TextFilesCorpus(tmp_path / "train.en", tmp_path / "train.de")


def test_bad_rows_keep_their_place_and_name_file_line_and_byte(tmp_path: Path) -> None:
    write_text(tmp_path, PAIRS)
    lines = (tmp_path / "train.de").read_bytes().split(b"\n")
    lines[1_234] = "schön größer".encode("latin1")
    (tmp_path / "train.de").write_bytes(b"\n".join(lines))
    corpus = TextFilesCorpus(tmp_path / "train.en", tmp_path / "train.de")
    rows = rows_of(corpus)
    assert rows[1_234] == NoPair("undecodable", f"{tmp_path}/train.de, line 1235, byte 4")
    assert [row for row in rows if isinstance(row, Pair)] == PAIRS[:1_234] + PAIRS[1_235:]
    assert rows_of(Swapped(corpus))[1_233:1_235] == [Pair(*PAIRS[1_233][::-1]), rows[1_234]]


def test_lone_carriage_return_nul_and_a_megabyte_stay_in_their_row(tmp_path: Path) -> None:
    pairs = [Pair("one\rtwo", "a"), Pair("nul\0", "b"), Pair("x" * 1_000_000, "c"), Pair("", "d"), Pair("last", "e")]
    write_text(tmp_path, pairs)
    assert rows_of(TextFilesCorpus(tmp_path / "train.en", tmp_path / "train.de")) == pairs


def records(*numbers: int) -> bytes:
    return b"".join(b'{"en": "the cat %d", "de": "die katze %d"}\n' % (each, each) for each in numbers)


def test_files_of_a_data_set_may_begin_with_an_empty_one_or_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "train_0.jsonl").write_bytes(b"")
    (tmp_path / "train_1.jsonl").write_bytes(b"\xef\xbb\xbf" + records(0, 1))
    corpus = open_corpus(dataset=str(tmp_path), split="train", source="en", target="de")
    assert [row for group in range(2) for row in corpus.read(group)] == [
        Pair("the cat 0", "die katze 0"),
        Pair("the cat 1", "die katze 1"),
    ]


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz"])
def test_a_file_of_a_data_set_without_the_columns_is_refused_by_name(tmp_path: Path, ending: str) -> None:
    """Not only where it is the first, and not by a row that lacks one: its side is empty, and counted as such."""
    others = b'{"en": "a", "fr": "b"}\noops\n' * 50_000  # more than is looked at first
    for number, content in enumerate([records(0), b'{"en": "a"}\n' + records(1), b"oops\n", others]):
        (tmp_path / f"train_{number}.{ending}").write_bytes(
            gzip.compress(content) if ending.endswith("gz") else content
        )
    with pytest.raises(ValueError, match=rf'train_3\.{ending} has no columns "en" and "de".*it has: en, fr\.'):
        open_corpus(dataset=str(tmp_path), split="train", source="en", target="de")
    (tmp_path / f"train_3.{ending}").unlink()
    corpus = open_corpus(dataset=str(tmp_path), split="train", source="en", target="de")
    assert corpus.read(1) == [Pair("a", ""), Pair("the cat 1", "die katze 1")]
    assert [row.reason for row in corpus.read(2) if isinstance(row, NoPair)] == ["malformed"]


def test_a_file_of_a_data_set_whose_columns_show_late_is_read(tmp_path: Path) -> None:
    (tmp_path / "train_0.jsonl").write_bytes(records(0))
    (tmp_path / "train_1.jsonl").write_bytes(b'{"about": "x"}\n' * 9_999 + records(1))
    corpus = open_corpus(dataset=str(tmp_path), split="train", source="en", target="de")
    assert corpus.read(1)[-1] == Pair("the cat 1", "die katze 1")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "train holds no rows"), (b"oops\n", "the first 1 rows are all malformed"), (b"{}\n", "it has: none")],
)
def test_files_of_a_data_set_that_hold_no_pair_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    for number in range(2):
        (tmp_path / f"train_{number}.jsonl").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        open_corpus(dataset=str(tmp_path), split="train", source="en", target="de")


def test_a_file_of_a_data_set_that_is_cut_off_is_named(tmp_path: Path) -> None:
    (tmp_path / "train_0.jsonl.gz").write_bytes(gzip.compress(records(*range(100))))
    (tmp_path / "train_1.jsonl.gz").write_bytes(gzip.compress(records(*range(100)))[:-20])
    corpus = open_corpus(dataset=str(tmp_path), split="train", source="en", target="de")
    with pytest.raises(ValueError, match=r"train_1.jsonl.gz is truncated or damaged .*; write it anew"):
        corpus.read(1)


def test_bad_rows_of_a_tsv_are_named(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_bytes(b'en\tde\r\na\tb\r\nonly one\n"\t"\nto\to\tmany\n\xff\tx\n')
    rows = rows_of(TsvCorpus(tmp_path / "t.tsv", "en", "de"))
    name = f"{tmp_path}/t.tsv"
    assert rows == [
        Pair("a", "b"),
        NoPair("malformed", f"{name}, line 3: 1 columns, not 2"),
        Pair('"', '"'),
        NoPair("malformed", f"{name}, line 5: 3 columns, not 2"),
        NoPair("undecodable", f"{name}, line 6, byte 1"),
    ]


def test_bad_rows_of_a_jsonl_are_named(tmp_path: Path) -> None:
    lines = [
        b'{"en": "a", "de": "b"}',
        b'{"en": "a", "de": ',
        b"[1, 2]",
        b'{"en": 1, "de": "b"}',
        b'{"en": "\\ud83d", "de": "b"}',
        b'{"en": "\\ud83d\\ude00", "de": null}',
        b'{"en": "a"}',
        b'{"en": "\xff"}',
        b"[" * 100_000,
        b"",
    ]
    (tmp_path / "t.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    rows = rows_of(JsonLinesCorpus(tmp_path / "t.jsonl", "en", "de"))
    assert [row if isinstance(row, Pair) else row.reason for row in rows] == [
        Pair("a", "b"),
        "malformed",
        "malformed",
        "malformed",
        "undecodable",
        Pair("😀", ""),
        Pair("a", ""),
        "undecodable",
        "malformed",
        "malformed",
    ]
    assert str(rows[1][1]).startswith(f"{tmp_path}/t.jsonl, line 2: not JSON (Expecting value")


@pytest.mark.parametrize("hub", [False, True])
def test_bad_utf8_and_nulls_in_parquet_are_named(tmp_path: Path, hub: bool) -> None:
    english = pa.array([b"a", b"b\xff", None, b"d"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"en": english, "de": list("wxyz")}), tmp_path / "train.parquet", row_group_size=2)
    path = tmp_path / "train.parquet"
    corpus = open_hub(str(tmp_path), None, "train", "en", "de") if hub else LocalParquet(path, "en", "de")
    bad = NoPair("undecodable", f"{path}, row group 0, row 2, byte 2")
    assert rows_of(corpus) == [Pair("a", "w"), bad, Pair("", "y"), Pair("d", "z")]


@pytest.mark.parametrize("hub", [False, True])
def test_a_damaged_row_group_is_passed_over_by_name_and_the_others_are_read(tmp_path: Path, hub: bool) -> None:
    write_parquet(tmp_path, PAIRS)
    path = tmp_path / "train.parquet"
    with pq.ParquetFile(path) as file:
        start = file.metadata.row_group(1).column(0).data_page_offset
    content = bytearray(path.read_bytes())
    content[start : start + 400] = b"\xff" * 400
    path.write_bytes(content)
    corpus = open_hub(str(tmp_path), None, "train", "en", "de") if hub else LocalParquet(path, "en", "de")
    damaged = corpus.read(1)
    assert len(damaged) == 400
    assert {row.reason for row in damaged if isinstance(row, NoPair)} == {"damaged"}
    assert str(damaged[0][1]).startswith(f"{path}, row group 1 (")
    assert corpus.read(2) == PAIRS[800:1_200]


def test_one_changed_bit_is_seen_where_the_file_has_checksums(tmp_path: Path) -> None:
    """Without them a letter would silently become another one."""
    path = tmp_path / "train.parquet"
    table = pa.table({"en": ["a sentence with a typo"] * 9, "de": ["x"] * 9})
    pq.write_table(
        table, path, compression="none", use_dictionary=False, write_statistics=False, write_page_checksum=True
    )
    content = bytearray(path.read_bytes())
    content[content.index(b"typo")] ^= 1
    path.write_bytes(content)
    assert {row.reason for row in LocalParquet(path, "en", "de").read(0) if isinstance(row, NoPair)} == {"damaged"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train.tsv", b"", r"train\.tsv is empty"),
        ("train.tsv", b"english\tde\n", r'no columns "en" and "de".*it has: de, english'),
        ("train.tsv", b"en\tde\n", "has a header but no rows"),
        ("train.tsv", b"en\tde\ten\na\tb\tc\n", r'train\.tsv \(first line\) has more than one column "en"'),
        ("train.tsv", b"en\tde\n\xff\t\n", r"the first 1 rows are all undecodable: .*iconv.*line 2, byte 1"),
        ("train.jsonl", b"", r"train\.jsonl is empty"),
        ("train.jsonl", b'{"source": "a"}\n', r'no columns "en" and "de".*it has: source'),
        ("train.jsonl", b'{"translation": {"en": "a"}}\n', r"it has: en\."),
        ("train.jsonl", b"oops\n", "the first 1 rows are all malformed.*line 1: not JSON"),
        ("train.jsonl.gz", b'{"en": "a"}\n', r"train\.jsonl\.gz is not a complete \.gz file"),
        (
            "train.jsonl.gz",
            gzip.compress(b'{"en": "a"}\n', mtime=0)[:-9],
            r"train\.jsonl\.gz is not a complete \.gz file",
        ),
        ("train.parquet", b"", r"train\.parquet cannot be read as parquet"),
        ("train.parquet", b"oops" * 99, r"train\.parquet cannot be read as parquet"),
    ],
)
def test_a_bad_file_is_refused_when_it_is_opened(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        open_corpus(data_dir=str(tmp_path), split="train", source="en", target="de")


def test_an_empty_text_file_is_refused(tmp_path: Path) -> None:
    write_text(tmp_path, PAIRS)
    (tmp_path / "train.en").write_bytes(b"")
    with pytest.raises(ValueError, match=r"train\.en is empty"):
        open_corpus(data_dir=str(tmp_path), split="train", source="en", target="de")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"en": ["a"], "fr": ["b"]}, r'no columns "en" and "de".*it has: en, fr'),
        ({"translation": [{"en": "a", "fr": "b"}]}, r"it has: translation, translation\.en, translation\.fr"),
        ({"en": [1], "de": ["b"]}, r'column "en" holds int64, not text'),
    ],
)
@pytest.mark.parametrize("hub", [False, True])
def test_a_parquet_file_without_the_columns_is_refused(
    tmp_path: Path, columns: dict[str, object], message: str, hub: bool
) -> None:
    pq.write_table(pa.table(columns), tmp_path / "train.parquet")
    where: dict[str, Any] = {"dataset" if hub else "data_dir": str(tmp_path)}
    with pytest.raises(ValueError, match=message):
        open_corpus(**where, split="train", source="en", target="de")


def doubled(names: list[str]) -> pa.StructArray:
    return pa.StructArray.from_arrays([pa.array(["a"])] * len(names), names=names)


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        (doubled(["en", "en", "de"]), "en"),
        (pa.StructArray.from_arrays([doubled(["de", "en", "de"])], names=["translation"]), "translation.de"),
        (pa.StructArray.from_arrays([doubled(["en", "de"])] * 2, names=["translation"] * 2), "translation"),
    ],
)
@pytest.mark.parametrize("hub", [False, True])
def test_a_parquet_file_that_has_a_column_twice_is_refused(
    tmp_path: Path, columns: pa.StructArray, name: str, hub: bool
) -> None:
    pq.write_table(pa.Table.from_batches([pa.RecordBatch.from_struct_array(columns)]), tmp_path / "train.parquet")
    where: dict[str, Any] = {"dataset" if hub else "data_dir": str(tmp_path)}
    with pytest.raises(ValueError, match=rf'train\.parquet has more than one column "{name}"\. Rename or delete'):
        open_corpus(**where, split="train", source="en", target="de")


def test_other_columns_of_a_parquet_file_may_come_twice(tmp_path: Path) -> None:
    columns = doubled(["fr", "en", "de", "fr"])
    pq.write_table(pa.Table.from_batches([pa.RecordBatch.from_struct_array(columns)]), tmp_path / "train.parquet")
    assert open_corpus(data_dir=str(tmp_path), split="train", source="en", target="de").read(0) == [Pair("a", "a")]


def test_a_parquet_file_without_rows_is_refused(tmp_path: Path) -> None:
    write_parquet(tmp_path, PAIRS)
    path = tmp_path / "train.parquet"
    pq.write_table(pq.read_table(path).slice(0, 0), path)
    with pytest.raises(ValueError, match=r"train\.parquet has columns but no rows"):
        LocalParquet(path, "en", "de")


@pytest.mark.parametrize("write", [write_text, write_gzip, write_parquet])
def test_a_file_that_changes_under_a_run_is_noticed(tmp_path: Path, write: Callable[..., None]) -> None:
    write(tmp_path, PAIRS)
    corpus = pickle.loads(pickle.dumps(open_corpus(data_dir=str(tmp_path), split="train", source="en", target="de")))
    write(tmp_path, [*PAIRS[1:], Pair("longer than before", "was vorher da war")])
    with pytest.raises(CorpusError, match="has changed since it was opened"):
        corpus.read(1)
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(CorpusError, match="is gone since it was opened"):
        corpus.read(1)


# What a user asks for


@pytest.mark.parametrize(
    ("wanted", "found", "chosen"),
    [
        ("test", ["test", "test_2016"], "test"),
        ("test", ["train", "test_2016_flickr"], "test_2016_flickr"),
        ("validation", ["validation", "val"], "validation"),
        ("validation", ["train", "val"], "val"),
        ("validation", ["train", "dev", "dev_2"], "dev"),
        ("validation", ["train", "valid_2014"], "valid_2014"),
        ("val", ["train", "validation"], "validation"),
        ("dev", ["val"], "val"),
        ("mine", ["mine.1", "train"], "mine.1"),
    ],
)
def test_a_split_is_found_by_what_its_name_begins_with(wanted: str, found: list[str], chosen: str) -> None:
    assert choose_split(wanted, found, "here") == chosen


@pytest.mark.parametrize(
    ("wanted", "found", "message"),
    [
        (
            "test",
            ["train", "test_2", "test_1"],
            r"here has more than one split \"test\": test_1, test_2.*--test_splits",
        ),
        ("validation", ["val", "dev"], r"more than one split.*dev, val.*--validation_split"),
        ("val", ["train"], r"here has no split \"val\", only train\. Put pairs aside .* vaswani plan here shows how"),
        ("val", ["test", "train"], r"here has no split \"val\"\. It has: test, train\..*--validation_split"),
        ("mine", [], r"It has: nothing"),
    ],
)
def test_an_unknown_or_ambiguous_split_lists_what_is_there(wanted: str, found: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose_split(wanted, found, "here")


@pytest.mark.parametrize(
    ("files", "asked", "message"),
    [
        (["train.en", "train.fr"], ("en", "de"), "Is it --direction en-fr?"),
        (["train.en", "train.fr", "val.en.gz", "val.fr.gz"], ("de", "en"), "Is it --direction fr-en?"),
        (["train.en", "train.pt-BR"], ("en", "pt"), "give --direction en:pt-BR"),
        (["train.en", "train.backup"], ("en", "de"), None),
        (["train.it", "train.fr"], ("en", "de"), None),
    ],
)
def test_other_languages_of_the_files_are_proposed(
    tmp_path: Path, files: list[str], asked: tuple[str, str], message: str | None
) -> None:
    for name in files:
        (tmp_path / name).write_text("a\n")
    with pytest.raises(ValueError, match="should hold") as refused:
        open_corpus(data_dir=str(tmp_path), split="train", source=asked[0], target=asked[1])
    assert (message or "") in str(refused.value)
    assert ("--direction" in str(refused.value)) == (message is not None)


def test_splits_of_a_folder_are_found_among_other_files(tmp_path: Path) -> None:
    write_text(tmp_path, PAIRS[:3])
    write_text(tmp_path, PAIRS[:2], "test_2016_flickr")
    write_nested_parquet(tmp_path, PAIRS[:1], "val.parquet")
    (tmp_path / "README.md").write_text("read me")
    (tmp_path / "test_2020.en").write_text("without a partner")
    sizes = [
        len(rows_of(open_corpus(data_dir=str(tmp_path), split=split, source="de", target="en")))
        for split in ("train", "test", "validation")
    ]
    assert sizes == [3, 2, 1]


def test_a_split_in_two_forms_is_refused(tmp_path: Path) -> None:
    write_text(tmp_path, PAIRS[:3])
    write_jsonl(tmp_path, PAIRS[:3])
    with pytest.raises(ValueError, match=r"\"train\" in 2 formats: train\.en \+ train\.de, train\.jsonl\. Keep one"):
        open_corpus(data_dir=str(tmp_path), split="train", source="en", target="de")


@pytest.mark.parametrize(
    ("files", "message"),
    [([], "It holds: nothing"), (["train.en", "x"], r"train\.en and train\.de.*holds: train\.en, x")],
)
def test_a_folder_without_a_split_is_refused(tmp_path: Path, files: list[str], message: str) -> None:
    for name in files:
        (tmp_path / name).write_text("x")
    with pytest.raises(ValueError, match=message):
        open_corpus(data_dir=str(tmp_path), split="train", source="en", target="de")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, r"--dataset .* or --data_dir .*; neither given"),
        ({"dataset": "grammar", "data_dir": "x"}, r"--dataset .* or --data_dir .*; both given"),
        ({"dataset": "grammar", "target": "en"}, 'both "en"'),
        ({"dataset": "grammar", "target": "fr"}, 'of "en" and "de", not "en" and "fr"'),
        ({"dataset": "grammar", "split": "tset"}, r'no split "tset"\. It has: test, train, unseen, validation'),
        ({"data_dir": "/no/such/folder"}, "--data_dir /no/such/folder is not a folder"),
    ],
)
def test_a_source_that_is_none_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_corpus(**({"split": "train", "source": "en", "target": "de"} | arguments))


def test_a_data_set_that_is_a_script_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / f"{tmp_path.name}.py").write_text("import datasets\n")
    with pytest.raises(ValueError, match=rf"--dataset {tmp_path} is made by a script.*refs/convert/parquet.*another"):
        open_corpus(dataset=str(tmp_path), split="train", source="en", target="de")


def test_the_built_in_corpus_opens_by_name_in_both_directions() -> None:
    there = open_corpus(dataset="grammar", split="test", source="en", target="de")
    back = open_corpus(dataset="grammar", split="test", source="de", target="en")
    assert there.read(0)[0] == back.read(0)[0][::-1]
    assert there.fingerprint != back.fingerprint


@pytest.mark.parametrize(("split", "pairs"), [("train", 29_000), ("validation", 1_014), ("test", 1_000)])
def test_multi30k_opens_by_the_usual_names(split: str, pairs: int) -> None:
    folder = Path(__file__).parents[2] / "shared/data/multi30k"
    if not folder.is_dir():
        pytest.skip("needs Multi30k as text files in ../shared/data/multi30k")
    corpus = open_corpus(data_dir=str(folder), split=split, source="de", target="en")
    rows = rows_of(corpus)
    assert len(rows) == pairs
    assert all(isinstance(row, Pair) for row in rows)
