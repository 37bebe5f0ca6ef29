"""From a recipe's configuration and the command line to checked arguments: every field is a flag of the same name."""

import argparse
import difflib
import os
import sys
from argparse import SUPPRESS
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, field, fields, make_dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, get_type_hints

from transformers import HfArgumentParser

from vaswani.data import scripts_of
from vaswani.data.line_breaks import LINE_BREAKS
from vaswani.data.tables import check_quoting
from vaswani.data.tokenizer import SPECIAL_TOKENS
from vaswani.data.trees import TREES
from vaswani.data.user_tokens import check_tokens, split_tokens
from vaswani.evaluation.metric_table import METRICS, Kind, in_every_validation, of_kind
from vaswani.modeling import VaswaniConfig
from vaswani.publishing import Target, hide_tokens
from vaswani.training import TrainingEndedError, VaswaniTrainingArguments
from vaswani.training.renamed import rename_fields, rename_flags

from .help import NETWORK, USAGE, Flag, format_help

_NOT_A_DIMENSION = {"is_encoder_decoder", "tie_word_embeddings", "use_cache"}
MODEL_FIELDS = tuple(
    name for name in VaswaniConfig.__annotations__ if name not in _NOT_A_DIMENSION and not name.endswith("_token_id")
)


def default_cache() -> str:
    """Return the folder that $VASWANI_CACHE names, or the usual cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return os.environ.get("VASWANI_CACHE") or str(Path(home) / "vaswani")


@dataclass
class DataArguments:
    """Where the pairs come from, which are kept, and how they become batches."""

    dataset: str | None = field(
        default=None, metadata={"help": "A data set on the Hub, or grammar, the built-in corpus."}
    )
    dataset_config: str | None = field(
        default=None, metadata={"help": "Configuration of that data set, such as de-en of wmt/wmt14."}
    )
    data_dir: str | None = field(
        default=None,
        metadata={"help": "In place of --dataset, a folder of files: train.en and train.de, train.tsv or train.jsonl "
                          "(also .gz, .bz2, .xz, .zst, .lz4), or train.parquet; the other splits likewise. For trees, "
                          "train.mrg or folders of .mrg files, where 02-21 names sections."},
    )  # fmt: skip
    tsv_quoting: str | None = field(
        default=None,
        metadata={"help": "What quotation marks in TSV files mean: none, they are text; spreadsheet, cells are "
                          "quoted, as spreadsheets and pandas write them."},
    )  # fmt: skip
    direction: str = field(
        default="en-de",
        metadata={"help": "Two languages, named like the columns or file endings; en-trees is parsing."},
    )
    train_split: str = field(default="train", metadata={"help": "Split to train on."})
    validation_split: str = field(
        default="validation",
        metadata={"help": "Split by which the weights are chosen; its files may also be called val or dev."},
    )
    test_splits: list[str] = field(
        default_factory=lambda: ["test"],
        metadata={"help": "One or several splits that are translated and scored at the end."},
    )
    max_tokens: int = field(
        default=256, metadata={"help": "Most tokens of a pair on each side; longer pairs are dropped, never cut."}
    )
    max_ratio: float = field(
        default=3.0,
        metadata={"help": "Largest ratio of the longer side to the shorter, in tokens, not counting 5 free ones; more "
                          "uneven pairs are dropped."},
    )  # fmt: skip
    line_breaks: str = field(
        default="space",
        metadata={"help": "Line breaks inside a text, as JSON and parquet may hold: space reads them as spaces, also "
                          "in scored text; drop drops the pair."},
    )  # fmt: skip
    drop_html: bool = field(
        default=False, metadata={"help": "Drop training pairs with HTML or XML tags, or &amp; and the like."}
    )
    check_script: bool = field(
        default=False,
        metadata={"help": "Drop training pairs with a side that is mostly not in its language's script."},
    )
    drop_duplicates: bool = field(
        default=False,
        metadata={"help": "Drop training pairs that repeat an earlier one; reads all text once beforehand."},
    )
    drop_test_text: bool = field(
        default=False,
        metadata={"help": "Drop training pairs with a side that occurs in the validation or a test set, ignoring case "
                          "and white space."},
    )  # fmt: skip
    extra_dirs: list[str] = field(
        default_factory=list,
        metadata={"help": "Further folders of training text, in the forms of --data_dir; only their --train_split."},
    )
    weights: list[int] = field(
        default_factory=list,
        metadata={"help": "How many times an epoch reads the training split and each of --extra_dirs."},
    )
    tokens_per_batch: int = field(
        default=4096, metadata={"help": "Most tokens of a micro-batch, on each side, padding included."}
    )
    widths: list[int] = field(
        default_factory=list,
        metadata={"help": "Pad both sides of a batch to one of these lengths in tokens (rising, the last at least "
                          "--max_tokens) and fill it up to --tokens_per_batch: one shape per length, for "
                          "--torch_compile and CUDA graphs."},
    )  # fmt: skip
    streams: int = field(
        default=1,
        metadata={"help": "Streams that the text is split into; each process and loader worker reads its own. 32 or "
                          "64 for large corpora and many processes."},
    )  # fmt: skip
    window_groups: int = field(
        default=64, metadata={"help": "Row groups, of 1,000 pairs each, that are shuffled together."}
    )
    max_unreadable: float = field(
        default=0.001,
        metadata={"help": "Share of the rows that may be damaged, malformed or not UTF-8; beyond it the run ends."},
    )
    source_timeout: float = field(
        default=600, metadata={"help": "Seconds to retry a network that does not answer, before the run ends."}
    )
    tokenizer_pairs: int = field(
        default=2_000_000,
        metadata={"help": "Most pairs from which the vocabulary is learned, sampled by row groups, to limit memory "
                          "and time."},
    )  # fmt: skip
    user_tokens: list[str] = field(
        default_factory=list,
        metadata={"help": "Tokens of the vocabulary that are never split nor joined with their neighbours, such as "
                          '"<2de> <BT>". They are text and stay in the output; --vocab_size counts them.'},
    )  # fmt: skip
    packed_cache: bool = field(
        default=False,
        metadata={"help": "Keep the encoded text on disk, so that from the second epoch on nothing is read or encoded "
                          "again; the size is reported first."},
    )  # fmt: skip
    cache_dir: str = field(
        default_factory=default_cache,
        metadata={"help": "Folder in which vocabularies, places of duplicates and packed text are kept for later runs; "
                          "$VASWANI_CACHE sets it too."},
    )  # fmt: skip

    def __post_init__(self) -> None:
        if len(self.direction.split("-")) != 2 or "" in self.direction.split("-"):
            raise ValueError(
                f"direction is {self.direction!r}; two languages joined by a hyphen are needed, such as en-de"
            )
        check_quoting(self.tsv_quoting)
        if self.line_breaks not in LINE_BREAKS:
            raise ValueError(f"--line_breaks is {self.line_breaks!r}. Give one of: {', '.join(LINE_BREAKS)}.")
        if self.weights and len(self.weights) != 1 + len(self.extra_dirs):
            raise ValueError(
                f"weights are {self.weights}; {1 + len(self.extra_dirs)} are needed: one for the training split, then "
                f"one for each of the {len(self.extra_dirs)} extra_dirs"
            )
        self.user_tokens = split_tokens(self.user_tokens)
        check_tokens(self.user_tokens, SPECIAL_TOKENS)
        if self.user_tokens and self.target == TREES:
            raise ValueError(f"--user_tokens are {' '.join(self.user_tokens)}, and trees have tokens of their own: "
                             "leave them out")  # fmt: skip
        if self.check_script:
            for language in (self.source, self.target):
                scripts_of(language)

    @property
    def source(self) -> str:
        """The language translated from."""
        return self.direction.split("-")[0]

    @property
    def target(self) -> str:
        """The language translated to."""
        return self.direction.split("-")[1]

    @property
    def quality(self) -> str:
        """The metric by which outputs are judged, by its name in the log: BLEU, or F1 for trees."""
        return in_every_validation(self.outputs)[0].key

    @property
    def outputs(self) -> Kind:
        """What the outputs are."""
        return Kind.PARSES if self.target == TREES else Kind.TRANSLATIONS


class Arguments(NamedTuple):
    """The settings of one run."""

    model: dict[str, Any]
    """Fields of `VaswaniConfig`."""
    data: DataArguments
    training: VaswaniTrainingArguments


class Recipe(NamedTuple):
    """One experiment: how it differs from the paper's base run."""

    description: str | None
    """The recipe's docstring, shown by --help."""
    model: dict[str, Any]
    """Fields of `VaswaniConfig`."""
    data: dict[str, Any]
    """Fields of `DataArguments`."""
    training: dict[str, Any]
    """Fields of `VaswaniTrainingArguments`."""


def parse(
    recipe: Recipe,
    argv: Sequence[str] | None = None,
    add_flags: Callable[[argparse.ArgumentParser], None] | None = None,
) -> Arguments:
    """Override the paper's defaults by a recipe, and the recipe by the command line (by default this process's).

    Args:
        recipe: gives the defaults.
        argv: the command line.
        add_flags: declares flags that --help shows before those of any recipe; they are not read here.

    Raises:
        SystemExit: a flag is unknown or a value does not fit; the message on stderr says which, and which flags are
            similar. Or --help or --help-all was given.
        TypeError: the recipe itself names a field that does not exist.

    """
    by_default = VaswaniConfig()
    derived = {"d_k", "d_v"}  # from d_model and num_heads, unless given
    model_arguments: Any = make_dataclass(
        "ModelArguments",
        [
            (name, float if isinstance(getattr(by_default, name), float) else VaswaniConfig.__annotations__[name],
             field(default=None if name in derived else getattr(by_default, name), metadata={"help": NETWORK[name]}))
            for name in MODEL_FIELDS
        ],
    )  # fmt: skip
    sections: list[tuple[Any, dict[str, Any]]] = [
        (model_arguments, recipe.model),
        (DataArguments, rename_fields(recipe.data, "the recipe")),
        (VaswaniTrainingArguments, rename_fields(recipe.training, "the recipe")),
    ]
    parser = _Parser([section for section, _ in sections], recipe.description, add_flags)
    for section, values in sections:
        if unknown := values.keys() - {each.name for each in fields(section)}:
            raise TypeError(f"{section.__name__} has no field {', '.join(sorted(unknown))}")
        parser.set_defaults(**values)
        parser.recipe |= values
    flags = rename_flags(sys.argv[1:] if argv is None else argv)
    try:
        *parsed, remaining = parser.parse_args_into_dataclasses(flags, return_remaining_strings=True)
        if remaining:
            parser.error(f"unknown: {hide_tokens(' '.join(remaining))}{parser.nearest(remaining[0])}")
        dimensions, chosen, trained = dict(vars(parsed[0])), parsed[1], parsed[2]
        if chosen.data_dir is not None and not is_given("--dataset", flags):
            chosen.dataset = None  # a folder named on the command line takes the place of the recipe's data set
        metric = str(trained.metric_for_best_model).removeprefix("eval_")
        if metric in METRICS and METRICS[metric].kind is not chosen.outputs:
            raise ValueError(
                f"--metric_for_best_model is {metric}, but text in {chosen.target!r} is scored by "
                f"{METRICS[chosen.quality].name}: give {', '.join(each.key for each in of_kind(chosen.outputs))}, loss "
                "or perplexity"
            )
        if chosen.dataset != recipe.data.get("dataset") and not is_given("--dataset_config", flags):
            chosen.dataset_config = None  # the recipe's value belongs to its own data set
        trained.output_dir = str(trained.output_dir).replace("{direction}", chosen.direction)
        if trained.push_to_hub and not trained.hub_model_id:
            raise ValueError("--push_to_hub needs a repository: give --hub_model_id OWNER/NAME")
        if trained.push_to_hub:
            Target(trained.hub_model_id)  # checks the name
        VaswaniConfig(**dimensions)  # checked before anything is built or read
    except ValueError as error:
        parser.error(str(error))
    except TrainingEndedError as error:  # before it began
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from error
    return Arguments(dimensions, chosen, trained)


class _Parser(HfArgumentParser):
    """Shows a recipe's flags by group, and ends the process with the message as the cause, for a launcher to repeat."""

    def __init__(
        self,
        sections: Sequence[Any],
        description: str | None,
        add_flags: Callable[[argparse.ArgumentParser], None] | None,
    ) -> None:
        super().__init__(sections, description=description, usage=USAGE, allow_abbrev=False, add_help=False)
        self.sections, self.add_flags = sections, add_flags
        self.recipe: dict[str, Any] = {}
        self.add_argument("-h", "--help", action="help")
        self.add_argument("--help-all", "--help_all", action=_HelpAll, nargs=0, dest=SUPPRESS, default=SUPPRESS)

    def format_help(self) -> str:
        """Return what --help shows."""
        return self.format_flags(everything=False)

    def format_flags(self, everything: bool) -> str:
        """Return what --help shows, or --help-all."""
        flags = [
            Flag(each.name, kinds[each.name], each.metadata.get("help"), self.recipe.get(each.name, default_of(each)))
            for section in self.sections
            for kinds in [get_type_hints(section)]
            for each in fields(section)
        ]
        return format_help(self.prog, self.description, flags, everything, self.add_flags)

    def error(self, message: str) -> NoReturn:
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
        assert isinstance(parser, _Parser)
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
