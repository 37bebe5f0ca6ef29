"""The flags of recipes/distill.py that no other recipe has."""

import argparse
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from vaswani.data.trees import TREES
from vaswani.evaluation.metric_table import SENTENCE_METRICS
from vaswani.experiment.arguments import Arguments, parse
from vaswani.experiment.options_of_recipe import ELSEWHERE, Program, ReadRecipe, add_recipe, options_of_recipe, refuse
from vaswani.experiment.stages import as_flags
from vaswani.flags import shares, whole

USAGE = "%(prog)s --recipe FILE --teacher MODEL [MODEL ...] [--reverse MODEL] [--flag value ...]"
FOLDER = "runs/distilled"
BEAMS = 4
"""Of the teacher's search, where none are asked for."""
STUDENT = {"encoder_layers": 6, "decoder_layers": 2, "d_model": 256, "d_ff": 1024, "num_heads": 4}
"""The network of the student, unless flags give another; the rest of it is the recipe's."""
OTHERS = (
    "All other flags are those of the recipe, and --recipe FILE --help lists them: its text is what the teacher "
    "translates, and the student is trained as it says, with 6 encoder and 2 decoder layers, d_model 256, d_ff 1024 "
    f"and 4 heads unless flags say otherwise. --output_dir is the folder of all stages (default: {FOLDER})."
)
OWN = {
    "resume": "the same command goes on by itself",
    "init_from": "the student begins anew; train it further by a run of its own",
    "directions": "a student has one direction; give --direction",
}
"""Flags that the student's run cannot have, with the reason."""
OF_TEXT = ("dataset", "dataset_config", "data_dir", "tsv_quoting", "extra_dirs", "weights", "train_split")
"""Flags of the text that the teacher translates."""


class Options(NamedTuple):
    """What to distil, and how."""

    recipe: str
    """As it was given."""
    arguments: Arguments
    """Of the student's run as if it were trained on the original text; the output_dir is the folder of all stages."""
    teacher: list[str]
    """Models; several are an ensemble."""
    teacher_engine: str
    """torch or ctranslate2."""
    reverse: str | None
    drop_worst: Fraction
    n_best: int
    beams: int
    """Of the search that finds the translations that are taught."""
    choose_by: str
    original: int
    """How often an epoch of the student reads the original pairs too."""
    launcher: list[str]
    """The words that start a process that trains or translates."""
    student: dict[str, list[str]]
    """Flags of the student's run by name, but for its folder and text."""


def options(argv: Sequence[str], description: str | None, read_recipe: ReadRecipe) -> Options:
    """Read the flags.

    Raises:
        SystemExit: they do not fit, or --help or --help-all asked what there is.

    """
    program = Program(description, USAGE, FOLDER, OTHERS, "student's run is", add_flags)
    given = options_of_recipe(argv, program, read_recipe, lambda recipe: recipe._replace(model=recipe.model | STUDENT))
    own, flags = given.own, as_flags(given.flags)
    arguments = parse(given.recipe, [*given.flags, *ELSEWHERE])
    try:
        check(own, flags, arguments)
    except ValueError as error:
        given.error(str(error))
    student = {name: [str(value)] for name, value in STUDENT.items()} | {
        name: values for name, values in flags.items() if name not in OF_TEXT and name != "output_dir"
    }
    return Options(
        str(own.recipe), arguments, own.teacher, own.teacher_engine, own.reverse, own.drop_worst, own.n_best,
        beams_of(own), own.choose_by, own.original, given.launcher, student,
    )  # fmt: skip


def check(own: argparse.Namespace, flags: dict[str, list[str]], arguments: Arguments) -> None:
    """Refuse what cannot be distilled; raises ValueError with the way out."""
    if not own.teacher:
        raise ValueError("say who teaches: --teacher MODEL, or several models, whose probabilities are averaged")
    if beams_of(own) < own.n_best:
        raise ValueError(
            f"{own.beams} beams give no {own.n_best} translations of a line; give --beams {own.n_best} or more, or a "
            f"lower --n_best"
        )
    refuse(flags, OWN)
    if arguments.data.directions:
        raise ValueError(f"the recipe has directions {' '.join(arguments.data.directions)}; a student has one")
    if len(own.teacher) > 1 and own.teacher_engine != "torch":
        raise ValueError(
            f"{len(own.teacher)} teachers are averaged by torch only; leave out --teacher_engine {own.teacher_engine}, "
            "or give one teacher"
        )
    if arguments.data.target == TREES:
        raise ValueError("trees have no sentence BLEU by which the best translation is chosen; distil a translator")


def beams_of(own: argparse.Namespace) -> int:
    """Return the beams of the teacher's search."""
    return max(BEAMS, own.n_best) if own.beams is None else own.beams


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that no other recipe has."""
    section = parser.add_argument_group("distillation", "Who teaches, and what; --recipe and --teacher are needed.")
    add_recipe(section, "The recipe whose text is taught, and by which the student is trained.",
               "What starts processes that translate or train")  # fmt: skip
    section.add_argument(
        "--teacher",
        metavar="MODEL",
        nargs="+",
        help="Trained model, or several as one, that translates the sources of the training text. (default: none, it "
        "is needed)",
    )
    section.add_argument(
        "--teacher_engine",
        choices=("torch", "ctranslate2"),
        default="torch",
        help="What the teacher translates by; for ctranslate2 it is exported in float32 first. (default: torch)",
    )
    section.add_argument(
        "--n_best",
        type=whole(1),
        default=8,
        metavar="N",
        help="Translations of each line, of which the best by its reference is taught; 1: the first one. (default: 8)",
    )
    section.add_argument(
        "--beams",
        type=whole(1),
        metavar="K",
        help="Beams of the teacher's search; with --n_best 1, fewer are faster. (default: N, and at least 4)",
    )
    section.add_argument(
        "--choose_by",
        choices=tuple(SENTENCE_METRICS),
        default="bleu",
        help="The score of sentences by which the best is chosen. (default: bleu)",
    )
    section.add_argument(
        "--original",
        type=whole(0),
        default=0,
        metavar="TIMES",
        help="How often an epoch of the student reads the original pairs, and what is taught once; 0: it does not. "
        "(default: 0)",
    )
    section.add_argument(
        "--reverse",
        metavar="MODEL",
        help="Model of the other direction; the share --drop_worst of the pairs to which it gives the highest "
        "cross-entropy is left out. (default: none, all pairs are taught)",
    )
    section.add_argument(
        "--drop_worst",
        type=shares(),
        default=Fraction("0.05"),
        metavar="SHARE",
        help="With --reverse, the share of the pairs that is left out. (default: 1/20)",
    )
