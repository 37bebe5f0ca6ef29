"""Every flag says what it does, its unit and its default; --help shows what a run takes, and old names still work."""

import argparse
import ast
import dataclasses
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forked_python import forked

from vaswani import commands
from vaswani.commands.recipe import read_recipe
from vaswani.experiment import Recipe, parse
from vaswani.experiment.argument_checks import check_leaves_checkpoints
from vaswani.experiment.arguments import MODEL_FIELDS
from vaswani.experiment.back_translation.options import add_flags as add_flags_of_back_translation
from vaswani.experiment.data_arguments import DataArguments
from vaswani.experiment.distillation.options import add_flags as add_flags_of_distillation
from vaswani.experiment.help import GROUPS, METAVARS, NETWORK, OF_TRANSFORMERS, UNSET
from vaswani.experiment.sweep.options import add_flags as add_flags_of_sweep
from vaswani.experiment.table3 import options
from vaswani.experiment.training_sentences import data_of
from vaswani.modeling import VaswaniConfig
from vaswani.publishing import read_run
from vaswani.training import VaswaniTrainingArguments
from vaswani.training.argument_checks import REFUSED
from vaswani.training.renamed import RENAMED, announce, rename_fields, rename_flags, rename_run

ROOT = Path(__file__).resolve().parents[1]
OF_RECIPES = {
    "sweep": add_flags_of_sweep,
    "distill": add_flags_of_distillation,
    "back_translation": add_flags_of_back_translation,
}
"""Those whose runs are of another recipe, with what declares their own flags; tests/test_sweep.py has its help."""
RECIPES = sorted(path for path in (ROOT / "recipes").glob("*.py") if path.stem not in OF_RECIPES)
every_recipe = pytest.mark.parametrize("path", RECIPES, ids=[path.stem for path in RECIPES])
SMALL = Recipe("", {}, {"dataset": "grammar"}, {"output_dir": "run"})

OF_TRAINING = {each.name for each in dataclasses.fields(VaswaniTrainingArguments)}
OWN = {
    *MODEL_FIELDS,
    *(each.name for each in dataclasses.fields(DataArguments)),
    *(OF_TRAINING - {each.name for each in dataclasses.fields(VaswaniTrainingArguments.__base__)}),  # type: ignore[arg-type]
}
"""The fields that this project adds."""

UNITS = (
    "tokens?|pairs|steps?|seconds|dimensions|heads|layers|probability|share|ratio|times|rows|row groups|streams|"
    "micro-batches|checkpoints|evaluations|validations|beams|norm|rank|rate|exponent|epsilon|seed|processes|"
    "lengths|positions|sentences|texts|hypotheses|port|windows|operations|words|costs an hour|seeds|number|divide"
)
"""Of numbers."""


class Shown(dict[str, tuple[str, str]]):
    """What a help shows: by flag, its group and its text."""

    def __init__(self, text: str) -> None:
        self.groups: list[str] = []
        blocks: dict[str, list[str]] = {}
        lines = text.splitlines()
        for line, after in zip(lines, [*lines[1:], ""], strict=True):
            if re.fullmatch(r"\S.*:", line) and after.startswith("  "):
                self.groups.append(line[:-1])
            elif found := re.match(r"  (?:-h, )?(--[\w-]+)", line):
                assert found[1][2:] not in blocks, f"{found[1]} is shown twice"
                blocks[found[1][2:]] = [self.groups[-1], re.sub(r"^  \S+(?: \S+)*", "", line)]
                if len(line) > 24 and line[22:24] == "  ":
                    blocks[found[1][2:]][1] = line[24:]
            elif blocks and line.startswith(" " * 24):
                blocks[next(reversed(blocks))].append(line.strip())
        super().__init__({name: (group, " ".join(words).strip()) for name, (group, *words) in blocks.items()})


def help_of(path: Path, capsys: pytest.CaptureFixture[str], flag: str = "--help") -> Shown:
    recipe = read_recipe(path)
    with pytest.raises(SystemExit) as ended:
        options([flag], recipe) if path.stem == "table3" else parse(recipe, [flag])
    assert ended.value.code == 0
    return Shown(capsys.readouterr().out)


# a recipe's help


@every_recipe
def test_each_flag_of_a_recipe_says_what_it_does_and_its_default(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = read_recipe(path)
    for columns in ("80", "120"):
        monkeypatch.setenv("COLUMNS", columns)
        shown = help_of(path, capsys)
        for name, (group, text) in shown.items():
            if group not in ("help", "table"):
                assert re.match(r"\S.{10,}\. \(default: \S.*\)$", text), f"{name}: {text!r}"
    for name, value in (recipe.model | recipe.data | recipe.training).items():
        if name in shown and isinstance(value, int | str) and not isinstance(value, bool):
            in_one_line = re.sub(r"(?<=\w)- ", "-", shown[name][1])  # a line may end within a name
            assert in_one_line.endswith(f" (default: {value})"), shown[name]
    assert shown["max_tokens"][1].endswith(f"(default: {recipe.data.get('max_tokens', 256)})")
    assert "Factory" not in str(shown)
    assert "None" not in str(shown)


@every_recipe
def test_help_shows_own_flags_by_group_and_none_that_is_refused(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = help_of(path, capsys)
    titles = [group.title for group in GROUPS]
    assert shown.groups == (["table"] if path.stem == "table3" else []) + [*titles, "help"]
    assert {"network", "data", "training", "evaluation", "Hub"} <= set(titles)
    assert shown.keys() >= OWN
    assert not shown.keys() & REFUSED.keys()
    assert len(shown) < 120
    groups = {"d_model": "network", "data_dir": "data", "max_steps": "training", "patience": "evaluation"}
    assert {name: shown[name][0] for name in groups} == groups
    assert shown["hub_license"][0] == "Hub"


def test_help_all_shows_every_field_and_what_to_use_in_place_of_refused_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = help_of(ROOT / "recipes/quickstart.py", capsys, "--help-all")
    assert shown.keys() - {"help", "help-all"} == OF_TRAINING | OWN
    assert all(len(text) > 10 for _, text in shown.values())
    assert {name for name, (group, _) in shown.items() if group == "refused"} == REFUSED.keys()
    assert shown["learning_rate"][1].startswith("Refused: use --peak_learning_rate")
    assert help_of(ROOT / "recipes/quickstart.py", capsys, "--help_all") == shown


@pytest.mark.parametrize("name", REFUSED)
def test_what_help_calls_refused_is_refused(name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    default = getattr(VaswaniTrainingArguments, name, None)
    value = {bool: str(not default).lower(), int: "7", float: "0.5"}.get(type(default), "1")
    others = {
        "lr_scheduler_type": "cosine",
        "resume_from_checkpoint": "run/checkpoint-1",
        "dataloader_multiprocessing_context": "spawn",
        "train_sampling_strategy": "sequential",
    }
    value = others.get(name, value)
    flags = ["--output_dir", str(tmp_path), f"--{name}", value]
    if name == "save_only_model":  # which a run refuses before its first step
        with pytest.raises(ValueError, match="--save_only_model leaves"):
            check_leaves_checkpoints(parse(SMALL, flags).training)
        return
    with pytest.raises(SystemExit) as ended:
        parse(SMALL, flags)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "error: " in said
    assert "unknown" not in said
    assert "invalid" not in said


@pytest.mark.parametrize(
    "flag",
    [
        "--num_train_epochs=3",
        "--per-device-train-batch-size=8",
        "--learning_rate=5e-5",
        "--lr_scheduler_type=linear",
        "--gradient_accumulation_steps=1",
        "--label_smoothing_factor=0",
    ],
)
def test_a_refused_flag_is_refused_at_its_default_too(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    """For whoever gives it thinks that it decides."""
    with pytest.raises(SystemExit) as ended:
        parse(SMALL, [flag])
    name = flag.partition("=")[0].replace("-", "_").strip("_")
    assert ended.value.code == 2
    assert f"error: --{name} cannot be used here; {REFUSED[name]}" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["quickstart", "parsing", "wmt14_big_large_batch"])
def test_what_help_shows_is_taken(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The defaults that are shown as values, given as flags, change nothing."""
    path = ROOT / "recipes" / f"{name}.py"
    recipe, shown = read_recipe(path), help_of(path, capsys)
    flags = []
    for name, (group, text) in shown.items():
        if group in ("help", "table") or name in ("output_dir", "cache_dir", "use_cpu", "peak_learning_rate"):
            continue
        default = re.search(r"\(default: (.*)\)$", text)
        assert default, text
        if default[1] not in ("none", UNSET.get(name)):
            flags += [f"--{name}", *(default[1].split() if name in ("test_splits", "report_to") else [default[1]])]
    assert len(flags) > 100
    before, after = parse(recipe, []), parse(recipe, flags)
    assert (after.model, after.data) == (before.model, before.data)
    unlike = {
        name
        for name, value in before.training.to_dict().items()
        if value != after.training.to_dict()[name] and name not in ("output_dir", "logging_dir")
    }
    assert unlike == set()


def test_the_recipe_of_table_3_shows_its_own_flags_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a row, through its process, with the defaults of that row."""
    command = forked(sys.executable, ROOT / "recipes/table3.py", "--row", "C-N2", "--help")
    of_row = Shown(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    for shown, layers in ((help_of(ROOT / "recipes/table3.py", capsys), 6), (of_row, 2)):
        assert [name for name, (group, _) in shown.items() if group == "table"] == [
            "row", "rows", "all", "scale", "layer_scale", "seeds", "launcher",
        ]  # fmt: skip
        assert shown["encoder_layers"][1].endswith(f"(default: {layers})")


def test_commands_of_a_docstring_keep_their_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        parse(read_recipe(ROOT / "recipes/multi30k.py"), ["-h"])
    said = capsys.readouterr().out
    assert "\naccelerate launch recipes/multi30k.py\naccelerate launch recipes/multi30k.py --direction en-de\n" in said
    assert "--help-all" in said


# the tables


def test_each_field_has_its_help_in_one_place() -> None:
    """A new field without help or group fails here."""
    in_groups = [name for group in GROUPS for name in group.names]
    assert len(in_groups) == len(set(in_groups))
    assert set(in_groups) >= OWN
    assert set(in_groups) <= OWN | OF_TRAINING
    assert NETWORK.keys() == set(MODEL_FIELDS)
    declared = {
        each.name: each.metadata.get("help", "")
        for kind in (DataArguments, VaswaniTrainingArguments)
        for each in dataclasses.fields(kind)
    } | NETWORK
    of_class = set(vars(VaswaniTrainingArguments)["__annotations__"])
    without = [name for name in OWN | of_class | set(in_groups) if len(declared[name] or "") < 10]
    assert without == []
    ours = of_class | {each.name for each in dataclasses.fields(DataArguments)}
    assert not OF_TRANSFORMERS.keys() & ours, "their help stands beside the field"
    assert set(in_groups) - set(MODEL_FIELDS) - ours <= OF_TRANSFORMERS.keys()
    assert {*OF_TRANSFORMERS, *UNSET, *METAVARS} <= declared.keys()


def test_each_number_has_a_unit() -> None:
    numbers = {
        each.name: OF_TRANSFORMERS.get(each.name) or str(each.metadata.get("help"))
        for kind in (DataArguments, VaswaniTrainingArguments)
        for each in dataclasses.fields(kind)
        if re.search(r"\b(int|float)\b", str(each.type)) and each.name in {n for g in GROUPS for n in g.names}
    }
    config = VaswaniConfig()
    numbers |= {name: NETWORK[name] for name in MODEL_FIELDS if not isinstance(getattr(config, name), str | bool)}
    assert len(numbers) > 40
    assert [name for name, text in numbers.items() if not re.search(rf"\b({UNITS})\b", text, re.IGNORECASE)] == []


# commands


def actions(parser: argparse.ArgumentParser, of: str) -> Iterator[tuple[str, argparse.Action]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, each in action.choices.items():
                yield from actions(each, f"{of} {name}")
        elif not isinstance(action, argparse._HelpAction):
            yield of, action


def all_actions() -> list[tuple[str, argparse.Action]]:
    parser = argparse.ArgumentParser()
    parts = parser.add_subparsers()
    for name, module in commands.COMMANDS.items():
        module.add_arguments(parts.add_parser(name))
    machine = argparse.ArgumentParser()
    commands.plan.add_machine(machine)
    found = [*actions(parser, "vaswani"), *actions(machine, "vaswani plan")]
    for name, add_flags in OF_RECIPES.items():
        of_recipe = argparse.ArgumentParser()
        add_flags(of_recipe)
        found += actions(of_recipe, f"recipes/{name}.py")
    return found


def test_each_flag_of_vaswani_says_what_it_does_its_unit_and_its_default() -> None:
    found = all_actions()
    assert len(found) > 80
    for command, action in found:
        name = f"{command} {' '.join(action.option_strings) or action.metavar}"
        text, _, default = (action.help or "").partition("(default: ")
        assert len(text.strip()) >= 5, name
        if action.option_strings and not action.required:
            assert default, f"{name} says no default"
            shown: Any = action.default
            if isinstance(shown, int | float | str) and not isinstance(shown, bool) and shown != argparse.SUPPRESS:
                assert re.match(rf"{re.escape(str(shown))}\b", default), f"{name} says ({default}, and it is {shown}"
        if action.type in (int, float):
            assert re.search(rf"\b({UNITS})\b|\b(heads|layer|checkpoints|number)\b", text), (
                f"{name} has no unit: {text}"
            )


def test_each_flag_of_a_benchmark_says_what_it_does() -> None:
    calls = [
        (path.name, node)
        for path in sorted((ROOT / "benchmarks").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "add_argument"
        and ast.unparse(node.func.value) != "options"  # those of the browser that measuring/chromium.py starts
    ]
    assert len(calls) > 100
    assert [
        (name, ast.unparse(call)) for name, call in calls if "help" not in {each.arg for each in call.keywords}
    ] == []


# renamed


@pytest.fixture(autouse=True)
def as_in_a_new_process() -> None:
    announce.cache_clear()


def test_old_names_are_not_those_of_today() -> None:
    today = OWN | OF_TRAINING
    assert all(old not in today and new in today for old, new in RENAMED.items())


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--source_patience", "7", "--extra-symbols=9", "--user_symbols", "<a>", "<b>"], ["source_patience"]),
        (["--source-patience=7", "--extra_symbols", "9", "--user-symbols", "<a> <b>"], ["source-patience"]),
    ],
    ids=["underscores", "dashes"],
)
def test_an_old_flag_is_taken_and_says_the_new_one(
    flags: list[str], said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        _, data, training, _ = parse(SMALL, flags)
        assert (data.source_timeout, training.extra_tokens, data.user_tokens) == (7, 9, ["<a>", "<b>"])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0] == f"Note: --{said[0]} is now --source_timeout; the old name still works"


def test_only_the_first_process_says_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    assert rename_flags(["--extra_symbols", "9"]) == ["--extra_tokens", "9"]
    assert capsys.readouterr().err == ""


def test_an_old_field_of_a_recipe_is_taken_and_says_the_new_one(capsys: pytest.CaptureFixture[str]) -> None:
    recipe = SMALL._replace(data=SMALL.data | {"user_symbols": ["<a>"]}, training=SMALL.training | {"extra_symbols": 3})
    _, data, training, _ = parse(recipe, [])
    assert (data.user_tokens, training.extra_tokens) == (["<a>"], 3)
    assert "Note: user_symbols of the recipe is now user_tokens; " in capsys.readouterr().err
    assert parse(recipe, ["--extra_tokens", "4"]).training.extra_tokens == 4
    with pytest.raises(TypeError, match="extra_symbols is now extra_tokens, and both are given"):
        rename_fields({"extra_tokens": 1, "extra_symbols": 2})


def test_flags_in_a_file_beside_the_recipe_are_refused_and_the_way_out_is_one(tmp_path: Path) -> None:
    """The parser of transformers would take them without a word."""
    recipe = tmp_path / "a recipe.py"
    recipe.write_text(
        "from vaswani.experiment import Recipe, parse\n"
        "given = parse(Recipe(None, {}, {'dataset': 'grammar'}, {'report_to': 'none'}))\n"
        "print(given.training.max_steps, given.training.extra_tokens)\n"
    )
    flags = recipe.with_suffix(".args")
    flags.write_text("--max_steps 7\n--extra_symbols 9\n")

    def started(*words: str) -> subprocess.CompletedProcess[str]:
        command = shlex.join([sys.executable, recipe.name])
        return subprocess.run(
            ["bash", "-c", " ".join([command, *words])], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    refused = started()
    assert refused.returncode == 2
    [said] = re.findall(r"error: (.*)", refused.stderr)
    assert said.startswith("a recipe.args is not read, ")
    [way_out] = re.findall(r"\$\(cat .*?\)", said)
    flags.rename(tmp_path / "moved.args")
    moved = started(way_out.replace("a recipe.args", "moved.args"))
    assert moved.stdout == "7 9\n", moved.stderr
    assert "--extra_symbols is now --extra_tokens" in moved.stderr


@pytest.mark.parametrize("program", ["", "-c"])
def test_a_program_without_a_file_has_none_beside_it(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [program])
    assert parse(SMALL, ["--max_steps", "7"]).training.max_steps == 7


def test_values_are_no_flags_and_a_mistyped_flag_finds_its_neighbour(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--run_name", "extra_symbols", "--launcher", "x --extra_symbols 3"]
    assert rename_flags(given) == given
    for flag, near in (
        ("--max_step", "--max_steps"),
        ("--max-step", "--max_steps"),
        ("--source_timeou=3", "--source_t"),
    ):
        with pytest.raises(SystemExit) as ended:
            parse(SMALL, [flag, "3"])
        assert ended.value.code == 2
        assert f"similar flags are {near}" in capsys.readouterr().err


def test_the_record_of_an_old_run_is_read_by_new_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = {"command": "x", "data": {"user_symbols": ["<a>"]}, "training": {"extra_symbols": 3, "seed": 1}}
    new = {"command": "x", "data": {"user_tokens": ["<a>"]}, "training": {"extra_tokens": 3, "seed": 1}}
    assert rename_run(old) == new
    assert rename_run(new) == new
    assert rename_run({}) == {}
    whole = json.loads((Path(__file__).parent / "old_run.json").read_text())["run.json"]
    whole["data"] |= {"user_symbols": ["<a>"], "source_patience": 7}
    whole["training"]["extra_symbols"] = 3
    (tmp_path / "run.json").write_text(json.dumps(whole))
    announce.cache_clear()
    run = read_run(tmp_path)
    assert (run.data.user_tokens, run.data.source_timeout, run.training.extra_tokens) == (("<a>",), 7, 3)
    assert data_of(run).source_timeout == 7
    assert "Note: extra_symbols of run.json is now extra_tokens; " in capsys.readouterr().err


def test_an_old_flag_of_a_command_is_taken_and_says_the_new_one() -> None:
    """Through the real one; what it lacks comes after the flags."""
    vaswani = str(Path(sys.executable).with_name("vaswani"))
    words = ["plot", "attention", "no-such-model", "--text", "x", "--symbols", "1", "--as", "maps"]
    done = subprocess.run([vaswani, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Note: --symbols is now --tokens; the old name still works\n" in done.stderr
    assert "--tokens chooses lines" in done.stderr
