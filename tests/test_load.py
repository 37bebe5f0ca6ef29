"""`vaswani.load` gives what the command line gives: a folder, an export, the best hypotheses, and plain refusals."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Translator
from transformers import PreTrainedTokenizerFast

import vaswani
from vaswani.commands import main
from vaswani.translation.translate import translate

MakeModel = Callable[..., Any]


def test_a_folder_translates_as_its_network_does(toy_translator: Translator) -> None:
    lines = [*toy_translator.lines[:20], "", "   "]
    expected = translate(toy_translator.model, toy_translator.tokenizer, lines, num_beams=2, length_penalty=1.0)
    loaded = vaswani.load(toy_translator.folder, device="cpu")
    assert loaded.translate(lines, num_beams=2, length_penalty=1.0, tokens_per_batch=64) == expected
    assert len(set(expected)) > 10
    assert expected[-2:] == ["", ""]


def test_the_command_line_gives_the_same_hypotheses(
    toy_translator: Translator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = toy_translator.lines[:5]
    (tmp_path / "in").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    asked = ["--input", str(tmp_path / "in"), "--format", "tsv", "--n_best", "3", "--device", "cpu"]
    assert main(["translate", str(toy_translator.folder), *asked]) == 0
    by_command = [row.split("\t") for row in capsys.readouterr().out.splitlines()]
    found = vaswani.load(str(toy_translator.folder), device="cpu").n_best(lines, 3)
    assert [len(each) for each in found] == [3] * 5
    ours = [(str(line), str(rank), each.text) for line, row in enumerate(found, 1) for rank, each in enumerate(row, 1)]
    assert ours == [(line, rank, text) for line, rank, _, text in by_command]
    scores = [each.score for row in found for each in row]
    assert scores == pytest.approx([float(score) for _, _, score, _ in by_command], abs=1e-4)


@pytest.mark.parametrize("engine", ["ctranslate2", "onnx"])
def test_an_exported_model_translates_likewise(toy_translator: Translator, tmp_path: Path, engine: str) -> None:
    lines = toy_translator.lines[:20]
    assert main(["export", str(toy_translator.folder), str(tmp_path / "out"), "--to", engine]) == 0
    found = vaswani.load(str(tmp_path / "out"), engine=engine, device="cpu").translate(lines)
    expected = vaswani.load(str(toy_translator.folder), device="cpu").translate(lines)
    assert sum(a == b for a, b in zip(found, expected, strict=True)) >= 18  # ends that are close differ by rounding
    with pytest.raises(ValueError, match=f"exported to {engine} computes in what it was exported in"):
        vaswani.load(str(tmp_path / "out"), engine=engine, dtype="float16")


def test_numbers_are_those_that_were_asked_for(toy_translator: Translator) -> None:
    network = vaswani.load(str(toy_translator.folder), device="cpu", dtype="bfloat16")
    assert network.translate(toy_translator.lines[:1])[0]
    assert vaswani.load(str(toy_translator.folder), device="cpu").max_tokens > 10**6


def test_what_cannot_be_translated_is_refused_with_its_place(
    talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    talker(positions="learned", max_positions=12).to(torch.float32).save_pretrained(tmp_path)
    toy_tokenizer.save_pretrained(tmp_path)
    loaded = vaswani.load(str(tmp_path), device="cpu")
    with pytest.raises(ValueError, match=r"line 2 has \d+ tokens, and the model knows 12 positions"):
        loaded.translate(["the cat", "the cat sat on the mat and the dog sat by the door"])
    with pytest.raises(ValueError, match="lines is one string"):
        loaded.translate("the cat")
    with pytest.raises(ValueError, match="is not a folder"):
        vaswani.load(str(tmp_path / "nowhere"))
