"""Compute what a recipe needs before it runs; or, given a text, propose a run's settings with their reasons."""

import argparse
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vaswani.flags import numbers, whole

from .recipe import read_recipe

if TYPE_CHECKING:
    from vaswani.experiment.plan import Machine

OF_TEXT = {
    "data_dir": "in place of a recipe, a folder of text, whose size decides the settings; flags of a run may follow "
    "(default: none, give a recipe)",
    "dataset": "the same for a data set on the Hub, or for grammar, the built-in corpus (default: none)",
    "direction": "two languages, SOURCE-TARGET; belongs to --data_dir and --dataset (default: en-de)",
}
"""Flags that may stand first on the command line in place of a recipe."""
SECONDS = 10.0
VEHICLE = "multi30k.py"
"""The recipe that a proposed command starts; flags replace all its sizes and its schedule."""


class _FromHere(argparse.Action):
    """Treats a flag and everything after it as flags of a run."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002  (their signature)
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Called by argparse: once or, for flags written with =, several times."""
        before = getattr(namespace, self.dest) or []
        setattr(namespace, self.dest, [*before, str(option_string), *(values or [])])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani plan` takes."""
    parser.usage = (
        "vaswani plan [flags of the machine] RECIPE ...\n       vaswani plan --data_dir FOLDER --direction en-de ..."
    )
    add_machine(parser)
    for name, about in OF_TEXT.items():
        spellings = dict.fromkeys((f"--{name}", f"--{name.replace('_', '-')}"))
        parser.add_argument(
            *spellings, dest="of_run", action=_FromHere, nargs=argparse.REMAINDER, help=about, metavar=name.upper()
        )
    parser.add_argument(
        "recipe", metavar="RECIPE", type=Path, nargs="?", help="a recipe, such as recipes/wmt14_base.py"
    )
    parser.add_argument("flags", metavar="...", nargs=argparse.REMAINDER, help="the flags that the run would be given")


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of the machine, which may stand before the recipe and after it."""
    kept = argparse.SUPPRESS  # so that reading what stands after the recipe keeps what stood before it
    parser.add_argument(
        "--gpus",
        metavar="P",
        type=whole(1),
        default=kept,
        help="number of processes, one GPU each (default: 8, or fewer if a step has fewer micro-batches)",
    )
    parser.add_argument(
        "--peak_tflops",
        metavar="T",
        type=numbers(above=0),
        default=kept,
        help="peak of one GPU, in 10^12 operations a second, in the precision of training, as its maker states it "
        "(default: 989, an H100 in bf16 without sparsity)",
    )
    parser.add_argument(
        "--utilisation",
        metavar="U",
        type=numbers(above=0, most=1),
        default=kept,
        help="share of that peak that training reaches, 0 to 1 (default: 0.4; measure yours: FLOP a step x steps a "
        "second / peak)",
    )
    parser.add_argument(
        "--price_per_gpu_hour",
        metavar="X",
        type=numbers(0),
        default=kept,
        help="what a GPU costs an hour, in any currency (default: unknown, no cost is computed)",
    )
    parser.add_argument(
        "--pair_tokens",
        metavar="L",
        type=whole(1),
        default=kept,
        help="tokens of a pair on each side, padding and </s> included (default: 30; vaswani inspect shows yours)",
    )
    parser.add_argument(
        "--seconds",
        metavar="S",
        type=numbers(0),
        default=kept,
        help="with a text: seconds for which training steps are measured on this machine; 0: do not measure (default: "
        f"{SECONDS:g})",
    )


def run(args: argparse.Namespace) -> None:
    """Print the plan.

    Raises:
        ValueError: the file is no recipe, the machine is impossible, or the text cannot be used.
        OSError: a file cannot be read.
        SystemExit: code 2, a flag is unknown or a value does not fit.
    """
    after = argparse.ArgumentParser(prog="vaswani plan", add_help=False, allow_abbrev=False)
    add_machine(after)
    args, flags = after.parse_known_args([*(args.of_run or []), *args.flags], args)
    if args.recipe is None:
        propose(args, flags)
        return
    if args.recipe.is_dir():
        raise ValueError(
            f"{args.recipe} is a folder; give a recipe, such as recipes/multi30k.py, or for settings that suit a text "
            f"vaswani plan --data_dir {args.recipe} --direction en-de"
        )
    recipe = read_recipe(args.recipe)
    if hasattr(args, "seconds"):
        raise ValueError("--seconds measures steps on a text; a recipe is planned by its operations")

    from vaswani.experiment import parse, table3
    from vaswani.experiment.parent import start_of
    from vaswani.experiment.plan import plan, plan_as_text

    row = any(flag.partition("=")[0] in ("--row", "--scale", "--layer_scale") for flag in flags)  # of recipes/table3.py
    arguments = table3.arguments_of(recipe, table3.options(flags, recipe)) if row else parse(recipe, flags)
    arguments = start_of(arguments, Path(str(arguments.training.output_dir))).apply(arguments)  # by --init_from
    machine = machine_of(args, math.gcd(8, arguments.training.batches_per_step))
    print(plan_as_text(plan(arguments, machine, vars(args).get("pair_tokens", 30)), str(args.recipe)))


def machine_of(args: argparse.Namespace, gpus: int) -> "Machine":
    """Return the machine that the flags describe, by default so many H100."""
    from vaswani.experiment.plan import Machine

    given = vars(args)
    return Machine(
        given.get("gpus", gpus),
        given.get("peak_tflops", 989.0),
        given.get("utilisation", 0.4),
        given.get("price_per_gpu_hour"),
    )


def propose(args: argparse.Namespace, flags: list[str]) -> None:
    """Print the settings that suit the text of a run's flags."""
    named = {flag.partition("=")[0].replace("-", "_") for flag in flags}
    if not named & {"__data_dir", "__dataset"}:
        raise ValueError(
            "there is nothing to plan. Give a recipe, such as recipes/wmt14_base.py; or, for a proposal of settings, "
            "a text: vaswani plan --data_dir my_folder --direction en-de"
        )
    if "__init_from" in named:
        raise ValueError(
            "settings are proposed for a network that is trained from nothing, and --init_from has one; give a recipe: "
            "vaswani plan recipes/multi30k.py --init_from MODEL"
        )
    seconds = vars(args).get("seconds", SECONDS)
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"--seconds is {seconds}; give some seconds, or 0 to measure nothing")
    if hasattr(args, "pair_tokens"):
        raise ValueError("--pair_tokens is counted from the text that you give; leave it out")
    path = vehicle()
    recipe = read_recipe(path)

    from vaswani.experiment.guidance import guide
    from vaswani.experiment.guidance_text import guidance_as_text
    from vaswani.experiment.plan import check

    machine = None
    if any(hasattr(args, name) for name in ("gpus", "peak_tflops", "utilisation", "price_per_gpu_hour")):
        machine = machine_of(args, 1)
        check(machine, machine.gpus)  # how a step is shared is known only after the look at the text
    print(guidance_as_text(guide(recipe, flags, seconds), path, machine))


def vehicle() -> Path:
    """Return the path of the recipe that a proposed command starts, as short as possible from here.

    Raises:
        ValueError: only the package is installed, without the recipes.
    """
    path = Path(__file__).resolve().parents[1] / "recipes" / VEHICLE
    if not path.is_file():
        raise ValueError(
            f"the proposed command needs a recipe, and the recipes are not here ({path}); run this in a clone of the "
            "project"
        )
    short = Path(os.path.relpath(path))
    return path if ".." in short.parts else short
