"""What holds no text in UTF-8 is unpacked or named with the way out, at every door where text or a model comes in."""

import gzip
import io
import itertools
import json
import lzma
import pickle
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from packings import PACKINGS
from safetensors.torch import save
from transformers import PreTrainedTokenizerFast

from vaswani.commands import main
from vaswani.data.containers import HEAD, DamagedError, recognise, unpacked
from vaswani.data.opening import open_corpus
from vaswani.data.pairs import CorpusError, Pair

TEXT = "the cat sat\nthe dog sat by the door\n"
SCRIPTS = [
    "Ein größerer Satz – „ja“.\nUnd noch einer.\n",
    "Привет, мир. Как дела?\n",
    "今天天气很好，我们去公园。\n\n",
    "日本語の文です。\n안녕하세요 세계, 오늘은\n",
    "नमस्ते दुनिया, यह एक वाक्य है।\n",
    "שלום עולם, מה שלומך\n",
    "สวัสดี ชาวโลก\n",
    "hi\n",
]


def in_memory(write: Callable[[Any], Any]) -> bytes:
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


def as_zip(stream: Any, *names: str) -> None:
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, TEXT)


def as_tar(stream: Any) -> None:
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("train.en"))


def as_database() -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute("create table pairs (en, de)")
    return connection.serialize()


def as_arrow(stream: Any) -> None:
    table = pa.table({"en": ["a"]})
    with pa.ipc.new_file(stream, table.schema) as writer:
        writer.write_table(table)


OTHERS: dict[str, tuple[bytes, str]] = {
    "zip": (in_memory(lambda stream: as_zip(stream, "train.en")), r"a Zip archive.*unzip -p .* > NEW"),
    "docx": (in_memory(lambda stream: as_zip(stream, "[Content_Types].xml", "word/a.xml")), "an Office document"),
    "npz": (in_memory(lambda stream: np.savez(stream, a=np.ones(3))), "NumPy arrays"),
    "npy": (in_memory(lambda stream: np.save(stream, np.ones(3))), "a NumPy array"),
    "pt": (in_memory(lambda stream: torch.save({"a": torch.ones(3)}, stream)), "weights of PyTorch"),
    "pickle": (pickle.dumps([TEXT]), "a Python pickle"),
    "safetensors": (save({"a": torch.ones(3)}), "a safetensors file"),
    "tar": (in_memory(as_tar), "a tar archive.*tar -xf"),
    "tar.gz": (gzip.compress(in_memory(as_tar)), "a tar archive"),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\4" + bytes(30), "a 7z archive.*7z e"),
    "rar": (b"Rar!\x1a\x07\x01\0" + bytes(30), "a RAR archive"),
    "lzma": (lzma.compress(TEXT.encode(), lzma.FORMAT_ALONE), "data packed by lzma.*xz --format=lzma -dc"),
    "parquet": (in_memory(lambda stream: pq.write_table(pa.table({"en": ["a"]}), stream)), "a parquet file.*--data_d"),
    "arrow": (in_memory(as_arrow), "an Arrow file"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF document.*pdftotext"),
    "sqlite": (as_database(), "an SQLite database.*sqlite3"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "a Git LFS pointer.*git lfs pull"),
    "zeros": (bytes(99), "only zero bytes"),
    **{
        encoding: (TEXT.encode(encoding), rf"text in {name}.*iconv -f {name.lower()} -t utf-8 .* > NEW")
        for encoding, name in [
            ("utf-16", "UTF-16"),
            ("utf-16-le", "UTF-16-LE"),
            ("utf-16-be", "UTF-16-BE"),
            ("utf-32", "UTF-32"),
            ("utf-32-le", "UTF-32-LE"),
            ("utf-32-be", "UTF-32-BE"),
        ]
    },
}


# Bytes


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_text_is_named_with_the_way_out(kind: str) -> None:
    content, said = OTHERS[kind]
    with pytest.raises(CorpusError, match=f"^some file.txt holds {said}"):
        unpacked(io.BytesIO(content), "some file.txt")


def test_text_with_a_zero_and_a_byte_that_is_not_utf8_is_text() -> None:
    """Such rows are counted one by one; their pairs of bytes may all be assigned as letters of 16 bits."""
    for before, between in itertools.product(range(4), repeat=2):
        content = b"en,de\r\n" + b"x" * before + b'row: the cat,"a\0b"\r\n' + b"y" * between + b"row: the cat,\xff\n"
        assert recognise(content) is None
    found = (
        b'en,de\r\n"row00000: the cat","die Katze sitzt"\r\n"row00001: the cat","a\x00b"\r\nrow00002: the cat,\xff\n'
    )
    assert recognise(found) is None
    with_cyrillic = found.replace(b"row00002", '"row00002: the cat","кот спит на столе"\r\nrow00003'.encode())
    assert recognise(with_cyrillic) is None


LINES = [b"row 1: the cat,die Katze", "кот спит на столе\r".encode(), 'größer als,"так"'.encode(), "猫は寝る".encode()]


@given(
    st.lists(st.sampled_from(LINES), min_size=1, max_size=30),
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from([b"\0", b"\xff", b"\xe9", b"\0\xff"])), max_size=30),
)
@settings(deadline=None, max_examples=300)
def test_text_that_is_damaged_here_and_there_is_text(lines: list[bytes], damage: list[tuple[float, bytes]]) -> None:
    """Such rows are counted one by one; their pairs of bytes may all be assigned as letters of 16 bits."""
    content = b"\n".join(lines)
    for place, extra in damage[: len(content) // 60]:
        at = round(place * len(content))
        content = content[:at] + extra + content[at:]
    assert recognise(content) is None


@pytest.mark.parametrize("text", SCRIPTS)
@pytest.mark.parametrize("times", [1, 200])
def test_letters_of_16_and_32_bits_are_told_in_any_script_and_without_a_mark(text: str, times: int) -> None:
    for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        found = recognise((text * times).encode(encoding)[:HEAD])
        assert found is not None
        assert found.name == f"text in {encoding.upper()}"
    assert recognise((text * times).encode()[:HEAD]) is None


@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["utf-8", "latin-1", "cp1252", "koi8-r"]))
@settings(deadline=None)
def test_text_of_8_bits_is_taken_for_nothing_else(text: str, encoding: str) -> None:
    assume(not any(ord(each) < 32 and each not in "\t\n\r\f" for each in text))
    content = text.encode(encoding, "ignore")
    assert recognise(content) is None
    assert unpacked(io.BytesIO(content), "text").read() == content


@pytest.mark.parametrize(
    "content",
    [b"", b"nul\0\n", b"ab\0\n", b"one\ntwo\0three\n" * 9, b"PK is a name\n", b"BZh is none\n", b"ORC\xc1 gr\xfcn\n",
     b"PAR1 golf\n", b"Obj. 1\n", b"Rar!\n", b"]\n", "größer \0 als\n".encode("latin-1") * 99, b"\x1b[31mred\n"],
)  # fmt: skip
def test_what_only_begins_like_something_else_is_text(content: bytes) -> None:
    assert recognise(content) is None


@given(st.binary(max_size=9_000), st.sampled_from(sorted(PACKINGS)), st.integers(1, 3))
@settings(deadline=None, max_examples=30)
def test_packed_bytes_come_back_whatever_the_ending_and_however_often(content: bytes, ending: str, times: int) -> None:
    packed = content = b"text " + content
    assume(recognise(content) is None)  # ten bytes with a zero may be letters of 16 bits
    for _ in range(times):
        packed = PACKINGS[ending](packed)
    whole, twice = (unpacked(io.BytesIO(each), "name.txt") for each in (packed, packed + packed))
    assert whole.read() == content
    assert times > 1 or twice.read() == content * 2  # as files that were joined by cat


@pytest.mark.parametrize("ending", PACKINGS)
def test_damage_is_named_and_what_came_before_is_not_taken_for_all(ending: str) -> None:
    content = np.random.default_rng(0).bytes(300_000)
    packed = PACKINGS[ending](b"text " + content)
    broken = [packed[:-5], packed[: len(packed) // 2], packed[:1_000] + bytes(50) + packed[1_050:]]
    has_checksum = ending in (".gz", ".bz2", ".xz")
    for damaged in broken if has_checksum else broken[:2]:
        with pytest.raises(DamagedError, match=rf"some file is not a complete {ending} file \(.* -t tests it"):
            unpacked(io.BytesIO(damaged), "some file").read()


def test_a_name_that_promises_what_the_bytes_do_not_have_is_damage() -> None:
    for ending in PACKINGS:
        with pytest.raises(DamagedError, match=rf"train\.en{ending} is not a complete {ending} file"):
            unpacked(io.BytesIO(TEXT.encode()), f"train.en{ending}").read()
    assert unpacked(io.BytesIO(gzip.compress(TEXT.encode())), "train.en.zst").read() == TEXT.encode()
    assert unpacked(io.BytesIO(b""), "train.en.gz").read() == b""


# Doors of text


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, talker: Callable[..., Any], toy_tokenizer: PreTrainedTokenizerFast
) -> Path:
    path = tmp_path_factory.mktemp("model") / "model"
    talker().float().save_pretrained(path)
    toy_tokenizer.save_pretrained(path)
    return path


def commands(folder: Path, text: Path, other: Path) -> dict[str, list[str | Path]]:
    """Each door of a text, with `other` where another text of as many lines is needed."""
    return {
        "translate": ["translate", folder, "--input", text],
        "references": ["score", "--references", text, "--hypotheses", other],
        "hypotheses": ["score", "--references", other, "--hypotheses", text],
        "further hypotheses": ["score", "--references", other, "--hypotheses", other, text],
        "sources of a plot": ["plot", "lengths", "--sources", text, "--references", other, "--hypotheses", other],
    }


STDIN = {"translate": ["translate"], "score": ["score", "--references"]}


def given_to(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


@pytest.mark.parametrize("door", ["translate", "references", "hypotheses", "further hypotheses", "sources of a plot"])
@pytest.mark.parametrize("kind", ["zip", "utf-16", "utf-16-le", "parquet", "pdf", "pickle"])
def test_commands_name_what_is_no_text(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], door: str, kind: str
) -> None:
    (tmp_path / "other").write_text(TEXT)
    (tmp_path / "text").write_bytes(OTHERS[kind][0])
    command = commands(folder, tmp_path / "text", tmp_path / "other")[door]
    assert main(list(map(str, command))) == 2
    error = capsys.readouterr().err
    assert f"{tmp_path / 'text'} holds " in error
    assert "latin1" not in error


@pytest.mark.parametrize("kind", ["zip", "utf-16-le", "pdf"])
@pytest.mark.parametrize("door", STDIN)
def test_stdin_that_is_no_text_is_named(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    door: str,
) -> None:
    (tmp_path / "other").write_text(TEXT)
    given_to(monkeypatch, OTHERS[kind][0])
    assert main([*STDIN[door], str(folder if door == "translate" else tmp_path / "other")]) == 2
    assert "stdin holds " in capsys.readouterr().err


@pytest.mark.parametrize("ending", PACKINGS)
@pytest.mark.parametrize("named", [True, False])
def test_packed_text_is_translated_and_scored_as_the_text_itself(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    ending: str,
    named: bool,
) -> None:
    plain, packed = tmp_path / "plain", tmp_path / f"packed{ending if named else '.en'}"
    plain.write_text(TEXT)
    packed.write_bytes(PACKINGS[ending](TEXT.encode()))
    found = []
    for text in (plain, packed):
        assert main(["translate", str(folder), "--input", str(text)]) == 0
        found.append(capsys.readouterr().out)
    given_to(monkeypatch, packed.read_bytes())
    assert main(["translate", str(folder)]) == 0
    assert found == [capsys.readouterr().out] * 2
    assert len(found[0].splitlines()) == 2
    assert main(["score", "--references", str(packed), "--hypotheses", str(plain)]) == 0
    assert "sacreBLEU   100.00" in capsys.readouterr().out


def test_a_pipe_of_packed_text_is_read_as_it_comes(folder: Path) -> None:
    """Byte after byte, so that nothing is known at the first read."""
    packed = gzip.compress(TEXT.encode())
    script = "import os, sys\nfor byte in sys.stdin.buffer.read(): os.write(1, bytes([byte]))"
    vaswani = str(Path(sys.executable).with_name("vaswani"))
    with subprocess.Popen([sys.executable, "-c", script], stdin=-1, stdout=-1) as writer:
        reader = subprocess.Popen([vaswani, "translate", str(folder)], stdin=writer.stdout, stdout=-1, stderr=-1)
        assert writer.stdin is not None
        writer.stdin.write(packed)
        writer.stdin.close()
        said, error = reader.communicate()
    assert (reader.returncode, error) == (0, b"")
    assert said.count(b"\n") == 2


@pytest.mark.parametrize("ending", PACKINGS)
@pytest.mark.parametrize("form", ["text", "tsv", "jsonl"])
def test_a_folder_of_packed_data_under_plain_names_is_read(tmp_path: Path, ending: str, form: str) -> None:
    files = {
        "text": {"train.en": "a\nc\n", "train.de": "b\nd\n"},
        "tsv": {"train.tsv": "en\tde\na\tb\nc\td\n"},
        "jsonl": {"train.jsonl": '{"en": "a", "de": "b"}\n{"en": "c", "de": "d"}\n'},
    }[form]
    for name, content in files.items():
        (tmp_path / name).write_bytes(PACKINGS[ending](content.encode()))
    doors: list[dict[str, Any]] = [{"data_dir": str(tmp_path)}]
    if form != "text":
        doors.append({"dataset": str(tmp_path)})
    for door in doors:
        corpus = open_corpus(**door, split="train", source="en", target="de")
        assert corpus.read(0) == [Pair("a", "b"), Pair("c", "d")]


@pytest.mark.parametrize("kind", ["zip", "utf-16", "utf-16-be", "sqlite", "npz", "tar.gz"])
@pytest.mark.parametrize("name", ["train.en", "train.de", "train.tsv", "train.jsonl", "train.parquet", "train.mrg"])
def test_data_that_is_no_text_is_named(tmp_path: Path, kind: str, name: str) -> None:
    for side in ("en", "de"):
        if name.endswith(("en", "de")):
            (tmp_path / f"train.{side}").write_text(TEXT)
    (tmp_path / name).write_bytes(OTHERS[kind][0])
    target = "trees" if name.endswith("mrg") else "de"
    doors: list[dict[str, Any]] = [{"data_dir": str(tmp_path)}]
    if name.endswith(("tsv", "jsonl", "parquet")):
        doors.append({"dataset": str(tmp_path)})
    for door in doors:
        said = "gzip data" if kind == "tar.gz" and name.endswith(("mrg", "parquet")) else OTHERS[kind][1]
        with pytest.raises(CorpusError, match=rf"{name} holds {said}"):
            open_corpus(**door, split="train", source="en", target=target)


# Doors of models


@pytest.mark.parametrize(
    "name", ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"]
)
@pytest.mark.parametrize("command", ["translate", "average", "export"])
def test_a_packed_file_of_a_model_is_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, command: str
) -> None:
    shutil.copytree(folder, tmp_path / "model")
    path = tmp_path / "model" / name
    path.write_bytes(gzip.compress(path.read_bytes()))
    (tmp_path / "text").write_text(TEXT)
    arguments = {
        "translate": [path.parent, "--input", tmp_path / "text"],
        "average": [folder, path.parent, "--output", tmp_path / "out"],
        "export": [path.parent, tmp_path / "out", "--to", "ctranslate2"],
    }[command]
    assert main([command, *map(str, arguments)]) == 2
    assert f"{path} holds gzip data" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["model.pt", "model.npz", "config.json"])
def test_a_packed_file_to_import_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(b'{"model_type": "marian"}'))
    source = tmp_path if name == "config.json" else path
    heads = ["--num_heads", "2"] if name == "model.npz" else []
    assert main(["import", str(source), str(tmp_path / "out"), *heads]) == 2
    assert f"{path} holds gzip data" in capsys.readouterr().err


def test_a_packed_record_of_a_run_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "history.json").write_bytes(json.dumps([]).encode("utf-16"))
    assert main(["plot", "curves", str(tmp_path)]) == 2
    assert "history.json holds text in UTF-16" in capsys.readouterr().err
