"""What the benchmarks are asked for: flags of the recipe reach it, lines are lines, and what cannot be is refused."""

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Translator

from benchmarks.decoding import alignment_layers, compare_engines, decode, serve
from benchmarks.training import precisions
from vaswani.translation.hypotheses import BeamSettings
from vaswani.translation.search import by_generate

MakeModel = Callable[..., Any]

RECIPE = """
import json, pathlib, sys
folder = pathlib.Path(sys.argv[sys.argv.index("--output_dir") + 1])
folder.mkdir(parents=True)
figures = {"validation": {"loss": 1, "bleu": 2}, "test": {}, "flags": sys.argv[1:], "parameters": 1, "steps": 1}
figures |= {"training_seconds": 1, "training_pairs": {"kept": 1, "dropped": {}}, "chosen": "last checkpoint"}
figures |= {"search": {"num_beams": 1, "length_penalty": 0.6}}
(folder / "metrics.json").write_text(json.dumps(figures))
"""


def call(monkeypatch: pytest.MonkeyPatch, script: Any, *args: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", [script.__file__, *map(str, args)])
    script.main()


def test_a_flag_of_the_recipe_that_begins_as_ours_goes_to_the_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (recipe := tmp_path / "recipe.py").write_text(RECIPE)
    flags = ("--seeds", "1", "--precisions", "float32", "--output_dir", tmp_path, "--seed", "5")
    call(monkeypatch, precisions, recipe, *flags, "--output", tmp_path / "report")
    [metrics] = tmp_path.glob("*/*/metrics.json")
    assert json.loads(metrics.read_text())["flags"][:2] == ["--seed", "5"]


@pytest.mark.parametrize(("base", "only"), [("papers search", None), (decode.PAPER, ["greddy"])])
def test_a_name_that_no_contender_has_is_refused(base: str, only: list[str] | None) -> None:
    ways: dict[str, decode.Contender] = dict.fromkeys((decode.PAPER, "greedy", "ONNX"), lambda lines: lines)
    with pytest.raises(ValueError, match=r"no contender is called '(papers search|greddy)'; there are: paper's"):
        decode.chosen(ways, base, only)
    assert list(decode.chosen(ways, decode.PAPER, ["ONNX"])) == [decode.PAPER, "ONNX"]
    assert decode.chosen(ways, "greedy", None) == ways


@pytest.mark.parametrize("clients", [0, 3])
def test_clients_without_a_line_are_refused(
    toy_translator: Translator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    clients: int,
) -> None:
    (text := tmp_path / "text").write_text("one\u2028line\nanother\n")
    with pytest.raises(SystemExit):
        call(monkeypatch, serve, toy_translator.folder, "--input", text, "--clients", str(clients), "--seconds", "0")
    assert f"--clients is {clients} and {text} has 2 line(s)" in capsys.readouterr().err


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_line_ends_at_a_line_feed_alone(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / ("text.gz" if pack is gzip.compress else "text")
    path.write_bytes(pack("a\u2028b\x85c\r\n\nd".encode()))
    assert alignment_layers.read(path) == ["a\u2028b\x85c", "", "d"]


@pytest.mark.parametrize("beams", [1, 4])
def test_generate_asked_as_an_engine_ends_at_the_last_learned_position(
    talker: MakeModel, toy_tokenizer: Any, beams: int
) -> None:
    model = talker(positions="learned", max_positions=12)
    sources = toy_tokenizer(["the cat", "the dog sat by"]).input_ids
    found = compare_engines.Torch(model).search(sources, BeamSettings(beams))
    assert max(len(best.tokens) for [best] in found) == 12
    texts = [toy_tokenizer.decode(best.tokens, skip_special_tokens=True) for [best] in found]
    assert texts == [best.text for [best] in by_generate(model, toy_tokenizer, BeamSettings(beams))(sources)]
