"""An imported OPUS-MT with its own tokenizer: two models of SentencePiece over one vocabulary, kept as they are."""

import json
import random
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_pieces import LETTERS, leave_tokenizer, sentences
from test_opus import GENERATION, opus
from torch import nn
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, GenerationConfig, MarianTokenizer

import vaswani
from vaswani.commands import main
from vaswani.data.tokenizer import fingerprint
from vaswani.engines.export import export

Randomise = Callable[[nn.Module], None]


@pytest.fixture(scope="module")
def marian(tmp_path_factory: pytest.TempPathFactory, randomise: Randomise) -> Path:
    """Be a folder of a MarianMTModel with its tokenizer."""
    folder = tmp_path_factory.mktemp("opus-mt-en-de")
    size = leave_tokenizer(folder)
    padding = {"pad_token_id": size - 1, "decoder_start_token_id": size - 1}
    model = opus(randomise, vocab_size=size, max_position_embeddings=64, **padding)
    model.generation_config = GenerationConfig(
        **GENERATION | padding | {"bad_words_ids": [[size - 1]], "max_length": 40}
    )
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def ours(marian: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Be the imported one."""
    folder = tmp_path_factory.mktemp("imported") / "ours"
    assert main(["import", str(marian), str(folder)]) == 0
    return folder


def test_the_tokenizer_is_theirs_on_any_text(marian: Path, ours: Path) -> None:
    """Of sources and of targets, which are cut otherwise; and back."""
    theirs: Any = MarianTokenizer.from_pretrained(marian)
    found: Any = AutoTokenizer.from_pretrained(ours)
    assert type(found) is MarianTokenizer
    draw = random.Random(3)
    letters = "".join(LETTERS.values()) + "  .,'xyzé▁Ωß漢<>/\t"
    texts = ["".join(draw.choice(letters) for _ in range(draw.randint(0, 30))) for _ in range(300)]
    texts += [*sentences(LETTERS["target"], 50, seed=2), ">>de<< abc", "</s> a <pad>"]
    expected, given = (each(texts, text_target=texts[::-1]) for each in (theirs, found))
    assert dict(given) == dict(expected)
    assert any(one != other for one, other in zip(given["input_ids"], given["labels"][::-1], strict=True))
    for ids in (expected["labels"], expected["input_ids"]):
        assert found.batch_decode(ids, skip_special_tokens=True) == theirs.batch_decode(ids, skip_special_tokens=True)
    assert (
        fingerprint(found) == fingerprint(theirs) != fingerprint(MarianTokenizer.from_pretrained(marian, unk_token="a"))
    )


def test_it_translates_by_command_and_from_python(ours: Path, tmp_path: Path) -> None:
    lines = sentences(LETTERS["source"], 12, seed=5)
    tokenizer: Any = AutoTokenizer.from_pretrained(ours)
    model: Any = AutoModelForSeq2SeqLM.from_pretrained(ours).eval()
    expected = []
    for line in lines:
        asked = tokenizer(line, return_tensors="pt")
        [found] = model.generate(**asked, num_beams=4, length_penalty=0.6, max_new_tokens=39)
        expected.append(tokenizer.decode(found, skip_special_tokens=True))
    assert len(set(expected)) > 1
    assert vaswani.load(str(ours)).translate(lines) == expected
    (tmp_path / "lines.txt").write_text("".join(f"{line}\n" for line in [*lines, ""]))
    words = ["translate", str(ours), "--input", str(tmp_path / "lines.txt"), "--output", str(tmp_path / "found.txt")]
    assert main(words) == 0
    assert (tmp_path / "found.txt").read_text().split("\n") == [*expected, "", ""]


@pytest.mark.parametrize("engine", ["onnx", "ctranslate2"])
def test_the_engines_say_what_torch_says(ours: Path, tmp_path: Path, engine: str) -> None:
    """Biases, swish, the bias on the logits; and nothing pads, and what is longest ends, as the model is saved with."""
    export(ours, tmp_path / engine, engine)
    lines = sentences(LETTERS["source"], 30, seed=6)
    expected: list[Any] = [each for row in vaswani.load(str(ours)).n_best(lines, 2) for each in row]
    found: list[Any] = [
        each for row in vaswani.load(str(tmp_path / engine), engine=engine).n_best(lines, 2) for each in row
    ]
    pairs = list(zip(expected, found, strict=True))
    same = sum(one.text == other.text and abs(one.score - other.score) < 1e-4 for one, other in pairs)
    assert same >= {"onnx": 60, "ctranslate2": 48}[engine]  # CTranslate2 counts ends among its first K alone
    assert all(other.score < one.score + 1e-4 for one, other in pairs)
    assert len({each.text for each in expected}) > 20


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"renormalize_logits": False}, "forbids tokens .* without renormalize_logits, and CTranslate2 gives"),
        (
            {"bad_words_ids": [[5, 6]]},
            r"sets bad_words_ids=\[\[5, 6\]\] in generation_config.json, which only generate",
        ),
        ({"forced_eos_token_id": 7}, "sets forced_eos_token_id=7 in generation_config.json, which only generate"),
    ],
)
def test_what_an_engine_cannot_obey_is_refused_by_its_name(
    ours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], message: str
) -> None:
    shutil.copytree(ours, tmp_path / "ours")
    settings = json.loads((ours / "generation_config.json").read_text())
    (tmp_path / "ours" / "generation_config.json").write_text(json.dumps(settings | changes))
    assert main(["export", str(tmp_path / "ours"), str(tmp_path / "out"), "--to", "ctranslate2"]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_what_is_forced_to_end_is_forced_at_its_own_limit(ours: Path) -> None:
    """A translation does not depend on the lines beside it."""
    model: Any = AutoModelForSeq2SeqLM.from_pretrained(ours).eval()
    model.generation_config.max_length = None
    model.generation_config.extra_tokens = 3
    lines = sentences(LETTERS["source"], 8, seed=11)
    tokenizer: Any = AutoTokenizer.from_pretrained(ours)
    alone = []
    for line in lines:
        ids = tokenizer(line, return_tensors="pt")
        [found] = model.generate(**ids, num_beams=4)
        found = [each for each in found.tolist()[1:] if each != tokenizer.pad_token_id]
        assert found[-1] == 0
        assert len(found) <= ids["input_ids"].shape[1] + 3
        alone.append(found)
    batch = model.generate(**tokenizer(lines, padding=True, return_tensors="pt"), num_beams=4)
    assert [[each for each in row[1:] if each != tokenizer.pad_token_id] for row in batch.tolist()] == alone
    assert any(len(one) == len(tokenizer(line).input_ids) + 3 for one, line in zip(alone, lines, strict=True))


def test_labels_of_a_text_have_the_loss_that_marian_gives(marian: Path, ours: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(ours)
    batch = tokenizer(["abc de", "g"], text_target=["cd ij", "k lm n"], padding=True, return_tensors="pt")
    batch["labels"][batch["labels"] == tokenizer.pad_token_id] = -100
    with torch.no_grad():
        losses = [
            AutoModelForSeq2SeqLM.from_pretrained(folder).eval()(**batch).loss.item() for folder in (marian, ours)
        ]
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)


def test_alignment_is_refused_for_it_says_nothing_of_places(ours: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["translate", str(ours), "--align"]) == 2
    assert "a MarianTokenizer does not tell which characters a token stands for" in capsys.readouterr().err


def test_without_sentencepiece_the_way_out_is_told(
    marian: Path, ours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sentencepiece", None)  # as where it is not installed
    assert main(["import", str(marian), str(tmp_path / "out")]) == 0
    assert "read by sentencepiece, which is not installed; pip install 'vaswani[marian]'" in capsys.readouterr().out
    assert main(["translate", str(ours)]) == 2
    error = capsys.readouterr().err
    assert (
        "cannot be loaded: it is read by sentencepiece, which is not installed; pip install 'vaswani[marian]'" in error
    )


def numbered(folder: Path, last: int) -> None:
    vocabulary = json.loads((folder / "vocab.json").read_text())
    (folder / "vocab.json").write_text(json.dumps(vocabulary | {"more": last}))


def more_tokens(folder: Path) -> None:
    (folder / "added_tokens.json").write_text('{"<one more>": 500, "<another>": 501}')


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "vocab.json").unlink(), "has source.spm and target.spm without vocab.json: a Marian"),
        (lambda folder: (folder / "target.spm").unlink(), "has source.spm and vocab.json without target.spm: a Marian"),
        (lambda folder: numbered(folder, 999), "vocab.json numbers tokens up to 999, and the network has "),
        (more_tokens, "they are not of one model; put the tokenizer and the weights of one model there"),
        (lambda folder: (folder / "vocab.json").write_text('{"a'), "vocab.json is damaged (Unterminated string"),
        (lambda folder: (folder / "vocab.json").write_text('["a"]'), "vocab.json is damaged (it holds a list, no obj"),
        (lambda folder: (folder / "vocab.json").write_text('{"a": "b"}'), "vocab.json is no vocabulary: it does not"),
        (lambda folder: (folder / "source.spm").write_bytes(b"no model"), "cannot be loaded"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no file named model.safetensors"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "bert"}'), "of the type bert, and of "),
    ],
    ids=["no vocabulary", "one model", "another's", "more tokens", "cut off", "a list", "no numbers", "no model",
         "no weights", "an encoder"],
)  # fmt: skip
def test_half_a_folder_is_refused_in_a_line(
    marian: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], spoil: Callable[[Path], Any], message: str
) -> None:
    shutil.copytree(marian, tmp_path / "marian")
    spoil(tmp_path / "marian")
    assert main(["import", str(tmp_path / "marian"), str(tmp_path / "out")]) == 2
    error = capfd.readouterr().err
    told = [line for line in error.splitlines() if line.startswith("vaswani import: ")]
    assert len(told) == 1, error
    assert message in told[0], error
    assert error.splitlines()[-1] == told[0]
    assert not (tmp_path / "out").exists()
