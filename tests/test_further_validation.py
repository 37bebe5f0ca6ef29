"""Further validation sets are measured beside the first one and choose nothing."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from test_experiment import TINY, run, toy_text
from transformers import PreTrainedTokenizerFast

from vaswani.data import Pair
from vaswani.experiment.data_arguments import DataArguments, named_folders
from vaswani.experiment.output_scoring import scoring_of
from vaswani.experiment.preparation import measurable
from vaswani.experiment.validation import PairSet
from vaswani.plots import draw_learning_curve
from vaswani.publishing import model_card, read_records
from vaswani.training.validation_figures import figures_as_text, in_set, of_further_sets

SETS = ("same", "reversed")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run with its own validation set once more, and with one whose references are turned round."""
    text, folder = toy_text(tmp_path_factory.mktemp("text")), tmp_path_factory.mktemp("runs") / "run"
    for name in SETS:
        place = text.parent / name
        place.mkdir(exist_ok=True)
        for language in ("en", "nds"):
            shutil.copy(text / f"val.{language}", place / f"val.{language}")
    lines = (text / "val.nds").read_text(encoding="utf-8").splitlines()
    turned = "".join(f"{' '.join(reversed(line.split()))}\n" for line in lines)
    (text.parent / "reversed" / "val.nds").write_text(turned, encoding="utf-8")
    sets = [f"{name}={text.parent / name}" for name in SETS]
    more = ["--max_steps", "120", "--eval_steps", "60", "--save_steps", "60", "--average_checkpoints", "1"]
    done = run("--data_dir", text, "--direction", "en-nds", "--output_dir", folder, *TINY, *more,
               "--validation_splits", *sets)  # fmt: skip
    return folder, done.stdout


@pytest.mark.slow
def test_they_stand_beside_the_first_set_in_log_metrics_and_card(trained: tuple[Path, str]) -> None:
    folder, said = trained
    history = json.loads((folder / "history.json").read_text(encoding="utf-8"))
    validations = [line for line in history if "eval_loss" in line]
    assert [line["step"] for line in validations] == [60, 120]
    for line in validations:
        for figure in ("loss", "perplexity", "bleu"):
            assert line[f"eval_same/{figure}"] == pytest.approx(line[f"eval_{figure}"])
        assert line["eval_reversed/loss"] > line["eval_loss"]
    assert validations[-1]["eval_reversed/bleu"] < validations[-1]["eval_bleu"]
    [shown, *_] = [line for line in said.splitlines() if "validation: loss" in line]
    assert "; same: loss" in shown
    assert "; reversed: loss" in shown
    measured = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["validation"]
    assert measured["same/bleu"] == pytest.approx(measured["bleu"])
    assert measured["reversed/loss"] > measured["loss"]
    card = model_card("ann/run", *read_records(folder), {})
    assert f"| reversed | loss {measured['reversed/loss']:.3f} | BLEU {measured['reversed/bleu']:.2f} |" in card


@pytest.mark.slow
def test_the_curve_shows_them_in_other_strokes(trained: tuple[Path, str]) -> None:
    folder, _ = trained
    history = json.loads((folder / "history.json").read_text(encoding="utf-8"))
    figure = draw_learning_curve(history, "a run")
    assert isinstance(figure, Figure)
    drawn = {line.get_label(): line for axes in figure.axes for line in axes.get_lines()}
    for name in SETS:
        steps = [line["step"] for line in history if f"eval_{name}/loss" in line]
        assert np.asarray(drawn[f"{name}: loss"].get_xdata()).tolist() == steps
        assert drawn[f"{name}: BLEU"].get_linestyle() != "-"
    assert drawn["same: loss"].get_linestyle() != drawn["reversed: loss"].get_linestyle()


def test_figures_of_sets_keep_apart() -> None:
    first, other = {"loss": 1.0, "perplexity": 2.7, "bleu": 30.0}, {"loss": 2.0, "perplexity": 7.4, "bleu": 20.0}
    together = first | in_set("news", other) | in_set("more", first)
    assert of_further_sets(together) == {"news": other, "more": first}
    assert of_further_sets(first) == {}
    one = figures_as_text(first, "bleu")
    assert figures_as_text(together, "bleu") == f"{one}; news: {figures_as_text(other, 'bleu')}; more: {one}"


@pytest.mark.parametrize(
    ("sets", "what"),
    [
        (["news"], "has 'news'; give NAME=FOLDER"),
        (["=folder"], "give NAME=FOLDER"),
        (["a/b=folder"], "the name in letters"),
        (["a=one", "a=two"], "two sets called a"),
    ],
)
def test_a_set_without_a_name_of_its_own_is_refused(sets: list[str], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        named_folders(sets)


def test_a_figure_that_a_further_set_has_not_is_left_out_of_it(toy_tokenizer: PreTrainedTokenizerFast) -> None:
    """Of two directions only the one into German has wmt14_bleu; NaN is no figure, and no JSON."""
    sets = {}
    for direction in ("en-de", "de-en"):
        task = scoring_of(DataArguments(data_dir="text", direction=direction), "wmt14_bleu")
        sets[direction] = measurable(PairSet([Pair("the cat", "the dog")] * 3, toy_tokenizer, 100, task))
    assert set(sets["en-de"].measured) == {"bleu", "wmt14_bleu"}
    assert set(sets["de-en"].measured) == {"bleu"}
