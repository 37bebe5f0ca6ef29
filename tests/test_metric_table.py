"""One entry makes a metric: it is validated by, chosen by, scored, compared, and stands on cards and in pictures."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpus_of_numbers import number_tokenizer
from test_training import network
from transformers import PreTrainedTokenizerFast

from vaswani.commands import main
from vaswani.data import Drops, Pair
from vaswani.evaluation.metric_table import METRICS, Cost, Kind, Metric, by_score_key, choices, of_kind
from vaswani.evaluation.scorer import Inputs, Lines, Scorer, mean_of_lines, scorer_of
from vaswani.evaluation.scores import LeftOut, Score, figure, remarks, score
from vaswani.evaluation.significance import Comparison, compare
from vaswani.experiment.argument_checks import check_metric
from vaswani.experiment.arguments import Recipe, parse
from vaswani.experiment.checkpoint_selection import choose
from vaswani.experiment.console import summary
from vaswani.experiment.data_arguments import DataArguments
from vaswani.experiment.output_scoring import scoring_of
from vaswani.experiment.validation import PairSet, figures
from vaswani.plots import draw_learning_curve, draw_learning_curves
from vaswani.publishing import MetricsRecord, RunRecord
from vaswani.publishing.card import model_card
from vaswani.storage.records import from_json
from vaswani.training import VaswaniTrainingArguments
from vaswani.training.validation_figures import figures_as_text, rank

SOURCES = ["a b c d", "e f", "g h i j k l"]
REFERENCES = ["A B C D", "E F", "G H I J K L"]
GOOD, BAD = ["A B C X", "E F", "G H I J K L"], ["A", "E", "G"]


def missing_words(hypotheses: Lines, inputs: Inputs) -> list[float]:
    """Per cent of words by which each line is shorter or longer than its source."""
    assert inputs.sources is not None
    pairs = zip(hypotheses, inputs.sources, strict=True)
    return [100 * abs(len(line.split()) - len(source.split())) / len(source.split()) for line, source in pairs]


def too_long(outputs: Sequence[Lines], inputs: Inputs) -> str | None:  # noqa: ARG001
    return "a line is too long" if any(len(line) > 500 for lines in outputs for line in lines) else None


WORDS = mean_of_lines(missing_words, lambda: ("words:toy",), too_long)
ENTRY = Metric(
    "words",
    "Words",
    Kind.TRANSLATIONS,
    Cost.LAST,
    f"{__name__}:WORDS",
    lower_is_better=True,
    digits=3,
    needs_sources=True,
)
"""Reads sources, is the better the lower, and has other digits than the rest."""


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> Metric:
    monkeypatch.setitem(METRICS, ENTRY.key, ENTRY)
    return ENTRY


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return number_tokenizer()


# --- the table ---


def test_every_entry_is_whole() -> None:
    assert [name for key, each in METRICS.items() for name in (key,) if each.key != key] == []
    scored = [each.score_key for each in METRICS.values()]
    assert len(set(scored)) == len(scored)
    for each in METRICS.values():
        assert each.key.isidentifier()
        assert each.score_key.isidentifier()  # `Scores` has it as a field
        assert by_score_key(each.score_key) is each
        assert isinstance(scorer_of(each), Scorer)
    for kind in Kind:
        assert any(each.cost is Cost.EVERY_VALIDATION for each in of_kind(kind))


def test_the_table_loads_nothing_that_computes() -> None:
    """Training, plots and the command line read it."""
    ask = (
        "import sys; import vaswani.evaluation.metric_table; "
        "print(sorted(m for m in sys.modules if m.startswith(('vaswani.', 'numpy', 'sacrebleu', 'torch', 'evaluate'))))"
    )
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['vaswani.evaluation', 'vaswani.evaluation.metric_table']"


@pytest.mark.parametrize("key", list(METRICS))
def test_every_entry_is_scored_and_chosen_by(key: str) -> None:
    metric = METRICS[key]
    direction = "en-trees" if metric.kind is Kind.PARSES else "en-de"
    task = scoring_of(DataArguments(direction=direction), key)
    tree = "(S (NP DT NN ) (VP VBZ ) )"
    texts: Any = (
        (["a dog barks"], [tree], [tree]) if metric.kind is Kind.PARSES else (["a"], ["Ein Haus."], ["Ein Haus."])
    )
    assert key in task.measured
    assert task.unfit(key, *texts[:2]) is None
    assert task.judge(*texts).scores[metric.score_key].name == metric.score_name
    assert not math.isnan(task.figure(key, *texts))
    better, worse = sorted([1.0, 2.0], reverse=not metric.lower_is_better)
    assert rank({key: better, "loss": 1.0}, key) > rank({key: worse, "loss": 1.0}, key)


def test_no_other_file_lists_the_metrics() -> None:
    """Whoever adds one would have to find that file."""
    root = Path(__file__).resolve().parents[1]
    folders = ("commands", "evaluation", "experiment", "plots", "publishing", "training")
    own = {root / "evaluation/metric_table.py", root / "evaluation/metrics/sacrebleu/sacrebleu.py",
           root / "evaluation/metrics/sacrebleu/metric_of_language.py",
           root / "evaluation/scorers/sacrebleu.py"}  # fmt: skip
    several = re.compile(
        r"""(["'])(bleu|chrf|ter|f1|wmt14_bleu)\1.{1,90}(["'])(?!\2)(bleu|chrf|ter|f1|wmt14_bleu)\3""", re.DOTALL
    )
    files = {file for folder in folders for file in (root / folder).rglob("*.py")} - own
    assert len(files) > 80
    assert [str(file) for file in files if several.search(file.read_text(encoding="utf-8"))] == []


# --- a new entry ---


def test_a_new_metric_is_scored_with_sources_and_left_out_without(words: Metric) -> None:
    found = score(GOOD, REFERENCES, "de", sources=SOURCES)
    assert [each.name for each in found] == ["sacreBLEU", "chrF", "TER", "wmt14_bleu", "Words"]
    assert found.words == Score("Words", 0.0, "nrefs:1|words:toy")
    assert score(BAD, REFERENCES, sources=SOURCES, metrics=["words"]).words.value == pytest.approx(
        100 * (3 / 4 + 1 / 2 + 5 / 6) / 3
    )
    without = score(GOOD, REFERENCES).words
    assert isinstance(without, LeftOut)
    assert "--sources" in without.reason
    assert score(["x" * 501], ["x"], sources=["x"]).words == LeftOut("Words", "a line is too long")
    assert math.isnan(figure("words", ["x" * 501], ["x"], sources=["x"]))
    with pytest.raises(ValueError, match="1 sources and 3 references"):
        score(GOOD, REFERENCES, sources=["a"])
    with pytest.raises(ValueError, match=r"rouge is not a score of translations; choose from bleu, chrf, .*, words"):
        score(GOOD, REFERENCES, metrics=["chrf", "rouge"])
    assert words.name not in remarks(["", "a"])[0]  # nothing is claimed of what nobody said


def test_a_new_metric_has_intervals_and_p(words: Metric) -> None:
    many = [SOURCES * 20, REFERENCES * 20, GOOD * 20, BAD * 20]
    found = compare([many[2], many[3], many[2]], many[1], 200, 300, sources=many[0], metrics=["words", "chrf"])
    assert [each.name for each in found] == ["chrF", words.name]
    first, bad, again = found.words.outputs
    assert (first.value, first.p_value, again.p_value) == (0.0, None, 1.0)
    assert bad.value == pytest.approx(np.mean(missing_words(BAD, Inputs(REFERENCES, sources=SOURCES))))
    assert bad.mean == pytest.approx(bad.value, abs=2)
    assert 0 < bad.interval < 10
    assert bad.p_value < 0.01
    assert found.words.signature == "nrefs:1|bs:200|ar:300|seed:12345|words:toy"
    assert isinstance(compare([GOOD, BAD], REFERENCES, 20, 20).words, LeftOut)


NO_LINES = Scorer(WORDS.score)


def test_a_metric_of_all_lines_together_is_left_out_of_comparisons(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ENTRY._replace(scorer=f"{__name__}:NO_LINES")
    monkeypatch.setitem(METRICS, whole.key, whole)
    found = compare([GOOD, BAD], REFERENCES, 20, 20, sources=SOURCES)
    assert isinstance(found.words, LeftOut)
    assert isinstance(found.chrf, Comparison)
    assert isinstance(score(GOOD, REFERENCES, sources=SOURCES).words, Score)


def test_weights_are_chosen_by_a_new_metric(words: Metric, tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    recipe = Recipe(None, {}, {"direction": "en-de", "data_dir": str(tmp_path)}, {"metric_for_best_model": words.key})
    flags = ["--output_dir", str(tmp_path / "run"), "--bf16", "false", "--report_to", "none"]
    arguments = parse(recipe, flags)
    assert arguments.training.greater_is_better is False
    with pytest.raises(ValueError, match="would choose the worst words as the best"):
        VaswaniTrainingArguments(output_dir=str(tmp_path), metric_for_best_model="words", greater_is_better=True)
    task = scoring_of(arguments.data, words.key)
    assert task.measured == ("bleu", "words")
    check_metric("words", task, SOURCES, REFERENCES)
    with pytest.raises(ValueError, match=r"cannot be measured .*: a line is too long. Give bleu, chrf, .*loss or"):
        check_metric("words", task, ["a"], ["x" * 501])
    pairs = PairSet([Pair("1 2", line) for line in REFERENCES], tokenizer, 200, task)
    model = network(0.0).eval()
    found = {name: figures(model, pairs, lines) for name, lines in {"bad": BAD, "good": ["A X", "E X", "G X"]}.items()}
    assert found["good"].keys() == {"loss", "perplexity", "bleu", "words"}
    assert found["good"]["words"] == 0.0
    choice = choose(found, "words")
    assert (choice.name, choice.by, choice.as_text) == ("good", "words", "Chosen: good, by Words")
    assert figures_as_text(found["good"], "words").endswith("BLEU 0.00, Words 0.000")
    same = {"one": {"words": 1.0004, "loss": 2.0}, "other": {"words": 1.0001, "loss": 1.0}}
    assert choose(same, "words").as_text == "Chosen: other, by its loss: Words 1.000 is that of one, other too"
    assert "words" in choices()


def test_a_new_metric_of_translations_is_refused_for_parses(
    words: Metric, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = Recipe(None, {}, {"direction": "en-trees", "data_dir": str(tmp_path)}, {})
    flags = ["--output_dir", str(tmp_path), "--bf16", "false", "--metric_for_best_model", words.key]
    with pytest.raises(SystemExit):
        parse(recipe, flags)
    assert "but text in 'trees' is scored by F1: give f1, loss or perplexity" in capsys.readouterr().err


def test_a_new_metric_of_parses_is_measured_beside_f1(monkeypatch: pytest.MonkeyPatch) -> None:
    of_parses = ENTRY._replace(kind=Kind.PARSES, cost=Cost.EVERY_VALIDATION)
    monkeypatch.setitem(METRICS, of_parses.key, of_parses)
    task = scoring_of(DataArguments(direction="en-trees"))
    tree = "(S (NP DT NN ) (VP VBZ ) )"
    assert task.measured == ("f1", "words")
    judged = task.judge(["a dog barks"], [tree], [tree])
    assert [*judged.scores][-1] == "words"
    assert judged.scores["words"].value == pytest.approx(100 * 6 / 3)
    assert "words" not in [each.score_key for each in of_kind(Kind.TRANSLATIONS)]


def test_a_new_metric_stands_in_the_report_on_the_card_and_in_pictures(words: Metric) -> None:
    judged = scoring_of(DataArguments(direction="en-de"), "words").judge(SOURCES, REFERENCES, BAD)
    value = judged.scores["words"].value
    measured = {
        "steps": 3,
        "training_seconds": 60.0,
        "chosen": "last checkpoint",
        "parameters": 10,
        "resumed_from": None,
        "training_pairs": {"kept": 1, "dropped": {}},
        "search": {"num_beams": 4, "length_penalty": 0.6},
        "validation": {"bleu": 1.0, "perplexity": 2.0, "words": value},
        "test": {"test": {name: each._asdict() for name, each in judged.scores.items()}},
        "left_out": {},
        "remarks": {},
        "not_scored": {},
        "examples": [],
        "earlier": {},
    }
    run = {
        "data": {"direction": "en-de", "dataset": None, "dataset_config": None, "tokens_per_batch": 9, "max_tokens": 9},
        "versions": {},
        "command": "recipe",
    }
    training = {"batches_per_step": 1, "max_steps": 3, "warmup_steps": 1, "peak_learning_rate": 1.0, "seed": 1}
    model = dict.fromkeys(("vocab_size", "d_model", "d_ff", "num_heads", "encoder_layers", "decoder_layers"), 2)
    record = from_json(MetricsRecord, measured, "metrics.json")
    card = model_card("a/b", from_json(RunRecord, run | {"training": training, "model": model}, "run.json"), record, {})
    assert f"| test | Words | {value:.3f} | `nrefs:1\\|words:toy` |" in card
    assert "type: words" in card
    assert f"value: {round(value, 3)}" in card
    assert f"  Words       {value:.3f}  nrefs:1|words:toy" in summary(record, Drops(), Path("run"))
    history = [{"step": at, "loss": 1.0} for at in (1, 2)]
    history += [{"step": at, "eval_loss": 1.0, "eval_bleu": 2.0, "eval_words": 3.0} for at in (1, 2)]
    curve: Any = draw_learning_curve(history, "run")
    left, right = curve.axes
    assert [each.get_text() for each in left.get_legend().get_texts()][2:] == ["validation BLEU", "validation Words"]
    assert right.get_ylabel() == f"BLEU, {words.name}"
    assert len({line.get_color() for line in right.get_lines()}) == 2
    panels: Any = draw_learning_curves({"run": history})
    assert [axes.get_ylabel() for axes in panels.axes][2:] == ["BLEU", "Words"]


def test_the_command_takes_sources_and_metrics(
    words: Metric, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {}
    for name, lines in {"sources": SOURCES, "references": REFERENCES, "good": GOOD, "bad": BAD}.items():
        files[name] = tmp_path / name
        files[name].write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    of = ["score", "--references", str(files["references"]), "--hypotheses", str(files["bad"])]
    sources = ["--sources", str(files["sources"])]
    expected = np.mean(missing_words(BAD, Inputs(REFERENCES, sources=SOURCES)))
    assert main([*of, *sources]) == 0
    assert f"Words       {expected:.3f}  nrefs:1|words:toy" in capsys.readouterr().out.splitlines()
    assert main([*of, *sources, "--metrics", "words", "chrf", "--json"]) == 0
    assert [*json.loads(capsys.readouterr().out)] == ["chrf", "words"]
    assert main([*of, str(files["good"]), *sources, "--metrics", words.key]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].startswith("Words  nrefs:1|bs:1000|ar:10000|seed:12345|words:toy")
    assert re.fullmatch(r"  69\.444  \(\d+\.\d{3} ± \d+\.\d{3}\)  first output  .*bad", table[1])
    assert main(of) == 0
    assert "Words is left out: it also reads the sources" in capsys.readouterr().err
    assert main([*of, *sources, "--metrics", "chrf"]) == 0
    assert "none of these scores reads the sources" in capsys.readouterr().err
