"""A model as a class of transformers' own: the same logits and searches, loaded without this package."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Translator
from test_engines import run
from test_opus import EOS, V, opus
from torch import nn
from transformers import (
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    GenerationConfig,
    MarianMTModel,
    PegasusForConditionalGeneration,
)

from vaswani.commands import main
from vaswani.conversion.to_transformers import equal_slope, to_transformers
from vaswani.conversion.to_vaswani import CannotConvertError
from vaswani.engines.native import EXPONENTS, best_exponent, largest_difference
from vaswani.evaluation.scores import figure
from vaswani.modeling import VaswaniForConditionalGeneration
from vaswani.publishing.native_record import ExponentRecord, read_native

Model = Callable[..., VaswaniForConditionalGeneration]
EXACT: dict[str, dict[str, Any]] = {
    "paper": {},
    "narrow heads": {"d_k": 4, "d_v": 6},
    "three stacks of heads": {"d_model": 24, "num_heads": 3},
    "all that descendants have": {"attention_bias": True, "activation": "silu", "output_bias": True},
    "GELU, narrow heads with biases": {"attention_bias": True, "activation": "gelu", "d_k": 4, "d_v": 6},
}

WITHOUT_US = """
import json, sys
sys.modules["vaswani"] = None  # an import of it would fail
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
folder, lines = sys.argv[1], json.loads(sys.argv[2])
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
found = model.generate(**tokenizer(lines, padding=True, return_tensors="pt"), max_length=60)
print(json.dumps([type(model).__name__, tokenizer.batch_decode(found, skip_special_tokens=True)]))
"""


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("changes", EXACT.values(), ids=list(EXACT))
def test_the_same_logits_and_beams(
    tiny_model: Model, padded_batch: Callable[..., Any], norm: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    ours = tiny_model(norm=norm, **changes)
    assert ours.generation_config is not None
    ours.generation_config.num_beams = 4
    theirs: Any = to_transformers(ours, 0.5)
    assert type(theirs) is (MarianMTModel if norm == "post" else PegasusForConditionalGeneration)
    theirs.save_pretrained(tmp_path)
    theirs = type(theirs).from_pretrained(tmp_path)
    batch = padded_batch(rows=8, source_length=20, target_length=15)
    labels = batch.pop("labels")
    given = ours.prepare_decoder_input_ids_from_labels(labels)
    expected = ours(**batch, decoder_input_ids=given).logits
    found = theirs(**batch, decoder_input_ids=given).logits
    spread = float(expected.detach().std())
    # Their sinusoids are computed in float64 and kept in float32, ours computed in float32.
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * spread)
    assert spread > 0.1
    asked: dict[str, Any] = {**batch, "num_beams": 4, "max_length": 30, "length_penalty": 0.5}
    ends: Any = ours.generate(paper_search=False, **asked)
    assert torch.equal(theirs.generate(**asked), ends)
    assert len({tuple(row.tolist()) for row in ends}) > 1


def test_what_a_native_class_has_no_place_for_is_refused(tiny_model: Model) -> None:
    for changes, what in (
        ({"positions": "learned"}, "positions are learned.*Push it as it is"),
        ({"d_k": 9}, r"d_k is 9, and heads .* d_model / num_heads = 8 wide"),
        ({"num_heads": 3, "d_k": 4, "d_v": 4}, "num_heads is 3, which does not divide d_model, 16"),
    ):
        with pytest.raises(CannotConvertError, match=what):
            to_transformers(tiny_model(**changes), 1.0)


def test_a_wrong_conversion_is_not_written(tiny_model: Model) -> None:
    ours = tiny_model().float()
    theirs = to_transformers(ours, 1.0)
    assert largest_difference(ours, theirs) < 1e-4
    with torch.no_grad():
        theirs.get_parameter("model.decoder.layers.1.fc1.weight")[0, 0] += 3
    with pytest.raises(RuntimeError, match="gives other logits"):
        largest_difference(ours, theirs)


def test_a_process_without_this_package_translates_alike(toy_translator: Translator, tmp_path: Path) -> None:
    """The toy translator is far from ties, so that both searches give one text."""
    lines = toy_translator.lines[:40]
    said, _ = run("export", toy_translator.folder, tmp_path / "native", "--to", "transformers")
    assert "MarianMTModel; its logits differ from the model's by" in said
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_US, str(tmp_path / "native"), json.dumps(lines)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    name, found = json.loads(done.stdout.splitlines()[-1])
    assert name == "MarianMTModel"
    ours: Any = AutoModelForSeq2SeqLM.from_pretrained(toy_translator.folder)
    tokenizer = AutoTokenizer.from_pretrained(toy_translator.folder)
    record = read_native(tmp_path / "native")
    tokens = ours.generate(
        **tokenizer(lines, padding=True, return_tensors="pt"),
        paper_search=False,
        max_length=60,
        length_penalty=record.exponent,
    )
    assert found == tokenizer.batch_decode(tokens, skip_special_tokens=True)
    config = json.loads((tmp_path / "native" / "tokenizer_config.json").read_text())
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast"


def test_the_exponent_is_chosen_on_the_validation_set(toy_translator: Translator, tmp_path: Path) -> None:
    """Each figure is that of the exported model, searched by the stock `generate` with that exponent."""
    folder = shutil.copytree(toy_translator.folder, tmp_path / "toy")
    GenerationConfig.from_pretrained(folder, num_beams=4, length_penalty=0.6).save_pretrained(folder)
    lines = toy_translator.lines[:60]
    references = [f"{line} {line}" for line in lines]  # of which longer translations have more right
    for name, content in (("source", lines), ("reference", references)):
        (tmp_path / name).write_text("".join(f"{line}\n" for line in content), encoding="utf-8")
    files = (str(tmp_path / "source"), str(tmp_path / "reference"))
    said, _ = run("export", folder, tmp_path / "out", "--to", "transformers", "--validation", *files)
    record = read_native(tmp_path / "out")
    assert record.chosen is not None
    assert record.chosen.sentences == 60
    assert list(record.chosen.by_exponent) == [f"{each:g}" for each in EXPONENTS]
    assert said.count("The search of transformers, length_penalty") == len(EXPONENTS)
    settings = json.loads((tmp_path / "out" / "generation_config.json").read_text())
    assert settings["length_penalty"] == record.exponent == best_exponent(record.chosen, near=0.5)
    assert not settings.get("early_stopping")  # which would search on to max_length
    assert not settings.get("forced_eos_token_id")
    model: Any = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    found = model.generate(**tokenizer(lines, padding=True, return_tensors="pt"), max_length=90)
    bleu = figure("bleu", tokenizer.batch_decode(found, skip_special_tokens=True), references)
    assert bleu == pytest.approx(record.chosen.by_exponent[f"{record.exponent:g}"])
    assert bleu > 0


def test_flags_of_a_native_model_alone_are_refused_elsewhere(toy_translator: Translator, tmp_path: Path) -> None:
    (tmp_path / "lines").write_text("a\n", encoding="utf-8")
    files = (str(tmp_path / "lines"), str(tmp_path / "lines"))
    for flags, what in (
        (
            ("--to", "onnx", "--validation", *files),
            "--validation is of a model with another search than ours; add --to trans",
        ),
        (("--to", "transformers", "--language", "de"), "--language is of the REFERENCE of --validation"),
        (("--to", "transformers", "--quantization", "int8"), "transformers has no quantization int8; it has float32"),
    ):
        _, said = run("export", toy_translator.folder, tmp_path / "out", *flags, code=2)
        assert what in said
        assert not (tmp_path / "out").exists()


def test_of_equal_figures_the_exponent_nearest_the_paper_s_slope_is_taken() -> None:
    same = ExponentRecord("bleu", 10, 30.0, {f"{each:g}": 30.0 for each in EXPONENTS})
    assert best_exponent(same, near=equal_slope(0.6, 25)) == 0.4  # 0.5 is as far from 0.6; the first of both
    better = ExponentRecord("bleu", 10, 30.0, {**same.by_exponent, "1.2": 30.1})
    assert best_exponent(better, near=0.5) == 1.2
    less = ExponentRecord("ter", 10, 30.0, {**same.by_exponent, "0": 29.0})
    assert best_exponent(less, near=0.5) == 0.0


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("length", [10.0, 25.0, 60.0])
def test_the_slope_is_the_same(alpha: float, length: float) -> None:
    """Both penalties, computed here by their formulas, grow by the same share around the length."""
    step, exponent = 1e-4, equal_slope(alpha, length)
    paper = [((5 + each) / 6) ** alpha for each in (length, length + step)]
    theirs = [each**exponent for each in (length, length + step)]
    assert paper[1] / paper[0] - 1 == pytest.approx(theirs[1] / theirs[0] - 1, rel=1e-3, abs=1e-12)


@pytest.mark.parametrize("activation", ["relu", "swish", "gelu"])
def test_in_and_out_again_is_what_it_was(
    randomise: Callable[[nn.Module], None], activation: str, tmp_path: Path
) -> None:
    """Of a Marian with all that the paper has not: every tensor, the settings, and the tokens of 200 searches."""
    theirs = opus(randomise, activation_function=activation)
    theirs.save_pretrained(tmp_path / "marian")
    assert main(["import", str(tmp_path / "marian"), str(tmp_path / "ours")]) == 0
    ours: Any = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "ours")
    again: Any = to_transformers(ours, float(theirs.generation_config.length_penalty or 1.0))
    assert type(again).__name__ == "MarianMTModel"
    before, after = theirs.state_dict(), again.state_dict()
    assert before.keys() == after.keys()
    for name, weight in before.items():
        if "embed_positions" not in name:  # computed, and ours reach further
            torch.testing.assert_close(after[name], weight, rtol=0, atol=1e-6)
    for name in ("activation_function", "pad_token_id", "eos_token_id", "decoder_start_token_id", "scale_embedding"):
        assert getattr(again.config, name) == getattr(theirs.config, name)
    draw = torch.Generator().manual_seed(1)
    sources = torch.randint(1, V - 1, (200, 9), generator=draw)
    sources[:, -1] = EOS
    asked: dict[str, Any] = {"num_beams": 4, "max_length": 14, "early_stopping": False}
    assert torch.equal(again.generate(sources, **asked), theirs.generate(sources, **asked))
