"""What needs no torch does not wait for it: one line by CTranslate2, with ids, settings and threads as with torch."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from conftest import Translator
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, GenerationConfig

import vaswani
from vaswani.commands import main
from vaswani.data.tokenizer import learn_tokenizer
from vaswani.engines.export import export
from vaswani.modeling import generation_vaswani, search_vaswani
from vaswani.translation import settings
from vaswani.translation.plain_tokenizer import PlainTokenizer, load_plain
from vaswani.translation.settings import generation_settings, plain_settings, saved_settings

HEAVY = {"torch", "transformers", "datasets", "pandas", "pyarrow", "accelerate", "numpy", "sklearn", "huggingface_hub"}
TRUNCATION = {"direction": "Right", "max_length": 9, "strategy": "LongestFirst", "stride": 0}
LAUNCHER = ("LOCAL_RANK", "RANK", "WORLD_SIZE")
THE_HEAVY = f"print(sorted({HEAVY} & sys.modules.keys()), file=sys.stderr)"
BY_COMMAND = f"import sys\nfrom vaswani.commands import main\ncode = main(sys.argv[1:])\n{THE_HEAVY}\nsys.exit(code)"
BY_LOAD = (
    "import sys, vaswani\nmodel = vaswani.load(sys.argv[1], engine='ctranslate2')\n"
    f"print(*model.translate(sys.argv[2:]), sep='\\n')\n{THE_HEAVY}"
)


@pytest.fixture(scope="module")
def exported(toy_translator: Translator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("light") / "toy"
    export(toy_translator.folder, folder, "ctranslate2")
    return folder


def python(script: str, *args: str | Path, given: str = "", **environment: str) -> tuple[str, str]:
    alone = {name: value for name, value in os.environ.items() if name not in LAUNCHER}
    command = [sys.executable, "-c", script, *map(str, args)]
    done = subprocess.run(command, input=given, env=alone | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


# What is imported


@pytest.mark.parametrize("more", [[], ["--format", "jsonl", "--n_best", "2"], ["--output", "out"]], ids=str)
def test_the_command_imports_neither_torch_nor_transformers(
    toy_translator: Translator, exported: Path, tmp_path: Path, more: list[str]
) -> None:
    lines = toy_translator.lines[:3]
    (tmp_path / "in").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    more = [str(tmp_path / each) if each == "out" else each for each in more]
    said, heavy = python(
        BY_COMMAND, "translate", exported, "--engine", "ctranslate2", "--input", tmp_path / "in", *more
    )
    assert heavy == "[]\n"
    found = (tmp_path / "out").read_text(encoding="utf-8") if "--output" in more else said
    best = [json.loads(row)["translations"][0]["text"] if "jsonl" in more else row for row in found.splitlines()]
    assert best == vaswani.load(toy_translator.folder, device="cpu").translate(lines)


def test_load_imports_neither(toy_translator: Translator, exported: Path) -> None:
    lines = toy_translator.lines[:3]
    found, heavy = python(BY_LOAD, exported, *lines)
    assert heavy == "[]\n"
    assert found.splitlines() == vaswani.load(exported, engine="ctranslate2").translate(lines)


def test_what_commands_say_of_themselves_needs_neither() -> None:
    _, heavy = python("import sys, vaswani.data, vaswani.training, vaswani.commands\n" + THE_HEAVY)
    assert heavy == "[]\n"


@pytest.mark.parametrize("package", ["vaswani.data", "vaswani.training"])
def test_public_names_are_there_when_asked_for(package: str) -> None:
    module = import_module(package)
    text = Path(str(module.__file__)).read_text(encoding="utf-8")
    for name in module.__all__:
        assert getattr(module, name).__name__ == name or not hasattr(getattr(module, name), "__name__")
        assert f" import {name} as {name}\n" in text, "type checkers do not see it"
    assert len(re.findall(r" import \w+ as ", text)) == len(module.__all__)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        _ = module.nothing


# The tokenizer


def texts(*words: str) -> st.SearchStrategy[str]:
    """Text of any characters among words that a tokenizer takes in its own way."""
    return st.lists(st.one_of(st.text(max_size=6), st.sampled_from(words)), max_size=8).map("".join)


@pytest.fixture(scope="module", params=[True, False], ids=["</s> is text", "</s> is a symbol"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[PlainTokenizer, Any]:
    """A saved tokenizer with tokens of a user's own, by `tokenizers` alone and by transformers."""
    text = ["the cat sat on the mat and the dog sat by the door"] * 3
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer = learn_tokenizer(text, 290, user_symbols=["<br>", ">>de<<"], show_progress=False)
    tokenizer.split_special_tokens = request.param
    tokenizer.save_pretrained(folder)
    plain = load_plain(folder)
    assert plain is not None
    return plain, AutoTokenizer.from_pretrained(folder)


@given(text=texts("the cat", " sat", "</s>", "<s>", "<pad>", "<br>", ">>de<<", "\u00df", "\U0001f469\u200d\U0001f467"))
def test_ids_are_those_of_transformers(both: tuple[PlainTokenizer, Any], text: str) -> None:
    plain, whole = both
    assert plain(text).input_ids == whole(text).input_ids
    assert plain([text, "the cat"]).input_ids == whole([text, "the cat"]).input_ids


@given(ids=st.lists(st.integers(0, 289), max_size=12))
def test_texts_are_those_of_transformers(both: tuple[PlainTokenizer, Any], ids: list[int]) -> None:
    plain, whole = both
    for skip in (True, False):
        how = {"skip_special_tokens": skip, "clean_up_tokenization_spaces": False}
        assert plain.decode(ids, **how) == whole.decode(ids, **how)
    assert plain.get_vocab() == whole.get_vocab()


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("tokenizer_config.json", {"tokenizer_class": "MarianTokenizer"}),
        ("tokenizer_config.json", {"add_prefix_space": True}),
        ("tokenizer_config.json", {"model_max_length": 8}),
        ("tokenizer_config.json", {"pad_token": "<another>"}),
        ("tokenizer_config.json", {"pad_token": {"content": "<pad>"}}),
        ("tokenizer_config.json", {"clean_up_tokenization_spaces": True}),
        ("tokenizer.json", {"truncation": TRUNCATION}),
        ("tokenizer.json", {"model": None}),
        ("added_tokens.json", {}),
    ],
    ids=str,
)  # fmt: skip
def test_an_unusual_tokenizer_is_left_to_transformers(
    exported: Path, tmp_path: Path, file: str, change: dict[str, Any]
) -> None:
    assert load_plain(exported) is not None
    folder = Path(shutil.copytree(exported, tmp_path / "toy"))
    found = json.loads((folder / file).read_text()) if (folder / file).exists() else {}
    (folder / file).write_text(json.dumps(found | change))
    assert load_plain(folder) is None


def test_a_damaged_tokenizer_is_refused_as_ever(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(exported, tmp_path / "toy"))
    path = folder / "tokenizer.json"
    path.write_text(path.read_text()[:-9])
    assert main(["translate", str(folder), "--engine", "ctranslate2", "--input", os.devnull]) == 2
    assert f"the tokenizer in {folder} cannot be loaded" in capsys.readouterr().err


# The settings


@pytest.mark.parametrize(
    "change",
    [{}, {"max_length": 9}, {"extra_tokens": 3}, {"extra_symbols": 4, "length_penalty": 1}, {"max_new_tokens": 2}],
    ids=str,
)
def test_plain_settings_mean_what_transformers_reads(exported: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    file = tmp_path / "generation_config.json"
    file.write_text(json.dumps(json.loads((exported / file.name).read_text()) | {"_from_model_config": False} | change))
    found = plain_settings(file)
    assert found is not None
    assert generation_settings(found, "") == generation_settings(GenerationConfig.from_pretrained(tmp_path), "")


@pytest.mark.parametrize(
    "change",
    [
        {"suppress_tokens": [5]},
        {"forced_eos_token_id": 3, "renormalize_logits": True},
        {"eos_token_id": [3, 7]},
        {"max_new_tokens": 0},
        {"extra_tokens": 3, "_from_model_config": True},
        {"no_repeat_ngram_size": 2},
    ],
    ids=str,
)
def test_unusual_settings_are_left_to_transformers(exported: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    file = tmp_path / "generation_config.json"
    file.write_text(json.dumps(json.loads((exported / file.name).read_text()) | change))
    assert plain_settings(file) is None

    def said(read: Any) -> str:
        try:
            return str(read())
        except (ValueError, OSError, TypeError) as error:
            return f"{type(error).__name__}: {error}"

    by_transformers = said(lambda: generation_settings(GenerationConfig.from_pretrained(tmp_path), tmp_path))
    assert said(lambda: saved_settings(tmp_path)) == by_transformers


def test_constants_are_those_of_the_network() -> None:
    from vaswani.engines.ctranslate2 import penalty

    assert (settings.UNBOUNDED, settings.EXTRA_TOKENS) == (
        generation_vaswani.UNBOUNDED,
        generation_vaswani.EXTRA_TOKENS,
    )
    for length in (1, 7, 60):
        for alpha in (0.0, 0.6, 2.0):
            assert penalty(length, alpha) == pytest.approx(float(search_vaswani.penalty(length, alpha)), rel=1e-15)
    limits = settings.GenerationSettings(2, (3,), 1, 50, 60)
    assert [limits.limit(tokens, 4096) for tokens in (1, 9, 10, 11)] == [51, 59, 60, 60]
    assert limits.limit(5, 20) == 20


# Threads and processes


@pytest.mark.parametrize("environment", [{}, {"OMP_NUM_THREADS": "3"}, {"OMP_NUM_THREADS": "2,1"}], ids=str)
def test_threads_are_as_many_as_by_torch(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    script = (
        "from vaswani.engines.threads import threads\nbefore = threads()\nimport torch\n"
        "print(before, threads(), torch.get_num_threads())"
    )
    before, after, torch_has = python(script, **environment)[0].split()
    assert before == after == torch_has


@pytest.mark.slow
def test_two_processes_share_the_work_of_an_exported_model(
    toy_translator: Translator, exported: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").write_text("".join(f"{line}\n" for line in toy_translator.lines[:60]), encoding="utf-8")
    words: list[str | Path] = [
        "translate",
        exported,
        "--engine",
        "ctranslate2",
        "--input",
        tmp_path / "in",
        "--tokens_per_batch",
        "256",
    ]
    alone, _ = python(BY_COMMAND, *words)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    meet = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    command = [sys.executable, "-m", "vaswani.commands", *map(str, words), "--output", str(tmp_path / "out")]
    started = [subprocess.Popen(command, env={**os.environ, **meet, "RANK": rank, "LOCAL_RANK": rank}) for rank in "01"]
    assert [each.wait() for each in started] == [0, 0]
    assert (tmp_path / "out").read_text(encoding="utf-8") == alone
