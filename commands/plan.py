"""Compute what a recipe comes to before it runs: parameters, FLOP, memory, time and cost on a stated machine."""

import argparse
from pathlib import Path

from .recipe import read_recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani plan` takes."""
    add_machine(parser)
    parser.add_argument("recipe", metavar="RECIPE", type=Path, help="a recipe, such as recipes/wmt14_base.py")
    parser.add_argument("flags", metavar="...", nargs=argparse.REMAINDER, help="the flags that the run would be given")


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of the machine, which may stand before the recipe and after it."""
    kept = argparse.SUPPRESS  # so that reading what stands after the recipe keeps what stood before it
    parser.add_argument("--gpus", metavar="P", type=int, default=kept, help="processes, a GPU each (default: 8)")
    parser.add_argument(
        "--peak_tflops", metavar="T", type=float, default=kept,
        help="what one GPU can do, in 10^12 operations a second, in the precision that is trained in; its maker states "
             "it (default: 989, an H100 in bf16 without sparsity)",
    )  # fmt: skip
    parser.add_argument(
        "--utilisation",
        metavar="U",
        type=float,
        default=kept,
        help="the share of it that training reaches (default: 0.4; measure yours: FLOP a step x steps a second / peak)",
    )
    parser.add_argument(
        "--price_per_gpu_hour", metavar="X", type=float, default=kept, help="for the cost (default: none is told)"
    )
    parser.add_argument(
        "--pair_tokens",
        metavar="L",
        type=int,
        default=kept,
        help="positions of a pair on each side, padding and </s> included (default: 30; vaswani inspect tells yours)",
    )


def run(args: argparse.Namespace) -> None:
    """Print the plan.

    Raises:
        ValueError: the file is no recipe, or the machine cannot be.
        SystemExit: code 2, a flag is unknown or a value does not fit.
    """
    after = argparse.ArgumentParser(prog="vaswani plan", add_help=False, allow_abbrev=False)
    add_machine(after)
    args, flags = after.parse_known_args(args.flags, args)
    recipe = read_recipe(args.recipe)

    from vaswani.experiment import parse, table3
    from vaswani.experiment.plan import Machine, plan, told

    given = vars(args)
    machine = Machine(
        given.get("gpus", 8), given.get("peak_tflops", 989.0), given.get("utilisation", 0.4),
        given.get("price_per_gpu_hour"),
    )  # fmt: skip
    row = any(flag.partition("=")[0] in ("--row", "--scale", "--layer_scale") for flag in flags)  # of recipes/table3.py
    arguments = table3.arguments_of(recipe, table3.options(flags, None)) if row else parse(recipe, flags)
    print(told(plan(arguments, machine, given.get("pair_tokens", 30)), str(args.recipe)))
