"""Processes that were given unlike flags, text or software end before the first step, by name and with code 78."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from accelerate.parallelism_config import ParallelismConfig
from corpus_of_numbers import number_tokenizer
from forked import Forks
from test_experiment import ROOT
from test_sharded_runs import run_recipe
from test_training import train
from toy_language import write_toy_text

from vaswani.experiment import common_settings
from vaswani.experiment.arguments import Arguments, Recipe, network_fields, parse
from vaswani.experiment.common_settings import BEFORE_FOLDERS, MAY_DIFFER, flags_of, software
from vaswani.experiment.data_arguments import DataArguments
from vaswani.experiment.error_messages import exit_on_training_end
from vaswani.training import VaswaniTrainingArguments
from vaswani.training.distribution.unlike_processes import Held, as_texts, differences

UNLIKE = 78
SMALL = {
    "direction": "en-nds",
    "vocab_size": 300,
    "d_model": 16,
    "d_ff": 32,
    "num_heads": 2,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "tokens_per_batch": 256,
    "max_tokens": 60,
    "max_steps": 4,
    "eval_steps": 2,
    "save_steps": 2,
    "batches_per_step": 2,
    "bf16": False,
    "report_to": "none",
    "dataloader_num_workers": 0,
    "test_splits": "test_toy",
    "ddp_timeout": 900,
}


# --- every flag that the parser knows, one after another, in one process ---


def told(arguments: Arguments) -> Mapping[str, Held]:
    """What a process with these arguments says."""
    return {name: Held(value) for name, value in as_texts(flags_of(arguments)).items()}


def other(value: Any) -> Any:
    """Return another value."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case list():
            return [*value, "another=/elsewhere"]
        case dict():
            return value | {"another": 1}
    return f"{value}another"


def flags() -> Iterator[tuple[str, str]]:
    """All flags of a recipe, each with the part of the arguments that it is in."""
    for part, section in (("model", network_fields()), ("data", DataArguments), ("training", VaswaniTrainingArguments)):
        for each in fields(section):
            if each.init:
                yield part, each.name


def changed(arguments: Arguments, part: str, name: str) -> Arguments:
    """Return arguments with another value of one flag."""
    if part == "model":
        return arguments._replace(model=arguments.model | {name: other(arguments.model[name])})
    section = copy(getattr(arguments, part))
    value = ParallelismConfig(tp_size=2) if name == "parallelism_config" else other(getattr(section, name))
    setattr(section, name, value)
    return arguments._replace(**{part: section})


@pytest.fixture(scope="module")
def arguments() -> Arguments:
    return parse(Recipe("", {}, {"dataset": "grammar"}, {}), ["--output_dir", "/somewhere"])


def test_every_flag_is_compared_or_may_differ_for_a_reason(arguments: Arguments) -> None:
    here, missed, named = told(arguments), [], 0
    for part, name in flags():
        said = differences([here, told(changed(arguments, part, name))])
        expected = name not in MAY_DIFFER
        if bool(said) != expected or not all(each.startswith(f"--{name}") for each in said):
            missed.append((name, said))
        named += expected
    assert not missed
    assert named > 150


def test_the_list_of_what_may_differ_has_no_flag_that_is_none() -> None:
    assert MAY_DIFFER.keys() <= {name for _, name in flags()} | {"local_rank"}


def test_the_guide_lists_what_may_differ() -> None:
    guide = (ROOT / "docs" / "distributed.md").read_text(encoding="utf-8")
    table = guide.partition("These flags may differ")[2].partition("\n## ")[0]
    assert set(re.findall(r"`--(\w+)`", table)) == (MAY_DIFFER.keys() | set(BEFORE_FOLDERS)) - {"local_rank"}


def test_the_folders_of_sets_may_differ_and_their_names_may_not(arguments: Arguments) -> None:
    for name in BEFORE_FOLDERS:
        sides = []
        for given in (["en-de=/here"], ["en-de=/there"], ["en-fr=/here"]):
            data = copy(arguments.data)
            setattr(data, name, given)
            sides.append(told(arguments._replace(data=data)))
        assert not differences(sides[:2])
        assert differences(sides) == [f'--{name} is ["en-de"] in process 0 1 and ["en-fr"] in process 2']


def test_a_value_that_one_process_lacks_is_a_difference_and_long_ones_are_cut() -> None:
    held = [{"a": Held("1")}, {"a": Held("1"), "b": Held("x" * 100, "from here")}]
    assert differences(held) == [f"b is nothing in process 0 and {'x' * 60}... (from here) in process 1"]


# --- real processes ---


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_text(tmp_path_factory.mktemp("text"), 400, 6, 6)


def run_unlike(settings: dict[str, Any], of_second: dict[str, Any]) -> None:
    """Be one of two processes that run a recipe; the second has some flags of its own."""
    given = settings | (of_second if os.environ["RANK"] == "1" else {})
    run_recipe(*[word for name, value in given.items() for word in (f"--{name}", str(value))])


def run_with_another_torch(settings: dict[str, Any]) -> None:
    """Be one of two processes that run a recipe, the second of which believes to compute by another torch."""
    if os.environ["RANK"] == "1":
        common_settings.software = lambda: software() | {"torch": "1.0"}
    run_unlike(settings, {})


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_tokens", 50), ("max_steps", 6), ("eval_steps", 1), ("label_smoothing", 0.3), ("drop_duplicates", True)],
)
def test_a_run_with_another_flag_in_one_process_ends_before_its_first_step(
    forks: Forks, text: Path, tmp_path: Path, name: str, value: Any
) -> None:
    settings = SMALL | {"data_dir": text, "output_dir": tmp_path / "run", "cache_dir": tmp_path / "cache"}
    said = forks.run(run_unlike, settings, {name: value}, kind="ddp", folder=tmp_path, code=UNLIKE)
    first = str(settings.get(name, {"label_smoothing": 0.1, "drop_duplicates": "false"}.get(name)))
    now = str(value).lower()
    assert f"error: the processes differ: --{name} is {first} in process 0 and {now} in process 1." in said[0]
    assert not (tmp_path / "run").exists()


def test_another_text_under_the_same_flags_or_others_ends_the_run_and_a_copy_does_not(
    forks: Forks, text: Path, tmp_path: Path
) -> None:
    settings = SMALL | {"data_dir": text, "output_dir": tmp_path / "run", "cache_dir": tmp_path / "cache"}
    for split, name in (("train", "the training text"), ("val", "the text of validation"), ("test_toy", "of test_toy")):
        elsewhere = shutil.copytree(text, tmp_path / f"other {split}")
        with (elsewhere / f"{split}.nds").open("r+b") as file:
            file.write(b"#")
        said = forks.run(
            run_unlike, settings, {"data_dir": elsewhere}, kind="ddp", folder=tmp_path / split, code=UNLIKE
        )
        assert f"{name} is" in said[0]
        assert said[0].count("--data_dir") == 2
        assert f"--data_dir {text}) in process 0 and" in said[0]
        assert f"--data_dir {elsewhere}) in process 1" in said[0]
        assert not list((tmp_path / "run").glob("checkpoint-*"))
    copied = shutil.copytree(text, tmp_path / "copy")
    own = {"data_dir": copied, "dataloader_num_workers": 1, "cache_dir": tmp_path / "own cache"}
    forks.run(run_unlike, settings, own, kind="ddp", folder=tmp_path / "alike")
    assert (tmp_path / "run" / "metrics.json").exists()


def test_other_software_in_one_process_ends_the_run(forks: Forks, text: Path, tmp_path: Path) -> None:
    settings = SMALL | {"data_dir": text, "output_dir": tmp_path / "run", "cache_dir": tmp_path / "cache"}
    said = forks.run(run_with_another_torch, settings, kind="ddp", folder=tmp_path, code=UNLIKE)
    assert f'torch is "{software()["torch"]}" in process 0 and "1.0" in process 1' in said[0]


def train_unlike(folder: Path, **of_second: Any) -> None:
    """Be one of two processes that train by the class alone."""
    with exit_on_training_end():
        train(folder, number_tokenizer(), batches_per_step=2, **(of_second if os.environ["RANK"] == "1" else {}))


def train_with_dropout(folder: Path) -> None:
    """The second has another one, which is the network's."""
    train_unlike(folder, dropout=0.3)


def train_with_bpe_dropout(folder: Path) -> None:
    """The second has another one, which is the text's."""
    train_unlike(folder, bpe_dropout=0.3)


def train_slower(folder: Path) -> None:
    """The second has another learning rate."""
    train_unlike(folder, peak_learning_rate=1e-5)


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (train_with_dropout, "--dropout is 0 in process 0 and 0.3 in process 1"),
        (train_with_bpe_dropout, "the order of training.identity.bpe_dropout is 0 in process 0 and 0.3 in process 1"),
        (train_slower, "--peak_learning_rate is null in process 0 and 1e-05 in process 1"),
    ],
)
def test_the_trainer_by_itself_compares_network_arguments_and_text(
    forks: Forks, tmp_path: Path, work: Any, words: str
) -> None:
    said = forks.run(work, tmp_path / "run", kind="ddp", folder=tmp_path, code=UNLIKE)
    assert words in "".join(said)
