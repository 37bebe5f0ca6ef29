"""The command line of a recipe: its parser, its help, and which flags are given in whatever spelling."""

import argparse
import difflib
import shlex
import sys
from argparse import SUPPRESS
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, NoReturn, get_type_hints

from transformers import HfArgumentParser

from vaswani.flags import Range, ranges_of
from vaswani.training.arguments import RANGES_OF_TRANSFORMERS

from .help import SHOW, SHOW_ALL, USAGE, Flag, format_help


class Parser(HfArgumentParser):
    """Shows a recipe's flags by group, and ends the process with the message as the cause, for a launcher to repeat."""

    def __init__(
        self,
        sections: Sequence[Any],
        description: str | None,
        add_flags: Callable[[argparse.ArgumentParser], None] | None,
    ) -> None:
        self.sections, self.add_flags = sections, add_flags
        self.ranges: dict[str, Range] = {}
        for section in sections:
            self.ranges |= ranges_of(section, RANGES_OF_TRANSFORMERS)
        super().__init__(sections, description=description, usage=USAGE, allow_abbrev=False, add_help=False)
        self.recipe: dict[str, Any] = {}
        self.add_argument("-h", "--help", action="help", help=SHOW)
        self.add_argument(
            "--help-all", "--help_all", action=_HelpAll, nargs=0, dest=SUPPRESS, default=SUPPRESS, help=SHOW_ALL
        )

    def add_argument(self, *names: Any, **how: Any) -> argparse.Action:
        """Declare a flag, as argparse does; one of a number takes those in its range."""
        if its := self.ranges.get(names[0].removeprefix("--")):
            how["type"] = its
        return super().add_argument(*names, **how)

    def format_help(self) -> str:
        """Return what --help shows."""
        return self.format_flags(everything=False)

    def format_flags(self, everything: bool) -> str:
        """Return what --help shows, or --help-all."""
        flags = [
            Flag(
                each.name,
                kinds[each.name],
                each.metadata.get("help"),
                self.recipe.get(each.name, default_of(each)),
                self.ranges.get(each.name),
            )
            for section in self.sections
            for kinds in [get_type_hints(section)]
            for each in fields(section)
        ]
        return format_help(self.prog, self.description, flags, everything, self.add_flags)

    def error(self, message: str) -> NoReturn:
        """End the process with code 2 and the message."""
        self.print_usage(sys.stderr)
        print(f"{self.prog}: error: {message}", file=sys.stderr)
        raise SystemExit(2) from ValueError(message)

    def nearest(self, flag: str) -> str:
        """Return the end of a message about an unknown flag."""
        known = [f"--{each.name}" for section in self.sections for each in fields(section)]
        near = difflib.get_close_matches(spelled(flag), map(spelled, known), n=3)
        similar = ", ".join(f"--{each[2:]}" for each in near)
        return f"; similar flags are {similar}" if near else "; --help lists every flag"


class _HelpAll(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        """Called by argparse where it meets the flag."""
        assert isinstance(parser, Parser)
        print(parser.format_flags(everything=True), end="")
        parser.exit()


def default_of(each: Any) -> Any:
    """Return the default of a field of a dataclass."""
    return each.default if each.default_factory is MISSING else each.default_factory()


def is_given(name: str, flags: Sequence[str]) -> bool:
    """Return whether a flag is on a command line, in any of its spellings."""
    return any(spelled(flag) == spelled(name) for flag in flags)


def spelled(flag: str) -> str:
    """Return a flag without its value, in one spelling: dashes and underscores are the same to the parser."""
    return flag.partition("=")[0].replace("-", "_")


def check_no_args_file(program: str) -> None:
    """Make sure that nobody takes flags for given that stand in a file.

    The parser of transformers would read one by itself that is called as the program, and the command that run.json
    keeps would lack its flags.

    Raises:
        ValueError: there is such a file.

    """
    file = Path(program).with_suffix(".args") if Path(program).name else None  # what Python is asked in has no name
    if file is not None and file.exists():
        raise ValueError(
            f"{file} is not read, since the command that a run records would lack its flags; give them on the command "
            f"line, as $(cat {shlex.quote(str(file))}), and move the file away"
        )
