"""Every number on every command line has a range, which --help tells and the parser checks."""

import argparse
import math
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import get_type_hints

import pytest
from forked_python import forked

from vaswani.commands import COMMANDS
from vaswani.experiment.arguments import network_fields
from vaswani.experiment.back_translation.options import add_flags as add_flags_of_back_translation
from vaswani.experiment.command_line import Parser
from vaswani.experiment.data_arguments import DataArguments
from vaswani.experiment.distillation.options import add_flags as add_flags_of_distillation
from vaswani.experiment.help import plain
from vaswani.experiment.sweep.options import add_flags as add_flags_of_sweep
from vaswani.experiment.table3.options import add_flags as add_flags_of_table3
from vaswani.flags import CommandHelp, Range, RecipeHelp, numbers, shares, whole
from vaswani.training import VaswaniTrainingArguments
from vaswani.training.argument_checks import REFUSED

ROOT = Path(__file__).resolve().parents[1]
SECTIONS = [network_fields(), DataArguments, VaswaniTrainingArguments]


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return each parser that reads a command line, by the name of its command."""
    found: dict[str, argparse.ArgumentParser] = {"recipes": Parser(SECTIONS, "", None)}
    of_recipes = {
        "sweep": add_flags_of_sweep,
        "table3": add_flags_of_table3,
        "distill": add_flags_of_distillation,
        "back_translation": add_flags_of_back_translation,
    }
    for name, add in of_recipes.items():
        add(one := argparse.ArgumentParser(formatter_class=RecipeHelp))
        found[name] = one
    for name, module in COMMANDS.items():
        module.add_arguments(one := argparse.ArgumentParser(formatter_class=CommandHelp))
        found |= {name: one, **{f"{name} {inner}": its for inner, its in commands_within(one)}}
    return found


def commands_within(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


PARSERS = parsers()
FLAGS = [
    pytest.param(name, action, id=f"{name} {action.option_strings[0]}")
    for name, parser in PARSERS.items()
    for action in parser._actions
    if (action.option_strings and action.type in (int, float, Fraction)) or isinstance(action.type, Range)
]


def outside(its: Range) -> list[str]:
    """Return texts that are no number of the range."""
    beyond = [its.least - 1, its.most + 1, its.above, its.below]
    return ["nan", "inf", "-inf", "1e999", "x", "", "1/0", *(f"{each:.0f}" for each in beyond if math.isfinite(each))]


@pytest.mark.parametrize(("name", "action"), FLAGS)
def test_a_number_out_of_range_is_refused_by_the_parser(
    name: str, action: argparse.Action, capsys: pytest.CaptureFixture[str]
) -> None:
    [flag, *_] = action.option_strings
    if flag[2:] in REFUSED:
        pytest.skip("refused at every value but its default: tests/test_help.py")
    assert isinstance(action.type, Range), f"{flag} takes any number"
    for text in outside(action.type):
        words = [f"{flag}={text}"]
        if isinstance(action.nargs, int):
            words = [flag, *["0" if text == "-inf" else text] * action.nargs]  # which would be taken for a flag
        with pytest.raises(SystemExit) as ended:
            PARSERS[name].parse_known_args(words)
        assert ended.value.code == 2
        said = capsys.readouterr().err.splitlines()[-1]
        assert f"error: argument {'/'.join(action.option_strings)}: " in said, text
        assert str(action.type) in said, text


@pytest.mark.parametrize(("name", "action"), FLAGS)
def test_its_range_is_told_by_help(name: str, action: argparse.Action) -> None:
    parser = PARSERS[name]
    told = parser.format_flags(everything=True) if isinstance(parser, Parser) else parser.format_help()
    flag = action.option_strings[0]
    if flag[2:] not in REFUSED:
        text = " ".join(told[told.index(f"\n  {flag} ") :].split())
        assert str(action.type).lower() in text[: text.index("(default: ")].lower()


def test_every_numeric_field_of_a_recipe_is_among_them() -> None:
    """So that a field of a type that argparse is not told of does not go by."""
    seen = {str(each.id).removeprefix("recipes --") for each in FLAGS}
    kinds = {name: plain(kind)[0] for section in SECTIONS for name, kind in get_type_hints(section).items()}
    assert {name for name, kind in kinds.items() if kind in (int, float)} <= seen


@pytest.mark.parametrize(
    ("its", "inside", "words"),
    [
        (whole(1), ["1", "2147483647"], "at least 1"),
        (whole(0, 65535), ["0", "65535"], "from 0 to 65,535"),
        (numbers(0, below=1), ["0", "0.999"], "from 0 to less than 1"),
        (shares(), ["0", "1/20", "0.05"], "from 0 to less than 1"),
        (numbers(above=0), ["1e-300"], "more than 0"),
        (numbers(above=0, below=1), ["0.5"], "more than 0 and less than 1"),
        (numbers(above=0, most=1), ["1"], "more than 0 to 1"),
        (numbers(), ["-1e300"], "a finite number"),
    ],
)
def test_what_is_inside_is_taken(its: Range, inside: list[str], words: str) -> None:
    assert [its(text) for text in inside] == [its.kind(text) for text in inside]
    assert str(its) == words
    for text in outside(its):
        with pytest.raises(argparse.ArgumentTypeError):
            its(text)


def test_a_limit_cannot_be_switched_off(tmp_path: Path) -> None:
    command = forked(sys.executable, ROOT / "recipes/quickstart.py", "--max_unreadable", "nan")
    done = subprocess.run([*command, "--output_dir", tmp_path / "run"], capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "argument --max_unreadable/--max-unreadable: nan is out of range; give from 0 to 1" in done.stderr
    assert not (tmp_path / "run").exists()
