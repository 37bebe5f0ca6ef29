"""Section 6.3 in small: a treebank in files is learned by the recipe's own command, and scored as the paper's was."""

import json
import os
import random
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from forked_python import forked
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, GenerationConfig

import vaswani.modeling  # noqa: F401  (teaches the Auto classes)
from vaswani.data.trees import Leaf, Node, Tree, delinearise, read_trees
from vaswani.data.trees.builtin import BuiltinTreebank, words_of
from vaswani.data.trees.tree import Close, Open, walk
from vaswani.evaluation.metrics.evalb.brackets import evalb
from vaswani.experiment import parse
from vaswani.experiment.corpora import open_training_corpus
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.publishing import model_card, read_records
from vaswani.translation.translate import translate

ROOT = Path(__file__).resolve().parents[1]
SMALL = {
    "vocab_size": 560,
    "d_model": 64,
    "d_ff": 256,
    "num_heads": 4,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "dropout": 0,
    "attention_dropout": 0,
    "label_smoothing": 0,
    "tokens_per_batch": 512,
    "batches_per_step": 1,
    "max_steps": 1800,
    "warmup_steps": 100,
    "peak_learning_rate": 6e-3,
    "eval_steps": 600,
    "save_steps": 100,
    "average_checkpoints": 6,
    "window_groups": 8,
    "dataloader_num_workers": 0,
    "report_to": "none",
}
FLAGS = [word for name, value in SMALL.items() for word in (f"--{name}", str(value))]
LONGEST = 6
"""Words of a sentence, for a test of a minute; recipes/parsing_quickstart.py learns those of any length."""


def penn(tree: Tree, draw: random.Random) -> str:
    """The text of a tree as Penn's files have it: over lines, unlabelled on top, with function tags and traces."""
    text = ""
    for step in walk(tree):
        if isinstance(step, Open):
            label = "" if step.label == "TOP" else step.label + draw.choice(["", "", "-SBJ", "-TMP-1", "=2"])
            text += f"\n  ({label} " + draw.choice(["", "", "(NP (-NONE- *T*-1)) "])
        else:
            text += ")" if isinstance(step, Close) else f"({step.tag} {step.word}) "
    return text + "\n"


def short_trees(split: str, groups: range) -> list[Tree]:
    """The built-in trees over short sentences, no sentence twice."""
    bank = BuiltinTreebank(split, groups.stop)
    found = {words_of(tree): tree for group in groups for tree in bank.trees(group)}
    return [tree for sentence, tree in found.items() if len(sentence.split()) <= LONGEST]


SECTIONS = {
    "02": ("train", range(15)),
    "03": ("train", range(15, 30)),
    "22": ("validation", range(3)),
    "23": ("test", range(2)),
}


@pytest.fixture(scope="module")
def wsj(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of sections as the paper's treebank has, of short sentences of the built-in one."""
    folder = tmp_path_factory.mktemp("wsj")
    draw = random.Random(1)
    for section, (split, groups) in SECTIONS.items():
        kept = short_trees(split, groups)
        files = [kept[first : first + 400] for first in range(0, len(kept), 400)]
        (folder / section).mkdir()
        for file, trees in enumerate(files):
            path = folder / section / f"wsj_{section}{file:02}.mrg"
            path.write_text("".join(penn(tree, draw) for tree in trees), encoding="utf-8")
    return folder


def run(*flags: str | Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = forked(sys.executable, ROOT / "recipes" / "parsing.py", *map(str, flags), environment=environment)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def trained(wsj: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished run of the recipe, small, with the paper's beam and penalty; and what it printed."""
    folder = tmp_path_factory.mktemp("runs") / "parsing"
    done = run("--data_dir", wsj, "--train_split", "02-03", "--output_dir", folder, *FLAGS)
    return folder, done.stdout


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


@pytest.mark.slow
def test_the_recipe_learns_a_treebank_to_f1_above_95(trained: tuple[Path, str]) -> None:
    """The gate: sections 02-03 are learned, and 23 is parsed by beam 21 at alpha 0.3, as in the paper."""
    folder, output = trained
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["search"] == {"num_beams": 21, "length_penalty": 0.3}
    scores = metrics["test"]["23"]
    assert scores["f1"]["value"] > 95
    assert scores["valid"]["value"] > 80  # which of the 108 are depends on the rounding of the processor
    assert scores.keys() == {"f1", "recall", "precision", "exact_match", "tagging", "valid"}
    assert f"F1 {metrics['validation']['f1']:.2f}" in output
    # The files beside it give the same figures to whoever counts them with EVALB.
    golds, parses = ([read_trees(line)[0] for line in lines(folder / f"23.{name}.mrg")] for name in ("gold", "parsed"))
    figures = evalb(golds, parses)
    assert (figures.sentences, figures.errors) == (len(short_trees(*SECTIONS["23"])), 0)
    assert {key: scores[key]["value"] for key in ("f1", "recall", "precision", "exact_match", "tagging")} == {
        "f1": figures.f1,
        "recall": figures.recall,
        "precision": figures.precision,
        "exact_match": figures.exact_match,
        "tagging": figures.tagging,
    }


@pytest.mark.slow
def test_function_tags_and_traces_of_the_files_are_not_learned(trained: tuple[Path, str]) -> None:
    folder, _ = trained
    golds: list[Node] = [read_trees(line)[0] for line in lines(folder / "23.gold.mrg")]
    assert golds == short_trees(*SECTIONS["23"])


@pytest.mark.slow
def test_whoever_loads_the_model_parses_with_it(trained: tuple[Path, str]) -> None:
    folder, _ = trained
    model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert model.generation_config.extra_tokens == 300
    sentence = words_of(read_trees(lines(folder / "23.gold.mrg")[0])[0])  # type: ignore[arg-type]
    ids = model.generate(**tokenizer(sentence, return_tensors="pt"))
    row = tokenizer.decode(ids[0], skip_special_tokens=True)
    assert row == lines(folder / "23.translations.txt")[0]
    assert len(ids[0]) == len(row.split()) + 2  # every bracket is one token; and <s>, </s>
    assert [leaf.word for leaf in walk(delinearise(row, sentence.split()).tree) if isinstance(leaf, Leaf)] == (
        sentence.split()
    )


@pytest.mark.slow
def test_the_card_and_the_curve_speak_of_trees(trained: tuple[Path, str]) -> None:
    folder, _ = trained
    card = model_card("someone/parser", *read_records(folder), {})
    assert "language:\n- en\nlibrary_name" in card
    assert "trained to parse `en`" in card
    assert "| 23 | exact match |" in card
    assert "type: f1" in card
    assert "BLEU" not in card
    assert "translates" not in card
    assert "F1" in (folder / "curve.svg").read_text(encoding="utf-8") or (folder / "curve.png").stat().st_size > 0


# --- what is refused ---


RECIPE = runpy.run_path(str(ROOT / "recipes" / "parsing.py"))["RECIPE"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], "Give --dataset"),
        (["--data_dir", str(ROOT / "recipes")], "has no trees in it"),
        (["--dataset", "grammar"], 'no split "02-21". It has: test, train, validation'),
    ],
)
def test_without_a_treebank_the_recipe_says_what_it_needs(flags: list[str], words: str, tmp_path: Path) -> None:
    data = parse(RECIPE, [*flags, "--output_dir", str(tmp_path)]).data
    with pytest.raises(ValueError, match=words):
        open_training_corpus(data)


def test_trees_are_not_chosen_by_bleu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(RECIPE, ["--metric_for_best_model", "bleu", "--output_dir", str(tmp_path)])
    assert "--metric_for_best_model is bleu, but text in 'trees' is scored by F1: give f1" in capsys.readouterr().err


def test_the_recipe_is_that_of_section_6_3(tmp_path: Path) -> None:
    """4 layers, d_model 1024, 16,000 tokens, beam 21, alpha 0.3, input + 300; all else as in the base model."""
    model, data, training, _ = parse(RECIPE, ["--data_dir", "wsj", "--output_dir", str(tmp_path)])
    base = VaswaniConfig().to_dict()
    assert {name: value for name, value in model.items() if value != base[name] and value is not None} == {
        "vocab_size": 16_000,
        "d_model": 1024,
        "encoder_layers": 4,
        "decoder_layers": 4,
        "dropout": 0.2,
        "attention_dropout": 0.2,
    }
    assert (training.test_beams, training.length_penalty, training.extra_tokens) == (21, 0.3, 300)
    assert (data.train_split, data.validation_split, data.test_splits) == ("02-21", "22", ["23"])
    assert data.tokens_per_batch * training.batches_per_step == 25_000


# --- input + 300 ---


class Numbers:
    """A tokenizer of numbers, as far as `translate` asks for one; what was written is how long it is."""

    pad_token_id = 1

    def __call__(self, texts: list[str]) -> Any:
        return SimpleNamespace(input_ids=[[*map(int, text.split()), 3] for text in texts])

    def batch_decode(self, rows: torch.Tensor, **_: Any) -> list[str]:
        return [str(int((row[1:] != 1).sum())) for row in rows]


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("saved", ["extra_tokens", "extra_symbols"])  # the latter until 2026-11-29
def test_the_limit_is_that_of_the_model(saved: str, beams: int, tmp_path: Path) -> None:
    """A network that never ends, saved with a limit of its own and loaded again."""
    torch.manual_seed(1)
    config = VaswaniConfig(
        vocab_size=12,
        d_model=8,
        d_ff=8,
        num_heads=2,
        encoder_layers=1,
        decoder_layers=1,
        dropout=0.0,
        output_bias=True,
    )
    model = VaswaniForConditionalGeneration(config)
    generation: Any = model.generation_config
    setattr(generation, saved, 7)
    generation._from_model_config = False  # as a run sets it
    model.save_pretrained(tmp_path)
    model = VaswaniForConditionalGeneration.from_pretrained(tmp_path)
    with torch.no_grad():
        bias: Any = model.lm_head.bias
        bias[:4] = -1e4  # </s> and the others of the first four are never among the best of a search
    found = translate(model, Numbers(), ["4 5 6 7 8", "9"], num_beams=beams)  # type: ignore[arg-type]
    assert found == [str(6 + 7), str(2 + 7)]
    ids = model.generate(input_ids=torch.tensor([[9, 3]]), num_beams=beams, do_sample=False)
    assert ids.shape[1] - 1 == 2 + 7
    for name in ("extra_tokens", "extra_symbols"):
        asked: list[dict[str, Any]] = [{name: 0}, {"generation_config": GenerationConfig(**{name: 0})}]
        for each in asked:
            ids = model.generate(torch.tensor([[9, 3]]), num_beams=beams, do_sample=False, **each)
            assert ids.shape[1] - 1 == 2, each
