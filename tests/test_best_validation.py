"""Which weights are the best and when patience ends a run, where a metric tells models apart and where it does not."""

import json
import math
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from corpus_of_numbers import number_tokenizer
from forked_python import forked
from hypothesis import given
from hypothesis import strategies as st
from test_training import network, train
from transformers import PreTrainedTokenizerFast

from vaswani.data import Pair
from vaswani.evaluation.scores import score
from vaswani.experiment.checkpoint_selection import choose
from vaswani.experiment.data_arguments import DataArguments
from vaswani.experiment.output_scoring import scoring_of
from vaswani.experiment.validation import PairSet, figures
from vaswani.training import VaswaniTrainingArguments
from vaswani.training.best_validation import find_best
from vaswani.training.checkpointing.checkpoints import checkpoints
from vaswani.training.validation_figures import rank

ROOT = Path(__file__).resolve().parents[1]
Figures = list[tuple[float, float]]
"""BLEU and loss of each validation."""


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return number_tokenizer()


def trained(folder: Path, tokenizer: PreTrainedTokenizerFast, figures: Figures, begin: int = 0, **changes: Any) -> Any:
    """Train with a validation and a checkpoint a step, whose figures are those of the list from step `begin` on."""
    left = iter(figures[begin:])

    def evaluate(_: Any) -> dict[str, float]:
        bleu, loss = next(left)
        return {"loss": loss, "perplexity": math.exp(loss), "bleu": bleu}

    asked: dict[str, Any] = {"eval_strategy": "steps", "eval_steps": 1, "save_steps": 1, "max_steps": len(figures)}
    checkpoint = folder / f"checkpoint-{begin}" if begin else None
    _, trainer, _ = train(folder, tokenizer, evaluate=evaluate, checkpoint=checkpoint, **(asked | changes))
    return trainer


# --- which is the better one ---


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.001, 12.5, 12.51, math.nan]), st.sampled_from([1.0, 2.0, math.nan]))))
def test_the_best_is_the_first_that_no_other_beats(figures: Figures) -> None:
    log = [{"step": n, "eval_bleu": bleu, "eval_loss": loss} for n, (bleu, loss) in enumerate(figures, 1)]
    log += [{"step": n, "loss": 1.0} for n in range(9)]

    def beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
        a, b = (round(bleu, 2) for bleu, _ in (one, other))
        if a == b or (math.isnan(a) and math.isnan(b)):
            return one[1] < other[1] or (math.isnan(other[1]) and not math.isnan(one[1]))
        return a > b or math.isnan(b)

    unbeaten = [n for n, one in enumerate(figures, 1) if not any(beats(other, one) for other in figures)]
    best = find_best(log, "bleu")
    assert best.step == (unbeaten[0] if figures else None)
    assert best.without_gain == (len(figures) - unbeaten[0] if figures else 0)


def test_the_loss_decides_by_whatever_metric_where_it_is_the_same() -> None:
    good, bad = {"loss": 800.0, "perplexity": math.inf, "f1": 3.0}, {"loss": 900.0, "perplexity": math.inf, "f1": 3.0}
    for metric in ("f1", "loss", "perplexity"):
        assert rank(good, metric) > rank(bad, metric)


def test_the_best_with_a_checkpoint_is_looked_for_among_the_validations_that_have_one() -> None:
    log = [{"step": n, "eval_bleu": bleu, "eval_loss": 1.0} for n, bleu in ((1, 5.0), (2, 9.0), (3, 7.0), (4, 7.0))]
    assert find_best(log, "bleu", {1, 3, 4}).step == 3
    assert find_best(log, "bleu", {9}).step is None


@pytest.mark.parametrize("metric", ["bleu", "chrf", "ter", "wmt14_bleu"])
def test_a_validation_measures_what_weights_are_chosen_by(
    metric: str, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    """As the test set is scored in the end; TER is the lower the better."""
    task = scoring_of(DataArguments(direction="en-de"), metric)
    lines = ["eins zwei drei vier fünf", "sechs sieben acht neun"]
    pairs = PairSet([Pair("1 2", line) for line in lines], tokenizer, 200, task)
    outputs = {"good": ["eins zwei drei vier fünf", "sechs sieben acht zehn"], "bad": ["eins zwei", "acht sieben neun"]}
    found = {name: figures(network(0.0).eval(), pairs, output) for name, output in outputs.items()}
    for name, output in outputs.items():
        scores = score(output, lines, language="de")._asdict()
        assert found[name].keys() == {"loss", "perplexity", "bleu", metric}
        assert found[name][metric] == pytest.approx(scores[{"bleu": "sacrebleu"}.get(metric, metric)].value)
    assert rank(found["good"], metric) > rank(found["bad"], metric)
    assert VaswaniTrainingArguments(output_dir=str(tmp_path), metric_for_best_model=metric).greater_is_better == (
        metric != "ter"
    )


# --- while training ---


def test_where_bleu_is_the_same_throughout_the_loss_decides_for_the_best_and_for_patience(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    figures = [(0.0, 6.3), (0.0, 5.9), (0.001, 5.5), (0.0, 5.6), (0.0, 5.4), (0.0, 5.5)]
    trainer = trained(tmp_path, tokenizer, figures, patience=2, save_total_limit=1)
    assert trainer.state.global_step == 6
    assert trainer.ended() == ("max_steps", "Training ended at step 6 (--max_steps 6)")
    assert trainer.state.best_model_checkpoint == str(tmp_path / "checkpoint-5")
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-5", "checkpoint-6"]
    assert trainer.best()._replace(value=0.0) == (5, 0.0, 1, True)


def test_an_end_by_patience_is_saved_and_told(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    figures = [(0.0, 6.3), (2.0, 6.0), (1.0, 5.0), (2.0, 6.1), (2.0, 6.2), (9.0, 1.0)]
    trainer = trained(tmp_path, tokenizer, figures, patience=3, save_steps=2)
    assert trainer.state.global_step == 5
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-2", "checkpoint-4", "checkpoint-5"]
    by, message = trainer.ended()
    assert by == "patience"
    assert message == (
        "Training ended at step 5 of 6: the last 3 validations found nothing better than BLEU 2.00 of step 2, nor, "
        "where it is the same, a lower loss (--patience 3)"
    )
    again = trained(tmp_path, tokenizer, figures, 5, patience=3)
    assert again.ended() == (by, message)
    longer = trained(tmp_path, tokenizer, figures, 5, patience=4)
    assert longer.ended().by == "max_steps"
    assert longer.state.best_global_step == 6


def test_a_resume_counts_ties_as_a_run_that_never_stopped(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    figures = [(0.0, 6.0), (0.0, 5.0), (0.0, 5.5), (0.0, 5.0), (0.0, 4.9), (0.0, 5.1), (0.0, 5.2), (0.0, 4.0)]
    whole = trained(tmp_path / "whole", tokenizer, figures, patience=3)
    for begin in range(5):
        part = trained(tmp_path / "part", tokenizer, figures, begin, patience=3, max_steps=begin + 1)
        assert part.state.global_step == begin + 1
    part = trained(tmp_path / "part", tokenizer, figures, 5, patience=3)
    assert part.state.global_step == whole.state.global_step == 8
    for state in (whole.state, part.state):
        assert (state.best_global_step, state.best_metric) == (8, 0.0)
        assert Path(state.best_model_checkpoint).name == "checkpoint-8"


def test_the_best_of_the_saved_ones_is_kept_where_the_best_of_all_was_not_saved(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    figures = [(1.0, 1.0), (5.0, 1.0), (9.0, 1.0), (7.0, 1.0), (2.0, 1.0), (3.0, 1.0), (1.0, 1.0), (2.0, 1.0)]
    trainer = trained(tmp_path, tokenizer, figures, save_steps=2, save_total_limit=1)
    assert trainer.state.best_global_step == 3
    assert trainer.state.best_model_checkpoint == str(tmp_path / "checkpoint-4")
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-4", "checkpoint-8"]


def test_validations_that_did_not_measure_the_metric_of_now_are_not_compared_and_that_is_said(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast, caplog: pytest.LogCaptureFixture
) -> None:
    trained(tmp_path, tokenizer, [(9.0, 1.0), (8.0, 1.0)])

    def evaluate(_: Any) -> dict[str, float]:
        return {"loss": 1.0, "perplexity": math.e, "bleu": 1.0, "chrf": 20.0}

    _, trainer, _ = train(
        tmp_path,
        tokenizer,
        evaluate=evaluate,
        checkpoint=tmp_path / "checkpoint-2",
        eval_strategy="steps",
        eval_steps=1,
        save_steps=1,
        max_steps=4,
        metric_for_best_model="chrf",
    )
    assert trainer.state.best_global_step == 3
    assert "2 validation(s) before checkpoint-2 did not measure chrF, and are not compared with those" in caplog.text


# --- at the end ---


@pytest.mark.parametrize(
    ("metric", "scores", "chosen", "by"),
    [
        ("bleu", {"last": (0.0, 6.0), "best": (0.004, 5.0), "mean": (0.0, 5.5)}, "best", "loss"),
        ("bleu", {"last": (0.0, 5.0), "best": (0.0, 5.0)}, "last", "loss"),
        ("bleu", {"last": (8.0, 6.0), "best": (8.5, 7.0), "mean": (0.0, 5.5)}, "best", "bleu"),
        ("bleu", {"last": (8.0, 6.0), "best": (0.0, 7.0), "mean": (8.0, 5.5)}, "mean", "loss"),
        ("loss", {"last": (8.0, 6.0), "best": (8.5, 7.0), "mean": (0.0, 5.5)}, "mean", "loss"),
        ("bleu", {"last": (8.0, 6.0)}, "last", "bleu"),
    ],
)
def test_the_choice_among_candidates_says_what_decided(
    metric: str, scores: dict[str, tuple[float, float]], chosen: str, by: str
) -> None:
    choice = choose({name: {"bleu": bleu, "loss": loss} for name, (bleu, loss) in scores.items()}, metric)
    assert (choice.name, choice.by) == (chosen, by)
    assert choice.as_text.startswith(f"Chosen: {chosen}, ")
    same = [name for name, (bleu, _) in scores.items() if round(bleu, 2) == round(scores[chosen][0], 2)]
    if metric == "bleu" and len(same) > 1:
        assert f"by its loss: BLEU {scores[chosen][0]:.2f} is that of {', '.join(same)} too" in choice.as_text


def test_a_run_without_a_point_of_bleu_learns_on_and_says_by_what_it_chose(tmp_path: Path) -> None:
    """Nothing is translated right after so few steps, while the loss falls; as into a language that BLEU cannot cut."""
    draw = random.Random(3)
    for split, size in (("train", 300), ("val", 6), ("test_toy", 6)):
        for language in ("en", "zz"):
            lines = "".join("".join(draw.choices("abcdef", k=8)) + "\n" for _ in range(size))
            (tmp_path / f"{split}.{language}").write_text(lines, encoding="utf-8")
    flags = {
        "data_dir": tmp_path,
        "direction": "en-zz",
        "output_dir": tmp_path / "run",
        "vocab_size": 300,
        "d_model": 16,
        "d_ff": 32,
        "num_heads": 2,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "tokens_per_batch": 256,
        "max_steps": 12,
        "warmup_steps": 20,
        "eval_steps": 2,
        "save_steps": 2,
        "patience": 2,
        "average_checkpoints": 3,
        "bf16": False,
        "report_to": "none",
        "dataloader_num_workers": 0,
        "test_beams": 1,
    }
    command = [sys.executable, str(ROOT / "recipes" / "multi30k.py")]
    command += [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = forked(*command, environment=environment)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))
    losses = {name: figures["loss"] for name, figures in metrics["candidates"].items()}
    assert {figures["bleu"] for figures in metrics["candidates"].values()} == {0.0}
    assert metrics["steps"] == 12
    assert metrics["ended"] == {"by": "max_steps", "told": "Training ended at step 12 (--max_steps 12)"}
    assert metrics["best_while_training"] == {"step": 12, "by": "loss"}
    assert (metrics["chosen"], metrics["chosen_by"]) == (min(losses, key=lambda name: losses[name]), "loss")
    assert "Best while training: step 12, BLEU 0.00; others had the same, and of these it has the lowest" in done.stdout
    assert "\r" not in done.stdout + done.stderr  # of no bar
    assert f"Chosen: {metrics['chosen']}, by its loss: BLEU 0.00 is that of" in done.stdout
    for name in metrics["candidates"]:
        assert f"Translating the validation set by the {name}: " in done.stdout
