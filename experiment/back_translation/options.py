"""The flags of recipes/back_translation.py that no other recipe has."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from vaswani.data.trees import TREES
from vaswani.experiment.argument_checks import check_leaves_checkpoints
from vaswani.experiment.arguments import Arguments, parse
from vaswani.experiment.options_of_recipe import ELSEWHERE, Program, ReadRecipe, add_recipe, options_of_recipe, refuse
from vaswani.experiment.stages import as_flags, as_words
from vaswani.flags import whole

USAGE = "%(prog)s --recipe FILE --reverse MODEL --monolingual FILE [--flag value ...]"
FOLDER = "runs/back-translated"
OTHERS = (
    "All other flags are those of the recipe, and --recipe FILE --help lists them: they are of each run, but for the "
    f"text, and of the last one its steps and rate. --output_dir is the folder of all stages (default: {FOLDER})."
)
OWN = {
    "resume": "the same command goes on by itself",
    "init_from": "the first run begins anew, and the last one from it",
    "directions": "text is translated back in one direction; give --direction",
    "push_to_hub": "there are several runs; push the one that you choose by vaswani push",
}
"""Flags that the runs cannot have, with the reason."""
TAG = "<BT>"
NONE = "none"
"""As a tag: sources as they were translated."""
SHARE_OF_LAST = 5
"""The last run has a fifth of the steps of the first."""


class Options(NamedTuple):
    """What to translate back, and how to train on it."""

    recipe: str
    """As it was given."""
    arguments: Arguments
    """Of a run on the original text; the output_dir is the folder of all stages."""
    flags: dict[str, list[str]]
    """Of each run by name, but for its folder."""
    reverse: str
    monolingual: Path
    tag: str | None
    """Before each synthetic source."""
    search: list[str]
    """Words of `vaswani translate` on how."""
    mix: list[int]
    """How many times an epoch reads the original text and the synthetic pairs."""
    last_steps: int
    is_compared: bool
    """Whether a run without synthetic pairs is trained too."""
    launcher: list[str]


def options(argv: Sequence[str], description: str | None, read_recipe: ReadRecipe) -> Options:
    """Read the flags.

    Raises:
        SystemExit: they do not fit, or --help or --help-all asked what there is.

    """
    program = Program(description, USAGE, FOLDER, OTHERS, "runs are", add_flags)
    given = options_of_recipe(argv, program, read_recipe)
    own, flags = given.own, as_flags(given.flags)
    arguments = parse(given.recipe, [*given.flags, *ELSEWHERE])
    steps = arguments.training.max_steps
    last_steps = max(1, steps // SHARE_OF_LAST) if own.last_steps is None else own.last_steps
    tag = None if own.tag == NONE else own.tag or TAG
    try:
        check(own, flags, arguments)
        for each in (steps, last_steps):
            run = parse(
                given.recipe, [*as_words(flags | {"max_steps": [str(each)]} | tokens(arguments, tag)), *ELSEWHERE]
            )
            check_leaves_checkpoints(run.training)
    except ValueError as error:
        given.error(str(error))
    search = ["--sample", "--seed", str(arguments.training.seed)] if own.sample else ["--beams", str(own.beams)]
    flags.pop("output_dir", None)
    return Options(
        str(own.recipe), arguments, flags, own.reverse, own.monolingual, tag, search, own.mix, last_steps,
        not own.no_comparison, given.launcher,
    )  # fmt: skip


def tokens(arguments: Arguments, tag: str | None) -> dict[str, list[str]]:
    """Return the flag of the tokens of a vocabulary with a tag."""
    return {} if tag is None else {"user_tokens": list(dict.fromkeys([*arguments.data.user_tokens, tag]))}


def check(own: argparse.Namespace, flags: dict[str, list[str]], arguments: Arguments) -> None:
    """Refuse what cannot be done; raises ValueError with the way out."""
    if own.reverse is None:
        raise ValueError("say who translates back: --reverse MODEL, a model of the other direction")
    if own.monolingual is None:
        raise ValueError("say what is translated back: --monolingual FILE, text of the target language, a line each")
    if not own.monolingual.is_file():
        raise ValueError(f"--monolingual {own.monolingual} is not a file")
    refuse(flags, OWN)
    if arguments.data.directions or arguments.data.target == TREES:
        raise ValueError("text is translated back in one direction between two languages; give --direction")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that no other recipe has."""
    section = parser.add_argument_group(
        "back-translation", "What is translated back; --recipe, --reverse and --monolingual are needed."
    )
    add_recipe(section, "The recipe of the runs, whose text is the original.",
               "What starts processes that translate or train")  # fmt: skip
    section.add_argument(
        "--reverse",
        metavar="MODEL",
        help="Trained model from the target language to the source language. (default: none, it is needed)",
    )
    section.add_argument(
        "--monolingual",
        metavar="FILE",
        type=Path,
        help="Text of the target language, a sentence a line, also packed. (default: none, it is needed)",
    )
    how = section.add_mutually_exclusive_group()
    how.add_argument(
        "--beams", type=whole(1), default=4, metavar="N", help="Number of beams of the search. (default: 4)"
    )
    how.add_argument(
        "--sample",
        action="store_true",
        help="Draw each translation by its probability and --seed in place of a search. (default: no)",
    )
    section.add_argument(
        "--tag",
        metavar="TOKEN",
        help="Token that each synthetic source begins with, never split (Caswell et al. 2019); none: as they are. "
        "(default: <BT>)",
    )
    section.add_argument(
        "--mix",
        type=whole(1),
        nargs=2,
        metavar="N",
        default=[1, 1],
        help="How many times an epoch reads the original text, and the synthetic pairs. (default: 1 1)",
    )
    section.add_argument(
        "--last_steps",
        type=whole(1),
        metavar="N",
        help="Number of steps of the last run, on the original text alone. (default: a fifth of --max_steps)",
    )
    section.add_argument(
        "--no_comparison",
        action="store_true",
        help="Leave out the run on the original text alone, for as many steps, that the others are compared with. "
        "(default: no)",
    )
