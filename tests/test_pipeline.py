"""pipeline("translation") is back: with this package by its import, without it by the code beside the weights."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import MarianConfig, MarianMTModel, PreTrainedTokenizerFast, pipeline

from vaswani.data.blank_text import is_blank
from vaswani.data.tokenizer import learn_tokenizer
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.translation.translate import translate

LINES = [
    "the cat sat on the mat",
    "",
    "a dog",
    " \t",
    "\u200b",
    "\ufeff \u202e",
    "what is this long line about then",
    "über 12",
    "a dog",
]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return learn_tokenizer(["the cat sat on the mat and the dog sat by the door"] * 3, 280, show_progress=False)


@pytest.fixture(scope="module")
def model(tokenizer: PreTrainedTokenizerFast, randomise: Callable[[nn.Module], None]) -> Any:
    """A drawn network in float64, so that no near tie is decided by the shape of a batch."""
    torch.manual_seed(0)
    config = VaswaniConfig(
        vocab_size=len(tokenizer), d_model=16, d_ff=32, num_heads=2, encoder_layers=1, decoder_layers=1
    )
    network = VaswaniForConditionalGeneration(config).double().eval()
    randomise(network)
    assert network.generation_config is not None
    readable = {
        tokenizer.eos_token_id,
        *(at for word, at in tokenizer.get_vocab().items() if word.strip("Ġ").isascii()),
    }
    network.generation_config.update(
        num_beams=3, length_penalty=0.6, suppress_tokens=sorted(set(range(len(tokenizer))) - readable)
    )
    return network


@pytest.fixture(scope="module")
def folder(model: Any, tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model"
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def expected(model: Any, tokenizer: PreTrainedTokenizerFast) -> list[str]:
    """What the library's own translation of LINES says, line ends kept."""
    texts = translate(model, tokenizer, LINES, num_beams=3, length_penalty=0.6)
    assert len(set(texts)) == 5  # or order would prove nothing
    return texts


def one_line(outputs: list[dict[str, str]]) -> list[str]:
    assert all(set(output) == {"translation_text"} for output in outputs)
    return [output["translation_text"].replace("\r", " ").replace("\n", " ") for output in outputs]


def translator(*args: Any, **kwargs: Any) -> Any:
    return pipeline("translation", *args, **kwargs)  # type: ignore[call-overload]


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("trust", [{}, {"trust_remote_code": True}])
def test_a_list_comes_back_in_order(folder: Path, expected: list[str], trust: dict[str, bool], batch_size: int) -> None:
    """Twice in a process, since what transformers writes into the configuration of the first must not stay."""
    for _ in range(2):
        assert one_line(translator(model=str(folder), **trust)(LINES, batch_size=batch_size)) == expected


def test_one_text_a_generator_and_nothing(folder: Path, expected: list[str]) -> None:
    translate_text = translator(model=str(folder))
    assert one_line(translate_text(LINES[0])) == expected[:1]
    taken = []

    def source() -> Any:
        for line in LINES:
            taken.append(line)
            yield line

    stream = translate_text(source())
    assert one_line(next(iter(stream))) == expected[:1]
    assert len(taken) <= 2  # it does not wait for the whole corpus
    assert [one_line(each)[0] for each in translate_text(line for line in LINES)] == expected
    assert translate_text([]) == []


@pytest.mark.parametrize("batch_size", [1, 3])
def test_n_best_of_each_text(folder: Path, model: Any, tokenizer: PreTrainedTokenizerFast, batch_size: int) -> None:
    found = translator(model=str(folder), num_beams=4)(LINES, num_return_sequences=3, batch_size=batch_size)
    for line, outputs in zip(LINES, found, strict=True):
        ids = model.generate(**tokenizer(line, return_tensors="pt"), num_beams=4, num_return_sequences=3)
        texts = tokenizer.batch_decode(ids, skip_special_tokens=True)
        assert outputs == [{"translation_text": "" if is_blank(line) else text} for text in texts]
        assert is_blank(line) or len(set(texts)) == 3


def test_arguments_of_generate_reach_it_and_others_are_refused(folder: Path, model: Any, tokenizer: Any) -> None:
    translate_text = translator(model=str(folder), max_new_tokens=4)
    ids = model.generate(**tokenizer(LINES[0], return_tensors="pt"), max_new_tokens=4)
    assert translate_text(LINES[0])[0]["translation_text"] == tokenizer.decode(ids[0], skip_special_tokens=True)
    assert translate_text(LINES[0], max_new_tokens=9) != translate_text(LINES[0])
    assert translate_text(LINES[0], output_scores=True, return_dict_in_generate=True) == translate_text(LINES[0])
    with pytest.raises(ValueError, match="src_lang"):
        translate_text(LINES[0], src_lang="en")


@pytest.mark.parametrize("wrong", [7, None, ["a", ["b"]], ("a", "b")])
def test_what_is_no_text_is_named(folder: Path, wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"a (int|NoneType|list|tuple) cannot be translated; give a text"):
        translator(model=str(folder))(wrong)


def test_a_text_beyond_the_learned_positions_is_refused_and_any_other_length_goes(
    folder: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    config = VaswaniConfig(
        vocab_size=len(tokenizer),
        d_model=16,
        d_ff=32,
        num_heads=2,
        encoder_layers=1,
        decoder_layers=1,
        positions="learned",
        max_positions=40,
    )
    short = translator(model=VaswaniForConditionalGeneration(config), tokenizer=tokenizer, max_new_tokens=5)
    with pytest.raises(ValueError, match=r"'x x x .*'\.\.\. has 102 tokens, and the model knows 40 positions; split"):
        short("x " * 50)
    assert len(short("x " * 10)) == 1
    assert translator(model=str(folder), max_new_tokens=5, num_beams=1)("x " * 2000)[0]["translation_text"]


def test_a_loaded_model_and_one_that_is_not_ours(
    model: Any, tokenizer: PreTrainedTokenizerFast, expected: list[str]
) -> None:
    assert one_line(translator(model=model, tokenizer=tokenizer)(LINES)) == expected
    torch.manual_seed(0)
    config = MarianConfig(
        vocab_size=len(tokenizer),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        pad_token_id=1,
        eos_token_id=3,
        decoder_start_token_id=2,
        forced_eos_token_id=None,
        init_std=1.0,
    )
    marian: Any = MarianMTModel(config).double().eval()
    ids = marian.generate(**tokenizer(LINES[0], return_tensors="pt"), max_new_tokens=9)
    text = tokenizer.decode(ids[0], skip_special_tokens=True)
    assert text
    assert translator(model=marian, tokenizer=tokenizer)(LINES[0], max_new_tokens=9) == [{"translation_text": text}]


ELSEWHERE = """
import json, sys
sys.modules["vaswani"] = None  # importing it fails from here on
import torch
from transformers import pipeline
folder, tuned, lines = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
model = AutoModelForSeq2SeqLM.from_pretrained(folder, trust_remote_code=True)
tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
loaded = pipeline("translation", model=model, tokenizer=tokenizer, trust_remote_code=True)(lines)
translate = pipeline("translation", model=folder, trust_remote_code=True, batch_size=3)
assert translate(lines) == loaded
before = translate(lines)
ids = translate.tokenizer("a dog", return_tensors="pt").input_ids
translate.model.train()(input_ids=ids, labels=ids).loss.backward()
with torch.no_grad():
    for weight in translate.model.parameters():
        weight -= 0.5 * weight.grad
translate.model.save_pretrained(tuned)
translate.tokenizer.save_pretrained(tuned)
again = pipeline(model=tuned, trust_remote_code=True)  # the only task it has
again.save_pretrained(tuned + "-again")
print(json.dumps([before, again(lines)]))
"""


def test_where_this_package_is_not_it_translates_trains_and_saves_the_same(
    folder: Path, expected: list[str], tmp_path: Path
) -> None:
    environment = {**os.environ, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    environment.pop("HF_MODULES_CACHE", None)
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, folder, tmp_path / "tuned", json.dumps(LINES)],
        capture_output=True,
        check=False,
        env=environment,
        cwd=tmp_path,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    before, after = map(one_line, json.loads(done.stdout.splitlines()[-1]))  # DeepSpeed speaks before
    assert before == expected
    assert after != expected
    for tuned in (tmp_path / "tuned", tmp_path / "tuned-again"):
        assert one_line(translator(model=str(tuned))(LINES)) == after
        assert {file.name for file in tuned.iterdir()} == {file.name for file in folder.iterdir()}
        config = json.loads((tuned / "config.json").read_text())
        assert config["custom_pipelines"] == {
            "translation": {"impl": "pipeline_vaswani.TranslationPipeline", "pt": ["AutoModelForSeq2SeqLM"]}
        }


def test_a_pipeline_of_somebody_else_stays_in_the_configuration() -> None:
    theirs = {"impl": "theirs.Pipeline", "pt": ["AutoModel"]}
    config = VaswaniConfig.from_dict({"custom_pipelines": {"other": theirs}})
    assert config.custom_pipelines == {"other": theirs}
    assert config.to_dict()["custom_pipelines"].keys() == {"other", "translation"}
