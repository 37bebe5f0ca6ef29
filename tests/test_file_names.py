"""Names of files that are not UTF-8, or are not in the locale of a process: text is read whatever they are, and where a
library takes no other the refusal names them before anything is done."""

import gzip
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forked_python import forked
from hypothesis import given
from hypothesis import strategies as st
from toy_language import sentence
from transformers import PreTrainedTokenizerFast

from vaswani.commands import main
from vaswani.commands.plot import names_apart
from vaswani.data.file_names import all_printable, check_name, printable
from vaswani.data.opening import Pair, open_corpus
from vaswani.experiment.run_folder import write_json
from vaswani.publishing import model_card, read_records
from vaswani.publishing.records import read_json
from vaswani.translation.loading import load_tokenizer, load_whole

ROOT = Path(__file__).resolve().parents[1]
BAD = os.fsdecode(b"caf\xe9")
FLAGS = {
    "vocab_size": 300,
    "d_model": 16,
    "d_ff": 32,
    "num_heads": 2,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "tokens_per_batch": 512,
    "batches_per_step": 1,
    "warmup_steps": 10,
    "bf16": False,
    "report_to": "tensorboard",
    "dataloader_num_workers": 0,
    "max_steps": 2,
    "eval_steps": 2,
    "save_steps": 2,
    "logging_steps": 1,
    "average_checkpoints": 1,
    "direction": "en-nds",
    "validation_split": "val",
}
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def recipe(*flags: str | Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    tiny = [word for name, value in FLAGS.items() for word in (f"--{name}", str(value))]
    variables = os.environ | {"OMP_NUM_THREADS": "1"} | environment
    command = forked(sys.executable, ROOT / "recipes" / "multi30k.py", *tiny, *flags, environment=variables)
    return subprocess.run(list(map(os.fsencode, command)), env=variables, capture_output=True, check=False)


def write_text(folder: Path, *splits: str) -> Path:
    folder.mkdir(parents=True)
    draw = random.Random(1)
    for split in splits:
        pairs = [sentence(draw) for _ in range(60)]
        for side, language in enumerate(("en", "nds")):
            text = "".join(f"größer {pair[side]}\n" for pair in pairs)
            (folder / f"{split}.{language}").write_text(text, encoding="utf-8")
    return folder


# Names


@pytest.mark.parametrize(
    ("name", "shown"),
    [(BAD, r"caf\xe9"), ("täxt", "täxt"), (os.fsdecode("täxt".encode()), "täxt"), ("a\ud83d", r"a\xed\xa0\xbd")],
)
def test_a_name_is_shown_so_that_anything_can_hold_it(name: str, shown: str) -> None:
    assert printable(name) == shown
    assert all_printable({name: [name, {"x": (name, 1, None)}]}) == {shown: [shown, {"x": [shown, 1, None]}]}


@given(st.binary())
def test_every_name_can_be_shown_and_those_of_utf8_are_left_alone(content: bytes) -> None:
    shown = printable(os.fsdecode(content))
    shown.encode("utf-8")
    try:
        assert shown == content.decode("utf-8")
    except UnicodeDecodeError:
        assert shown == content.decode("utf-8", "backslashreplace")


def test_what_cannot_be_taken_is_refused_with_the_way_out(tmp_path: Path) -> None:
    check_name(tmp_path / "täxt", "--x")
    path = tmp_path / f"it's {BAD}"
    with pytest.raises(ValueError, match=r"^--x .*/it's caf\\xe9 has a name that is not UTF-8.*Give another\.$"):
        check_name(path, "--x")
    path.write_text("here")
    with pytest.raises(ValueError, match=r"Rename it: mv \$'.*' NEW") as raised:
        check_name(path, "--x")
    command = str(raised.value).partition("Rename it: ")[2].replace("NEW", str(tmp_path / "new"))
    subprocess.run(["bash", "-c", command], check=True)
    assert (tmp_path / "new").read_text() == "here"
    with pytest.raises(
        ValueError, match=r"^--x täxt has a name beyond ASCII, which Python treats as bytes .*PYTHONUTF8=1"
    ):
        check_name("t\udcc3\udca4xt", "--x")


def test_records_keep_a_name_and_can_be_read_again(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", {"data_dir": BAD, "größer": '"\\'})
    content = (tmp_path / "run.json").read_bytes().decode("utf-8")
    assert "größer" in content
    assert read_json(tmp_path / "run.json") == {"data_dir": BAD, "größer": '"\\'}


# Text


@pytest.mark.parametrize(
    ("door", "form"),
    [
        ("data_dir", "en"),
        *product(("data_dir", "dataset"), ("tsv", "jsonl.gz", "parquet")),
    ],
)
def test_text_is_read_whatever_its_name_is(tmp_path: Path, door: str, form: str) -> None:
    folder = tmp_path / (BAD if door == "data_dir" else "data")
    folder.mkdir()
    path = folder / f"test-{BAD}.{form}"
    if form == "parquet":
        with path.open("wb") as file:
            pq.write_table(pa.table({"en": ["a"], "de": ["b"]}), file)
    else:
        content = {"tsv": b"en\tde\na\tb\n", "jsonl.gz": gzip.compress(b'{"en": "a", "de": "b"}'), "en": b"a\n"}[form]
        path.write_bytes(content)
        if form == "en":
            (folder / f"test-{BAD}.de").write_bytes(b"b\n")
    corpus = open_corpus(**{door: str(folder)}, split="test", source="en", target="de")  # type: ignore[arg-type]
    assert corpus.read(0) == [Pair("a", "b")]


def test_a_data_set_whose_folder_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / BAD).mkdir()
    with pytest.raises(ValueError, match=r"--dataset .*caf\\xe9 has a name that is not UTF-8"):
        open_corpus(dataset=str(tmp_path / BAD), split="train", source="en", target="de")


# Commands


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, talker: Callable[..., Any], toy_tokenizer: PreTrainedTokenizerFast
) -> Path:
    path = tmp_path_factory.mktemp("model") / "model"
    talker().float().save_pretrained(path)
    toy_tokenizer.save_pretrained(path)
    return path


@pytest.mark.parametrize(
    "command",
    [
        ["translate", "MODEL"],
        ["serve", "MODEL"],
        ["demo", "MODEL"],
        ["plot", "attention", "MODEL", "--text", "the cat"],
        ["export", "MODEL", "OUT", "--to", "onnx"],
        ["export", "GOOD", "OUT-BAD", "--to", "onnx"],
        ["export", "GOOD", "OUT-BAD", "--to", "ctranslate2"],
        ["average", "GOOD", "MODEL", "--output", "OUT"],
        ["average", "GOOD", "GOOD", "--output", "OUT-BAD"],
        ["consolidate", "MODEL", "OUT"],
        ["import", "MODEL", "OUT"],
        ["import", "GOOD", "OUT-BAD"],
        ["push", "MODEL", "ann/model"],
    ],
)
def test_commands_refuse_models_that_libraries_could_not_take_and_write_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    shutil.copytree(folder, tmp_path / BAD)
    named = {"MODEL": tmp_path / BAD, "GOOD": folder, "OUT": tmp_path / "out", "OUT-BAD": tmp_path / f"out-{BAD}"}
    assert main([str(named.get(word, word)) for word in command]) == 2
    error = capsys.readouterr().err
    assert r"caf\xe9 has a name that is not UTF-8" in error
    assert [path.name for path in tmp_path.iterdir()] == [BAD]


def test_a_program_that_loads_such_a_model_is_told(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / BAD)
    for load in (load_whole, load_tokenizer):
        with pytest.raises(ValueError, match="has a name that is not UTF-8"):
            load(tmp_path / BAD)


@pytest.mark.parametrize("environment", [{"PYTHONIOENCODING": "utf-8:strict"}, ASCII])
def test_translation_takes_texts_of_any_name(folder: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / BAD).write_text("the cat\nthe dog über\n", encoding="utf-8")
    command: list[str | Path] = [
        Path(sys.executable).with_name("vaswani"),
        "translate",
        folder,
        "--input",
        tmp_path / BAD,
    ]
    command += ["--output", tmp_path / f"out-{BAD}", "--format", "jsonl"]
    variables = os.environ | environment
    done = subprocess.run(forked(*command, environment=variables), env=variables, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = (tmp_path / f"out-{BAD}").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["source"] for line in lines] == ["the cat", "the dog über"]
    command[command.index("--input") + 1] = tmp_path / f"missing-{BAD}"
    done = subprocess.run(forked(*command, environment=variables), env=variables, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_a_picture_shows_a_name_that_it_can(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", BAD):
        (tmp_path / name).mkdir()
        (tmp_path / name / "history.json").write_text('[{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}]')
        (tmp_path / f"{name}.txt").write_text("a b c\n" * 9)
    assert names_apart([tmp_path / "one", tmp_path / BAD]) == ["one", r"caf\xe9"]
    assert main(["plot", "curves", str(tmp_path / BAD), str(tmp_path / "one"), "--output", str(tmp_path / "p")]) == 0
    texts = [str(tmp_path / f"{name}.txt") for name in ("one", BAD)]
    lengths = ["plot", "lengths", "--sources", texts[0], "--references", texts[1], "--hypotheses", *texts]
    assert main([*lengths, "--output", str(tmp_path / f"lengths-{BAD}")]) == 0
    assert (tmp_path / f"lengths-{BAD}.png").is_file()
    assert r"lengths-caf" in capsys.readouterr().out


# Runs


@pytest.mark.parametrize(("flag", "environment"), [("--output_dir", {}), ("--cache_dir", ASCII)])
def test_a_run_is_refused_before_it_begins(tmp_path: Path, flag: str, environment: dict[str, str]) -> None:
    name = "täxt" if environment else BAD
    text = write_text(tmp_path / "text", "train", "val", "test")
    done = recipe("--data_dir", text, "--output_dir", tmp_path / "run", flag, tmp_path / name, **environment)
    words = done.stderr.decode("ascii", "replace").splitlines()[-1]
    assert done.returncode == 2, words
    assert words.startswith(f"error: {flag} ")
    assert ("PYTHONUTF8=1" if environment else r"caf\xe9 has a name that is not UTF-8") in words
    assert [path.name for path in tmp_path.iterdir()] == ["text"]


@pytest.mark.slow
def test_a_run_in_ascii_reads_text_of_any_name_and_shows_what_it_can(tmp_path: Path) -> None:
    """Its log holds letters beyond ASCII, and its records and its card the names of folders that are not UTF-8."""
    text = write_text(tmp_path / BAD, "train", "val", f"test-{BAD}")
    flags = ["--test_splits", f"test-{BAD}", "--output_dir", str(tmp_path / "run")]
    done = recipe("--data_dir", text, "--extra_dirs", text, *flags, **ASCII)
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-3000:]
    assert rb"gr\xf6\xdfer" in done.stdout
    run, measured = (read_json(tmp_path / "run" / name) for name in ("run.json", "metrics.json"))
    assert run["data"]["data_dir"] == str(text)
    assert list(measured["test"]) == [f"test-{BAD}"]
    assert (tmp_path / "run" / f"test-{BAD}.translations.txt").is_file()
    card = model_card("ann/model", *read_records(tmp_path / "run"), {})
    assert r"test-caf\xe9" in card
    card.encode("utf-8")
