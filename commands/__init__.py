"""The command line: `vaswani COMMAND ...`, one file per command.

A command's file has `add_arguments` and `run`, and the first line of its docstring is its line in `vaswani --help`.
`run` imports what is heavy (torch, evaluate), so that help and typing errors answer at once.
"""

import argparse
import difflib
import gc
import io
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

from vaswani import __version__
from vaswani.flags import CommandHelp
from vaswani.storage.refusals import in_words

from . import (
    average,
    consolidate,
    demo,
    export,
    filter_pairs,
    import_model,
    inspect,
    plan,
    plot,
    push,
    score,
    serve,
    torchrun,
    translate,
)

COMMANDS = {
    "plan": plan,
    "plot": plot,
    "inspect": inspect,
    "consolidate": consolidate,
    "average": average,
    "translate": translate,
    "score": score,
    "filter": filter_pairs,
    "export": export,
    "serve": serve,
    "demo": demo,
    "push": push,
    "import": import_model,
    "torchrun": torchrun,
}


SAVING = frozenset({"average", "consolidate", "export", "import", "push"})
"""Commands that save models, on the CPU. transformers then imports DeepSpeed, if it is installed."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 2 for what the user can fix (a line on stderr), 130 for Ctrl-C."""
    gc.set_threshold(50_000)  # torch and transformers make a million objects that stay: a tenth of their import time
    code = run(argv)
    torch = sys.modules.get("torch")
    if torch is not None and torch.distributed.is_initialized():
        from vaswani.experiment.exit_codes import exiting_with_code

        with exiting_with_code():
            sys.exit(code)
    return code


TOGETHER = ("translate",)
"""Commands that several processes of a launcher do together."""


def by_new_names(argv: Sequence[str]) -> Sequence[str]:
    """Return a command line with renamed flags under their new names, from the table RENAMED of its command."""
    renamed = getattr(COMMANDS.get(next(iter(argv), "")), "RENAMED", {})
    if not any(word.partition("=")[0] == f"--{old}" for word in argv for old in renamed):
        return argv

    from vaswani.training.renamed import rename_flags

    return rename_flags(argv, renamed)


def passed_on(argv: Sequence[str]) -> Sequence[str]:
    """Return a command line whose flags argparse leaves alone, if its command passes them on; it may ask for help."""
    name, *words = argv or [""]
    passes = getattr(COMMANDS.get(name), "TAKES_ALL", False) and words[:1] not in (["-h"], ["--help"])
    return [name, "--", *words] if passes else argv


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    """Return the arguments of a command line; raises SystemExit, as argparse does."""
    parser = argparse.ArgumentParser(prog="vaswani", description="The Transformer of the paper on the command line.")
    parser.add_argument("--version", action="version", version=f"vaswani {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        about = (module.__doc__ or "").splitlines()[0]
        one = commands.add_parser(name, help=about, description=about, allow_abbrev=False, formatter_class=CommandHelp)
        module.add_arguments(one)
    if argv[:1] == ["train"]:
        parser.error("training is started by a recipe: accelerate launch recipes/quickstart.py, and others beside it")
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        commands.choices[args.command].error(f"unknown: {' '.join(unknown)}{similar(unknown, commands, args.command)}")
    return args


def similar(unknown: Sequence[str], commands: Any, command: str) -> str:
    """Return the end of a message about words that a command does not know: what is meant, perhaps."""
    known = dict.fromkeys(re.findall(r"(?<![\w-])--\w+", commands.choices[command].format_usage()))
    flag = next((word.partition("=")[0] for word in unknown if word.startswith("--")), None)
    if flag is None:
        return f"; files are named by flags: vaswani {command} --help lists them"
    # num_beams of generate is beams here: a part of a name counts as much as its letters
    near = [each for each in known if each.removeprefix("--") in flag.replace("-", "_").split("_")]
    near += [each for each in difflib.get_close_matches(flag, known, n=3) if each not in near]
    return f"; similar flags are {', '.join(near)}" if near else f"; vaswani {command} --help lists what there is"


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a character that the locale cannot show is no error
    args = parsed(passed_on(by_new_names(sys.argv[1:] if argv is None else argv)))
    if isinstance(sys.stdout, io.TextIOWrapper):  # stdout may not have every character of a file's name
        sys.stdout.reconfigure(errors="backslashreplace")
    if args.command in SAVING:
        os.environ.setdefault("DS_ACCELERATOR", "cpu")  # or it would warn that it has found no GPU
    try:
        COMMANDS[args.command].run(args)
        if sys.stdout is not None:  # it may be closed
            sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has ended, as in `vaswani translate ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print(f"vaswani {args.command}: interrupted", file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:
        # The processes of a launcher all meet it; other commands may run in a job that sets RANK for something else.
        if args.command not in TOGETHER or os.environ.get("RANK", "0") == "0":
            print(f"vaswani {args.command}: {in_words(error)}", file=sys.stderr)
        return 2
    return 0
