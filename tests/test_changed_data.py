"""Text that changes while a run reads it, or before it resumes, is never trained on, however the change is hidden."""

import gzip
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forked import Forks
from test_more_steps import Runs
from test_more_steps import text as text_of_runs

from vaswani.data import Corpus, CorpusError, open_corpus

PAIRS = [(f"one {number:04}", f"eins {number:04}") for number in range(2500)]
OTHERS = [(f"two {number:04}", f"zwei {number:04}") for number in range(2500)]
Pairs = list[tuple[str, str]]
text = text_of_runs  # the fixture


def write_texts(folder: Path, pairs: Pairs) -> Path:
    for side, language in enumerate(("en", "de")):
        (folder / f"train.{language}").write_text("".join(f"{pair[side]}\n" for pair in pairs))
    return folder / "train.de"


def write_packed(folder: Path, pairs: Pairs) -> Path:
    file = write_texts(folder, pairs)
    for each in (folder / "train.en", file):
        each.with_name(f"{each.name}.gz").write_bytes(gzip.compress(each.read_bytes(), 0, mtime=0))
        each.unlink()
    return folder / "train.de.gz"


def write_tsv(folder: Path, pairs: Pairs) -> Path:
    file = folder / "train.tsv"
    file.write_text("en\tde\n" + "".join("\t".join(pair) + "\n" for pair in pairs))
    return file


def write_jsonl(folder: Path, pairs: Pairs) -> Path:
    file = folder / "train.jsonl"
    file.write_text("".join(json.dumps(dict(zip(("en", "de"), pair, strict=True))) + "\n" for pair in pairs))
    return file


def write_csv(folder: Path, pairs: Pairs) -> Path:
    file = folder / "train.csv"
    file.write_text("en,de\n" + "".join(",".join(pair) + "\n" for pair in pairs))
    return file


def write_parquet(folder: Path, pairs: Pairs) -> Path:
    file = folder / "train.parquet"
    columns = {language: [pair[side] for pair in pairs] for side, language in enumerate(("en", "de"))}
    pq.write_table(pa.table(columns), file, row_group_size=1000, compression="none", use_dictionary=False)
    return file


Write = Callable[[Path, Pairs], Path]
KINDS: dict[str, tuple[str, Write]] = {
    "text": ("data_dir", write_texts),
    "packed text": ("data_dir", write_packed),
    "TSV": ("data_dir", write_tsv),
    "JSON lines": ("data_dir", write_jsonl),
    "parquet": ("data_dir", write_parquet),
    "parquet of a data set": ("dataset", write_parquet),
    "JSON lines of a data set": ("dataset", write_jsonl),
    "CSV of a data set": ("dataset", write_csv),
}


def opened(kind: str, folder: Path) -> Corpus:
    named = {KINDS[kind][0]: str(folder)}
    return open_corpus(split="train", source="en", target="de", **named)  # type: ignore[arg-type]


def other_text(kind: str, file: Path) -> bytes:
    """What the file would hold with other pairs; as long as it is."""
    folder = file.parent / "elsewhere"
    folder.mkdir()
    content = KINDS[kind][1](folder, OTHERS).read_bytes()
    shutil.rmtree(folder)
    return content


def swap(file: Path, content: bytes, by_name: bool) -> None:
    """Put other content in place of a file's, in the file or under its name, and turn its time back."""
    before = file.stat()
    if by_name:
        file.with_suffix(".new").write_bytes(content)
        os.utime(file.with_suffix(".new"), ns=(before.st_atime_ns, before.st_mtime_ns))
        file.with_suffix(".new").rename(file)
    else:
        file.write_bytes(content)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("by_name", [False, True], ids=["in place", "by name"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_swapped_with_size_and_time_kept_is_not_read_on(
    tmp_path: Path, kind: str, by_name: bool
) -> None:
    file = KINDS[kind][1](tmp_path, PAIRS)
    corpus = opened(kind, tmp_path)
    in_a_worker: Corpus = pickle.loads(pickle.dumps(corpus))
    assert next(iter(corpus.read(0))) == PAIRS[0]
    swap(file, other_text(kind, file), by_name)
    for each in (corpus, in_a_worker):
        with pytest.raises(CorpusError, match="has changed since it was opened"):
            each.read(0)
    assert opened(kind, tmp_path).fingerprint != corpus.fingerprint  # so that no position fits, at a resume


@pytest.mark.parametrize("kind", KINDS)
def test_what_leaves_the_content_as_it_was_is_no_change(tmp_path: Path, kind: str) -> None:
    file = KINDS[kind][1](tmp_path, PAIRS)
    corpus = opened(kind, tmp_path)
    file.chmod(0o444)
    assert next(iter(corpus.read(0))) == PAIRS[0]
    os.utime(file, (0, 0))
    assert next(iter(corpus.read(0))) == PAIRS[0]
    copied = shutil.copytree(tmp_path, tmp_path.with_name(f"{tmp_path.name} copied"))
    file.unlink()
    with pytest.raises(CorpusError, match="is gone since it was opened"):
        corpus.read(0)
    assert opened(kind, copied).fingerprint == corpus.fingerprint


def test_a_validation_text_that_was_edited_is_refused_at_the_resume_and_a_test_text_is_told(
    forks: Forks, text: Path, tmp_path: Path
) -> None:
    runs = Runs(forks, text, tmp_path)
    runs("edited", 4)
    for name, steps, code in (("test_toy", 6, 0), ("val", 8, 2)):
        file = text / f"{name}.nds"
        before = file.read_text(encoding="utf-8")
        file.write_text(before.replace(" ", "  ", 1).replace("d", "t", 1), encoding="utf-8")
        said = runs("edited", steps, "--resume", code=code)
        if code:
            assert "the text of validation, by which the weights are chosen, is not the one on which this" in said
            file.write_text(before, encoding="utf-8")
        else:
            assert "Note: the text of test_toy has changed since the run began" in said
    assert "Resuming from checkpoint-6" in runs("edited", 8, "--resume")


def test_a_shard_of_a_data_set_that_was_swapped_is_refused_at_the_resume(
    forks: Forks, text: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    for split in ("train", "val", "test_toy"):
        sides = [(text / f"{split}.{language}").read_text(encoding="utf-8").splitlines() for language in ("en", "nds")]
        table = pa.table(dict(zip(("en", "nds"), sides, strict=True)))
        kept = {"val": "validation", "test_toy": "test"}.get(split, split)
        pq.write_table(table, folder / f"{kept}-0.parquet", compression="none", use_dictionary=False)
    runs = Runs(forks, text, tmp_path)
    flags = ["--dataset", str(folder), "--test_splits", "test"]
    runs("run", 4, *flags)
    file = folder / "train-0.parquet"
    swap(file, file.read_bytes().replace(b"cat", b"cot"), by_name=True)
    said = runs("run", 6, *flags, "--resume", code=2)
    assert "the text itself has changed since" in said
