"""Benchmarks find one another, and each begins with the command that runs it."""

import ast
import importlib
from pathlib import Path

import pytest

from benchmarks.contenders.environments import ENVIRONMENTS

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = [file.relative_to(ROOT) for file in sorted((ROOT / "benchmarks").rglob("*.py"))]
COMMANDS = [
    file for file in BENCHMARKS if "add_argument(" in (text := (ROOT / file).read_text()) and "\nif __name__" in text
]
THERE = [file for file in BENCHMARKS if file.parent.name != "contenders" or file.stem not in ENVIRONMENTS]
"""Those that need no environment of their own."""


def module(file: Path) -> str:
    return ".".join(file.with_suffix("").parts)


@pytest.mark.parametrize("file", THERE, ids=str)
def test_a_benchmark_finds_what_it_imports(file: Path) -> None:
    importlib.import_module(module(file))


@pytest.mark.parametrize("file", COMMANDS, ids=str)
def test_a_benchmark_begins_with_its_command(file: Path) -> None:
    said = ast.get_docstring(ast.parse((ROOT / file).read_text(encoding="utf-8"))) or ""
    in_group = len(file.parts) == 3
    assert (f"python -m {module(file)} " if in_group else f"python {file} ") in said
