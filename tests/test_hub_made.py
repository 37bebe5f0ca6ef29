"""What was averaged, consolidated or imported goes to the Hub with a card of its own weights, and of no others."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from loopback_registry import faults_of_card
from transformers import MarianConfig, MarianMTModel, PreTrainedTokenizerFast

from vaswani.commands import main
from vaswani.publishing import checksums, derived_model_card, files_to_push, languages_of, read_derived_model
from vaswani.training.checkpointing.checkpoints import seal

MakeModel = Callable[..., Any]
SCORE = 77.77
"""Of the run's own weights; it may stand on no other's card."""
BLEU = {10: 31.25, 20: 12.5, 30: 25.5}
RUN: dict[str, Any] = {
    "command": "python recipes/toy.py --max_steps 30",
    "model": {
        "vocab_size": 300,
        "d_model": 16,
        "d_ff": 32,
        "num_heads": 2,
        "encoder_layers": 1,
        "decoder_layers": 1,
    },
    "data": {
        "dataset": "owner/words",
        "dataset_config": None,
        "direction": "en-de",
        "max_tokens": 100,
        "tokens_per_batch": 256,
    },
    "training": {"max_steps": 30, "warmup_steps": 3, "seed": 1, "batches_per_step": 2},
    "hardware": {"device": "cpu", "processes": 1, "cores": 2},
    "versions": {"torch": "2.13.0"},
}
METRICS: dict[str, Any] = {
    "chosen": "best checkpoint while training",
    "steps": 30,
    "parameters": 9,
    "training_seconds": 1.0,
    "training_pairs": {"kept": 9, "dropped": {}},
    "validation": {"bleu": 31.25},
    "search": {"num_beams": 4, "length_penalty": 0.6},
    "test": {"test": {"sacrebleu": {"name": "sacreBLEU", "value": SCORE, "signature": "nrefs:1"}}},
}


def make_run(folder: Path, seed: int, talker: MakeModel, tokenizer: PreTrainedTokenizerFast) -> Path:
    """Leave a run as training does: checkpoints, its own model, and its records."""
    for step in BLEU:
        here = folder / f"checkpoint-{step}"
        talker(seed + step).float().save_pretrained(here)
        tokenizer.save_pretrained(here)
        history = [
            {"step": at, "eval_bleu": bleu, "eval_loss": -bleu, "eval_perplexity": 1.0} for at, bleu in BLEU.items()
        ]
        state = {"log_history": [each for each in history if each["step"] <= step]}
        (here / "trainer_state.json").write_text(json.dumps(state))
        seal(here)
    talker(seed).float().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "run.json").write_text(json.dumps(RUN | {"command": f"python recipes/toy.py --seed {seed}"}))
    (folder / "metrics.json").write_text(json.dumps(METRICS))
    return folder


@pytest.fixture(scope="module")
def runs(talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, `one` and `two`, beneath a folder whose name must not get out."""
    folder = tmp_path_factory.mktemp("private")
    for seed, name in enumerate(("one", "two")):
        make_run(folder / name, seed, talker, toy_tokenizer)
    return folder


def card_of(folder: Path) -> ModelCard:
    """Return the card that a push of a folder would write, which the Hub takes."""
    made = read_derived_model(folder)
    assert made is not None
    text = derived_model_card(
        "ann/mean", made, checksums(files_to_push(folder)), "cc-by-4.0", None, languages_of(folder)
    )
    assert faults_of_card(text) == []
    card = ModelCard(text)
    assert "eval_results" not in card.data.to_dict()
    assert "model-index" not in text
    for word in (f"{SCORE:.2f}", "private", "curve.png", "nrefs"):
        assert word not in text, word
    assert "None: nothing was measured for these weights on a test set." in text
    return card


def average(*words: str | Path) -> None:
    assert main(["average", *map(str, words)]) == 0


def test_an_average_of_the_last_tells_run_and_steps(runs: Path, tmp_path: Path) -> None:
    average(runs / "one", "--last", "2", "--output", tmp_path / "mean")
    shutil.copytree(tmp_path / "mean", tmp_path / "elsewhere")  # it tells by itself
    card = card_of(tmp_path / "elsewhere")
    assert "The weights are the mean of 2 checkpoints of the run `one`, at the steps 20, 30;" in card.text
    assert "| 50.0% | step 20 of the run `one` |\n| 50.0% | step 30 of the run `one` |" in card.text
    assert "python recipes/toy.py --seed 0" in card.text
    data: Any = card.data
    assert (data.language, data.datasets, data.license) == (["en", "de"], ["owner/words"], "cc-by-4.0")


def test_an_average_of_the_best_tells_by_what_and_whose_the_figures_are(runs: Path, tmp_path: Path) -> None:
    average(runs / "one", "--best", "2", "--ema", "0.5", "--output", tmp_path / "mean")
    text = card_of(tmp_path / "mean").text
    assert "the mean of the 2 checkpoints of the run `one` that were best in validation by BLEU;" in text
    assert (
        "| 33.3% | step 10 of the run `one` | BLEU 31.25 |\n| 66.7% | step 30 of the run `one` | BLEU 25.50 |" in text
    )
    assert "The validation figures above belong to the single checkpoints, not to their mean." in text


def test_an_average_of_averages_tells_all_that_is_in_it(runs: Path, tmp_path: Path) -> None:
    average(runs / "one", "--last", "2", "--output", tmp_path / "first")
    average(runs / "one" / "checkpoint-10", runs / "two" / "checkpoint-20", "--output", tmp_path / "second")
    average(tmp_path / "first", tmp_path / "second", runs / "two", "--output", tmp_path / "mean")
    text = card_of(tmp_path / "mean").text
    rows = [
        "step 20 of the run `one`",
        "step 30 of the run `one`",
        "step 10 of the run `one`",
        "step 20 of the run `two`",
    ]
    for row in rows:
        assert f"| 16.7% | {row} |" in text
    assert "| 33.3% | the run `two`, its best checkpoint while training |" in text
    for seed in (0, 1):
        assert f"python recipes/toy.py --seed {seed}" in text


def test_an_older_record_still_tells_the_checkpoints(runs: Path, tmp_path: Path) -> None:
    average(runs / "one", "--last", "2", "--output", tmp_path / "mean")
    (tmp_path / "mean" / "runs.json").unlink()
    old = [{"checkpoint": f"/elsewhere/somebody/runs/one/checkpoint-{step}", "share": 0.5} for step in (20, 30)]
    (tmp_path / "mean" / "average.json").write_text(json.dumps(old))
    text = card_of(tmp_path / "mean").text
    assert "| 50.0% | `one/checkpoint-20` |" in text
    assert "somebody" not in text


def test_a_checkpoint_tells_its_run_and_step(runs: Path) -> None:
    assert "The weights are those of step 20 of the run `one`." in card_of(runs / "one" / "checkpoint-20").text


def test_a_run_is_told_by_its_own_records(runs: Path) -> None:
    assert read_derived_model(runs / "one") is None


def test_an_import_tells_what_it_was_made_of(
    tmp_path: Path, toy_tokenizer: PreTrainedTokenizerFast, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "private" / "opus-model", tmp_path / "ours"
    size = len(toy_tokenizer)
    config = MarianConfig(
        vocab_size=size,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        activation_function="relu",
        pad_token_id=1,
        decoder_start_token_id=2,
        max_position_embeddings=64,
        eos_token_id=3,
        scale_embedding=True,
    )
    MarianMTModel(config).save_pretrained(source)
    assert main(["import", str(source), str(out)]) == 0
    assert main(["push", str(out), "ann/imported"]) == 2
    assert "lacks tokenizer.json, tokenizer_config.json, without which nobody" in capsys.readouterr().err
    toy_tokenizer.save_pretrained(out)
    config = json.loads((out / "tokenizer_config.json").read_text())
    (out / "tokenizer_config.json").write_text(json.dumps(config | {"source_lang": "de", "target_lang": "en"}))
    card = card_of(out)
    assert "The weights are those of `opus-model`, imported from Marian. They give the same logits" in card.text
    data: Any = card.data
    assert data.language == ["de", "en"]


def test_a_damaged_record_is_named(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    average(runs / "one", "--last", "2", "--output", tmp_path / "mean")
    (tmp_path / "mean" / "average.json").write_text("{}")
    assert main(["push", str(tmp_path / "mean"), "ann/mean"]) == 2
    assert "average.json is damaged (it holds no list of checkpoints)" in capsys.readouterr().err
