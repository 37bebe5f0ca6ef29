"""Recipes differ from the paper's base run where the paper says so and nowhere else; every written command is one."""

import re
import runpy
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from vaswani.commands.recipe import read_recipe
from vaswani.experiment import Recipe, parse
from vaswani.experiment.back_translation import options as options_of_back_translation
from vaswani.experiment.distillation import options as options_of_distillation
from vaswani.experiment.sweep import options as options_of_sweep
from vaswani.experiment.sweep import planned
from vaswani.experiment.table3 import BY_NAME, arguments_of
from vaswani.experiment.table3.options import options

ROOT = Path(__file__).resolve().parents[1]
OF_RECIPES = {"sweep", "distill", "back_translation"}
"""Those whose runs are those of another recipe."""
RECIPES = sorted({path.stem for path in (ROOT / "recipes").glob("*.py")} - OF_RECIPES)

BIG = {"d_model": 1024, "d_ff": 4096, "num_heads": 16}
BIG_RUN = {"max_steps": 300_000, "save_steps": 600, "save_total_limit": 25, "average_checkpoints": 20}
FRENCH = {"dataset_config": "fr-en", "direction": "en-fr"}
LARGE_BATCH = {"tokens_per_batch": 6250, "batches_per_step": 64, "bf16": True, "eval_steps": 500, "save_steps": 100}
FROM_BASE: dict[str, dict[str, Any]] = {
    "wmt14_big": {**BIG, "dropout": 0.3, **BIG_RUN},
    "wmt14_en_fr_base": {"vocab_size": 32_000, **FRENCH},
    "wmt14_en_fr_big": {"vocab_size": 32_000, **FRENCH, **BIG, "dropout": 0.1, **BIG_RUN},
    "wmt14_base_pre_norm": {"norm": "pre"},
    "wmt14_base_large_batch": {**LARGE_BATCH, "peak_learning_rate": 1.4e-3, "max_steps": 12_500},
    "wmt14_big_large_batch": {
        **BIG,
        "dropout": 0.3,
        **BIG_RUN,
        **LARGE_BATCH,
        "peak_learning_rate": 1e-3,
        "max_steps": 18_750,
    },
    "table3": {
        "test_splits": ["validation"],
        "eval_strategy": "no",
        "seed": 1,
        "average_checkpoints": 1,
        "save_total_limit": 2,
    },
}
"""What each recipe on WMT14 says otherwise than wmt14_base, output_dir aside."""


@cache
def recipe(name: str) -> Recipe:
    return runpy.run_path(str(ROOT / "recipes" / f"{name}.py"))["RECIPE"]


def fields(name: str) -> dict[str, Any]:
    found = recipe(name)
    assert not (found.model.keys() & found.data.keys() | found.data.keys() & found.training.keys())
    return {**found.model, **found.data, **found.training}


@pytest.mark.parametrize("name", FROM_BASE)
def test_a_recipe_differs_from_base_as_written_here_and_nowhere_else(name: str) -> None:
    base, this = fields("wmt14_base"), fields(name)
    assert this.pop("output_dir") == f"runs/{name}"
    base.pop("output_dir")
    left_out = {"eval_steps"} if name == "table3" else set()
    assert base.keys() - this.keys() - {"max_steps"} == left_out
    assert {key: value for key, value in this.items() if key not in base or base[key] != value} == FROM_BASE[name]


def test_every_recipe_on_the_papers_corpora_is_compared() -> None:
    assert FROM_BASE.keys() == {name for name in RECIPES if fields(name).get("dataset") == "wmt/wmt14"} - {"wmt14_base"}


def test_base_is_the_run_of_section_5() -> None:
    """What the flags come to, defaults of both libraries included."""
    model, data, training, _ = parse(recipe("wmt14_base"), [])
    assert (model["d_model"], model["d_ff"], model["num_heads"]) == (512, 2048, 8)
    assert (model["encoder_layers"], model["decoder_layers"], model["norm"]) == (6, 6, "post")
    assert (model["dropout"], model["label_smoothing"], model["positions"]) == (0.1, 0.1, "sinusoidal")
    assert (model["attention_dropout"], model["activation_dropout"], model["vocab_size"]) == (0.0, 0.0, 37_000)
    assert data.tokens_per_batch * training.batches_per_step == 25_000
    assert (training.max_steps, training.warmup_steps, training.peak_learning_rate) == (100_000, 4000, None)
    assert (training.adam_beta1, training.adam_beta2, training.adam_epsilon) == (0.9, 0.98, 1e-9)
    assert (training.max_grad_norm, training.weight_decay, training.bf16) == (0.0, 0.0, False)
    assert (training.average_checkpoints, training.test_beams, training.length_penalty) == (5, 4, 0.6)


@pytest.mark.parametrize("name", ["wmt14_base_large_batch", "wmt14_big_large_batch"])
def test_large_batches_come_at_twice_the_rate_of_equation_3(name: str) -> None:
    model, data, training, _ = parse(recipe(name), [])
    assert training.peak_learning_rate == pytest.approx(
        2 * (model["d_model"] * training.warmup_steps) ** -0.5, rel=0.02
    )
    assert data.tokens_per_batch * training.batches_per_step == 16 * 25_000


@pytest.mark.parametrize("name", RECIPES)
def test_checkpoints_to_average_are_kept(name: str) -> None:
    _, _, training, _ = parse(recipe(name), [])
    assert training.save_total_limit is not None
    assert training.save_total_limit >= training.average_checkpoints


def test_another_corpus_does_not_inherit_the_configuration_of_the_recipes() -> None:
    base = recipe("wmt14_base")
    assert parse(base, []).data.dataset_config == "de-en"
    assert parse(base, ["--dataset", "wmt/wmt14"]).data.dataset_config == "de-en"
    assert parse(base, ["--dataset", "bentrevett/multi30k"]).data.dataset_config is None
    assert parse(base, ["--data_dir", "mine"]).data.dataset_config is None
    for given in (["--dataset_config", "cs-en"], ["--dataset_config=cs-en"], ["--dataset-config", "cs-en"]):
        assert parse(base, ["--dataset", "wmt/wmt16", *given]).data.dataset_config == "cs-en"


def test_another_text_does_not_inherit_the_further_folders_of_the_recipes() -> None:
    general = recipe("general_en_de")
    own = parse(general, []).data
    assert (own.data_dir, own.dataset, own.extra_dirs[0]) == ("general-en-de/news", None, "general-en-de/tatoeba")
    assert own.test_splits[1:] == own.validation_splits == [f"{each.split('/')[1]}={each}" for each in own.extra_dirs]
    of_hub = parse(general, ["--dataset", "a/b"]).data
    assert (of_hub.dataset, of_hub.data_dir, of_hub.dataset_config) == ("a/b", None, None)
    for data in (of_hub, parse(general, ["--data_dir", "mine"]).data):
        assert (data.extra_dirs, data.validation_splits, data.test_splits) == ([], [], ["test"])
    given = parse(general, ["--data_dir=mine", "--extra_dirs", "x", "y", "--weights", "1", "2", "1"]).data
    assert (given.dataset, given.data_dir, given.extra_dirs, given.weights) == (None, "mine", ["x", "y"], [1, 2, 1])
    named = parse(general, ["--data_dir", "mine", "--test-splits", "test", "x=x", "--validation_splits", "x=x"]).data
    assert (named.test_splits, named.validation_splits) == (["test", "x=x"], ["x=x"])
    assert parse(general, ["--tokens_per_batch", "2048"]).data.extra_dirs == own.extra_dirs
    both = parse(general, ["--directions", "en-de", "de-en=x"]).data
    assert (both.data_dir, both.extra_dirs, both.test_splits) == (own.data_dir, [], own.test_splits)
    table3 = recipe("table3")
    assert parse(table3, ["--data_dir", "mine"]).data.test_splits == ["validation"]


# --- every command that is written down ---


def written_commands() -> list[str]:
    """All commands of READMEs, guides, recipes and configurations that start a recipe."""
    files = [
        ROOT / "README.md",
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("recipes/*.py"),
        *ROOT.glob("accelerate_configs/*"),
    ]
    found = []
    for file in sorted(files):
        text = re.sub(r"\\\n#? *", " ", file.read_text(encoding="utf-8"))
        for line in text.splitlines():
            start = re.match(
                r"(?:#  +)?((?:\w+=\S+ )*(?:accelerate launch|torchrun|python|sbatch) .*recipes/\w+\.py.*)", line
            )
            if start:
                found.append(re.split(r"    \(|  +# ", start[1])[0])
    return sorted(set(found))


@pytest.mark.parametrize("command", written_commands())
def test_a_written_command_has_flags_that_exist(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(command)
    place = next(i for i, word in enumerate(words) if re.fullmatch(r"recipes/\w+\.py", word))
    check_files(words[:place])
    name, flags = Path(words[place]).stem, words[place + 1 :]
    if name in OF_RECIPES:
        monkeypatch.chdir(ROOT)
        check_of_recipes(name, flags)
        return
    if name != "table3":
        parse(recipe(name), flags)
        return
    asked = options(flags, None)
    check_files(shlex.split(asked.launcher))
    for row in asked.rows:
        arguments = arguments_of(recipe(name), asked._replace(rows=[row]))
        assert arguments.model["num_heads"] == BY_NAME[row.name].change.get("num_heads", 8)


def check_of_recipes(name: str, flags: list[str]) -> None:
    if name == "sweep":
        planned(options_of_sweep(flags, None, read_recipe))  # every trial is read
    elif name == "distill":
        options_of_distillation(flags, None, read_recipe)
    else:
        place = flags.index("--monolingual") + 1
        options_of_back_translation([*flags[:place], str(ROOT / "README.md"), *flags[place + 1 :]], None, read_recipe)


def check_files(words: list[str]) -> None:
    for word in words:
        if word.startswith("accelerate_configs/"):
            assert (ROOT / word).exists(), word


def test_commands_are_found() -> None:
    recipes = {re.search(r"recipes/(\w+)\.py", command)[1] for command in written_commands()}  # type: ignore[index]
    assert recipes == {*RECIPES, *OF_RECIPES}
