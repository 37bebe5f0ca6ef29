"""What is written can be relied on: files and names exist, snippets run, and commands have the flags they show.

Commands that start a recipe are held by tests/test_recipes.py.
"""

import argparse
import ast
import contextlib
import dataclasses
import io
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from torch.distributed.run import get_args_parser

from vaswani import commands
from vaswani.commands.recipe import read_recipe
from vaswani.experiment import parse
from vaswani.experiment.data_arguments import DataArguments
from vaswani.modeling import VaswaniConfig
from vaswani.training import VaswaniTrainingArguments

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
every_page = pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])


# Files, classes and functions


@cache
def symbols(file: Path) -> set[str]:
    """What a module defines at its top, and the methods and fields of its classes as Class.name."""
    found: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        for name in names(node):
            found.add(name)
            found |= {f"{name}.{each}" for part in getattr(node, "body", []) for each in names(part)}
    return found


def names(node: ast.AST) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return [each.id for each in getattr(node, "targets", []) if isinstance(each, ast.Name)]


def test_the_map_of_the_paper_names_files_and_symbols_that_exist() -> None:
    page = (ROOT / "docs/paper.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| .+? \| (.+) \|$", page.split("## What differs")[0], re.MULTILINE)[2:]
    assert len(rows) > 25
    missing = []
    for _, here in rows:
        file = None
        for name in re.findall(r"`([^`]+)`", here):
            if "/" in name:
                file = ROOT / name
                missing += [] if file.exists() else [name]
            else:
                assert file is not None, here
                missing += [] if name in symbols(file) else [f"{file.name}: {name}"]
    assert missing == []


def test_the_map_of_the_paper_leaves_nothing_out() -> None:
    page = (ROOT / "docs/paper.md").read_text(encoding="utf-8").split("## What differs")[0]
    first = " ".join(re.findall(r"^\| (.+?) \|", page, re.MULTILINE))
    sections = {"3.1", "3.2.1", "3.2.2", "3.2.3", "3.3", "3.4", "3.5", "4", "5.1", "5.2", "5.3", "5.4", "6.1", "6.2",
                "6.3"}  # fmt: skip
    assert sections <= set(re.findall(r"(?<![\w.])\d(?:\.\d)*(?![\w.])", first))
    assert {f"equation {n}" for n in "123"} <= set(re.findall(r"equation \d", first))
    assert {f"table {n}" for n in "1234"} <= set(re.findall(r"table \d", first))
    assert {"figure 1", "figure 2 left", "figure 2 right", "figures 3 to 5"} <= set(
        re.findall(r"figures? \d(?: left| right| to \d)?", first)
    )


@every_page
def test_files_that_a_page_names_are_there(page: Path) -> None:
    """Links, pictures, and paths of this repository between backticks."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    linked = [each for each in re.findall(r"\]\(([^)#\s]+)", text) if not re.match(r"\w+:", each)]
    assert [each for each in linked if not (page.parent / each).exists()] == []
    folders = "|".join(each.name for each in ROOT.iterdir() if each.is_dir() and not each.name.startswith("."))
    named = re.findall(rf"`((?:{folders})/[\w./-]+\.(?:py|yaml|json|md|slurm))`", text)
    assert [each for each in named if not each.startswith("runs/") and not (ROOT / each).exists()] == []


# Snippets


def snippets(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_walkthrough_runs_from_top_to_bottom() -> None:
    """Each line of output that the page shows, as `# ...` behind a print, is what is printed."""
    page = ROOT / "docs/walkthrough.md"
    namespace: dict[str, object] = {"__name__": "walkthrough"}
    parts = snippets(page, "python")
    assert len(parts) > 10
    for part in parts:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(part, f"{page.name}: {part.splitlines()[0]}", "exec"), namespace)
        shown = re.findall(r"^\s*print\(.*\)  # (.+)$", part, re.MULTILINE)
        assert said.getvalue().splitlines() == shown, part


# Commands


def written(page: Path) -> list[str]:
    """The lines of its bash blocks, continued ones joined, comments taken off."""
    blocks = snippets(page, "bash")
    lines = [line for block in blocks for line in re.sub(r"\\\n\s*", " ", block).splitlines()]
    return [command for line in lines if (command := re.sub(r"(^|\s\s+)#.*$", "", line).strip())]


def parser_of_vaswani() -> argparse.ArgumentParser:
    """The parser of `vaswani`, without running anything."""
    parser = argparse.ArgumentParser()
    parts = parser.add_subparsers(dest="command", required=True)
    for name, module in commands.COMMANDS.items():
        module.add_arguments(parts.add_parser(name, allow_abbrev=False))
    return parser


def check(command: str) -> None:
    """Raise unless a command is of a known kind, with flags and files that there are."""
    for part in re.split(r"\s(?:&&|\|\|?|;)\s", command):
        words = shlex.split(re.sub(r"\s(?:2>&1|[<>]+ ?\S+|&$)", "", f"{part} "))
        while words and re.fullmatch(r"[A-Z_0-9]+=.*|nohup|time|exec|srun", words[0]):
            words = words[1:]
        program = words[0].rpartition("/")[2]
        if words[:1] == ["accelerate"] and "vaswani.commands" in words:
            words, program = ["vaswani", *words[words.index("vaswani.commands") + 1 :]], "vaswani"
        if program == "vaswani":
            parsed = parser_of_vaswani().parse_args(commands.passed_on(words[1:]))
            if parsed.command in ("plan", "inspect"):
                check_recipe(parsed)
            elif parsed.command == "torchrun":
                asked = get_args_parser().parse_args(parsed.words[1:])
                parse(read_recipe(ROOT / asked.training_script), asked.training_script_args)
        elif program == "make":
            rules = re.findall(r"^([\w./ -]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
            targets = {target for rule in rules for target in rule.split()}
            assert {word for word in words[1:] if "=" not in word} <= targets, command
        elif files := [file for word in words if (file := python_file(word))]:
            assert all((ROOT / file.partition("::")[0]).is_file() for file in files), command
        else:
            assert program in OTHERS, f"no test knows how to check: {command}"


def python_file(word: str) -> str | None:
    """The file that a word of a command names: by its path, or a benchmark as a module."""
    if re.fullmatch(r"benchmarks\.[\w.]+", word):
        return f"{word.replace('.', '/')}.py"
    return word if re.match(r"(tests|benchmarks|recipes)/[\w/]+\.py", word) else None


def check_recipe(parsed: argparse.Namespace) -> None:
    flags = parsed.flags
    if parsed.command == "plan":
        machine = argparse.ArgumentParser(allow_abbrev=False)
        commands.plan.add_machine(machine)
        _, flags = machine.parse_known_args([*(parsed.of_run or []), *flags])
    parse(read_recipe(commands.plan.vehicle() if parsed.recipe is None else ROOT / parsed.recipe), flags)


OTHERS = {".", "git", "cd", "python", "accelerate", "torchrun", "sbatch", "kubectl", "curl", "hf", "docker", "pip",
          "export", "cat", "kill", "tensorboard", "head", "mkdir", "cp", "ls", "diff", "echo"}  # fmt: skip
"""Programs of others, whose flags are theirs."""


@every_page
def test_every_command_of_a_page_has_flags_that_exist(page: Path) -> None:
    for command in written(page):
        try:
            check(command)
        except SystemExit as error:
            raise AssertionError(f"{page.name}: {command}") from error


def known_flags() -> set[str]:
    """Every flag of `vaswani`, of the recipes, and of the scripts beside them."""

    def of(parser: argparse.ArgumentParser) -> Iterator[str]:
        for action in parser._actions:
            yield from action.option_strings
            if isinstance(action, argparse._SubParsersAction):
                for each in action.choices.values():
                    yield from of(each)

    machine = argparse.ArgumentParser()
    commands.plan.add_machine(machine)
    scripts = [
        path.read_text(encoding="utf-8")
        for name in ("benchmarks", "experiment", "recipes")
        for path in (ROOT / name).rglob("*.py")
    ]
    fields = (
        *VaswaniConfig().to_dict(),
        *(each.name for kind in (DataArguments, VaswaniTrainingArguments) for each in dataclasses.fields(kind)),
    )
    return {
        *of(parser_of_vaswani()),
        *of(machine),
        *(f"--{name}" for name in fields),
        *(flag for text in scripts for flag in re.findall(r'"(--\w+)"', text)),
    }


FLAGS_OF_OTHERS = {"--num_processes", "--config_file", "--mixed_precision", "--dynamo_use_dynamic", "--cpu", "--nnodes",
                   "--dependency", "--safe_serialization", "--help"}  # fmt: skip
"""Of accelerate, torchrun, Slurm and transformers; what has a dash within is never ours."""


@every_page
def test_every_flag_in_running_text_exists(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    words = re.findall(r"`([^`\n]+)`", text)
    named = {
        flag
        for each in words
        if not re.match(r"(accelerate|torchrun|docker|pip|git|hf|tf|sacrebleu) ", each)
        for flag in re.findall(r"(?<!\S)--\w+(?![\w-])", each)
    }
    assert named <= known_flags() | FLAGS_OF_OTHERS


def test_a_wrong_command_is_noticed() -> None:
    for command in (
        "vaswani translate runs/mine --no_such_flag",
        "vaswani plan recipes/wmt14_base.py --no_such_flag 1",
        "vaswani torchrun --no-such-flag recipes/wmt14_base.py",
        "vaswani torchrun --standalone recipes/wmt14_base.py --no_such_flag 1",
        "make nothing",
        "unheard of",
        ".venv/bin/python -m pytest tests/test_nothing.py",
        "python -m benchmarks.training.nothing",
    ):
        with pytest.raises((SystemExit, AssertionError)):
            check(command)
