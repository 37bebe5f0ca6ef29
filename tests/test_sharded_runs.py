"""Whole runs of a recipe under FSDP2 and ZeRO-3 leave the folder that any run leaves: scored and ready to load."""

import json
import runpy
import shlex
from pathlib import Path

import pytest
import torch
from forked import Forks
from safetensors.torch import load_file
from test_experiment import ROOT, TINY
from toy_language import write_toy_text
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

import vaswani.modeling  # noqa: F401  (teaches the Auto classes)
from vaswani.experiment import parse, run
from vaswani.training import average_weights
from vaswani.training.checkpointing.checkpoints import checkpoint_fault, checkpoints
from vaswani.translation.translate import translate

SCHEDULE = shlex.split(
    "--max_steps 60 --eval_steps 30 --save_steps 20 --average_checkpoints 2 --batches_per_step 2 --test_splits test_toy"
)


def run_recipe(*flags: str) -> None:
    """Be one of the processes that run a recipe together."""
    recipe = runpy.run_path(str(ROOT / "recipes" / "multi30k.py"))["RECIPE"]
    run(parse(recipe, flags))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["fsdp", "zero3"])
def test_a_run_ends_as_a_scored_model_folder(kind: str, forks: Forks, tmp_path: Path) -> None:
    write_toy_text(tmp_path, 2000, 30, 31)
    folder = tmp_path / "run"
    flags = ["--data_dir", str(tmp_path), "--direction", "en-nds", "--output_dir", str(folder), *TINY, *SCHEDULE]
    said = forks.run(run_recipe, *flags, kind=kind, folder=tmp_path)

    assert [path.name for path in checkpoints(folder)] == ["checkpoint-20", "checkpoint-40", "checkpoint-60"]
    assert not list(folder.glob("checkpoint-*/model.safetensors"))
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    names = ["last checkpoint", "average of the last 2 checkpoints"]
    assert [name for name in metrics["candidates"] if name in names] == names
    average = average_weights([folder / "checkpoint-40", folder / "checkpoint-60"])
    last = average_weights([folder / "checkpoint-60"])
    weights = load_file(folder / "model.safetensors")
    expected = {"last checkpoint": last, names[1]: average}[metrics["chosen"]]
    for name, weight in weights.items():
        assert torch.equal(weight, expected[name]), name
    assert metrics["parameters"] == sum(weight.numel() for weight in weights.values())

    model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    sources = (tmp_path / "test_toy.en").read_text(encoding="utf-8").splitlines()
    translations = (folder / "test_toy.translations.txt").read_text(encoding="utf-8").splitlines()
    assert translate(model, tokenizer, sources) == translations
    assert metrics["test"]["test_toy"]["sacrebleu"]["value"] > 0
    assert "chosen by validation" in said[0]
    assert all(checkpoint_fault(path) is None for path in checkpoints(folder))
