"""From a recipe's configuration and the command line to checked arguments: every field is a flag of its name."""

import difflib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, make_dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from transformers import HfArgumentParser

from vaswani.data import scripts_of
from vaswani.data.line_breaks import LINE_BREAKS
from vaswani.data.tables import check_quoting
from vaswani.data.tokenizer import SPECIAL_TOKENS
from vaswani.data.trees import TREES
from vaswani.data.user_tokens import check_tokens, split_tokens
from vaswani.modeling import VaswaniConfig
from vaswani.publishing import Target, hide_tokens
from vaswani.training import TrainingEndedError, VaswaniTrainingArguments
from vaswani.training.quality import NAMES, QUALITIES

_NOT_A_DIMENSION = {"is_encoder_decoder", "tie_word_embeddings", "use_cache"}
MODEL_FIELDS = tuple(
    name for name in VaswaniConfig.__annotations__ if name not in _NOT_A_DIMENSION and not name.endswith("_token_id")
)


def default_cache() -> str:
    """Return the folder that $VASWANI_CACHE names, or the usual one for caches."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return os.environ.get("VASWANI_CACHE") or str(Path(home) / "vaswani")


@dataclass
class DataArguments:
    """Where the pairs come from, which are kept, and how they become batches."""

    dataset: str | None = field(
        default=None, metadata={"help": '"grammar", the built-in corpus, or a name on the Hub.'}
    )
    dataset_config: str | None = field(default=None, metadata={"help": "Its configuration, e.g. de-en for wmt/wmt14."})
    data_dir: str | None = field(
        default=None,
        metadata={"help": "In place of --dataset, a folder of files: train.en and train.de, train.tsv or train.jsonl "
                          "(also .gz, .bz2, .xz, .zst, .lz4), or train.parquet; the other splits likewise. For trees, "
                          "train.mrg or folders of .mrg files, where 02-21 names sections."},
    )  # fmt: skip
    tsv_quoting: str | None = field(
        default=None,
        metadata={"help": "What quotation marks are in TSV files: none, they are text; spreadsheet, spreadsheets or "
                          "pandas have put cells between them. By default text, and a file that looks as if quoted is "
                          "refused."},
    )  # fmt: skip
    direction: str = field(
        default="en-de",
        metadata={"help": "SOURCE-TARGET: two languages, named as the columns or file endings are; en-trees parses."},
    )
    train_split: str = "train"
    validation_split: str = "validation"
    test_splits: list[str] = field(default_factory=lambda: ["test"], metadata={"help": "One or several."})
    max_tokens: int = field(default=256, metadata={"help": "Longer pairs are dropped and counted, never cut."})
    max_ratio: float = field(default=3.0, metadata={"help": "Pairs more uneven than this are dropped and counted."})
    line_breaks: str = field(
        default="space",
        metadata={"help": "Line breaks inside a text, as JSON and parquet may hold: space reads them so, in what is "
                          "scored too; drop drops and counts the pair."},
    )  # fmt: skip
    drop_html: bool = field(
        default=False, metadata={"help": "Drop and count training pairs with HTML or XML tags, or &amp; and the like."}
    )
    check_script: bool = field(
        default=False,
        metadata={"help": "Drop and count training pairs of which a side is mostly not in its language's script."},
    )
    drop_duplicates: bool = field(
        default=False,
        metadata={"help": "Drop and count training pairs that repeat an earlier one; reads all text once beforehand."},
    )
    drop_test_text: bool = field(
        default=False,
        metadata={"help": "Drop and count training pairs of which a side stands in the validation or a test set, case "
                          "and white space aside."},
    )  # fmt: skip
    extra_dirs: list[str] = field(
        default_factory=list,
        metadata={"help": "Further folders of training text, in the forms of --data_dir; only their --train_split."},
    )
    weights: list[int] = field(
        default_factory=list,
        metadata={"help": "How often an epoch reads the training split and each of --extra_dirs; by default once."},
    )
    tokens_per_batch: int = field(
        default=4096, metadata={"help": "Token budget of a micro-batch, on each side, padding included."}
    )
    widths: list[int] = field(
        default_factory=list,
        metadata={"help": "Pad both sides of a batch to one of these lengths, rising, the last at least --max_tokens, "
                          "and fill it up to --tokens_per_batch: so many shapes and no more, for --torch_compile and "
                          "CUDA graphs. By default as little padding as can be, and any shape."},
    )  # fmt: skip
    streams: int = field(default=1, metadata={"help": "Independent streams; 64 for large corpora and many processes."})
    window_groups: int = field(default=64, metadata={"help": "Row groups (of 1,000 pairs) mixed at a time."})
    max_unreadable: float = field(
        default=0.001,
        metadata={"help": "Share of the rows that may be damaged, malformed or not UTF-8; beyond it the run stops."},
    )
    source_patience: float = field(
        default=600, metadata={"help": "Seconds to try a network that does not answer before the run ends."}
    )
    tokenizer_pairs: int = field(
        default=2_000_000,
        metadata={"help": "Learn the vocabulary from so many pairs at most, drawn by row groups, so that memory and "
                          "time have a bound."},
    )  # fmt: skip
    user_symbols: list[str] = field(
        default_factory=list,
        metadata={"help": "Entries of the vocabulary that are never split nor joined with what stands beside them, as "
                          '"<2de> <BT>". They are text and stay in what is decoded; --vocab_size counts them.'},
    )  # fmt: skip
    packed_cache: bool = field(
        default=False,
        metadata={"help": "Keep the encoded text on disk, so that from the second epoch on nothing is read or encoded "
                          "again; the size is told first."},
    )  # fmt: skip
    cache_dir: str = field(
        default_factory=default_cache,
        metadata={"help": "Where vocabularies, places of duplicates and packed text are kept for later runs; by "
                          "default $VASWANI_CACHE, or vaswani in the user's cache folder."},
    )  # fmt: skip

    def __post_init__(self) -> None:
        if len(self.direction.split("-")) != 2 or "" in self.direction.split("-"):
            raise ValueError(f"direction is {self.direction!r}; two languages joined by a hyphen are needed, as en-de")
        check_quoting(self.tsv_quoting)
        if self.line_breaks not in LINE_BREAKS:
            raise ValueError(f"--line_breaks is {self.line_breaks!r}. Give one of: {', '.join(LINE_BREAKS)}.")
        if self.weights and len(self.weights) != 1 + len(self.extra_dirs):
            raise ValueError(
                f"weights are {self.weights}; {1 + len(self.extra_dirs)} are needed: one of the training split, then "
                f"one of each of the {len(self.extra_dirs)} extra_dirs"
            )
        self.user_symbols = split_tokens(self.user_symbols)
        check_tokens(self.user_symbols, SPECIAL_TOKENS)
        if self.user_symbols and self.target == TREES:
            raise ValueError(f"--user_symbols are {' '.join(self.user_symbols)}, and trees have symbols of their own: "
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
        """The figure by which outputs are judged, by its name in the log: BLEU, or of trees F1."""
        return "f1" if self.target == TREES else "bleu"


class Arguments(NamedTuple):
    """What one run is told."""

    model: dict[str, Any]
    """Fields of `VaswaniConfig`."""
    data: DataArguments
    training: VaswaniTrainingArguments


class Recipe(NamedTuple):
    """One experiment: what in it differs from the paper's base run."""

    description: str | None
    """The recipe's docstring, shown by --help."""
    model: dict[str, Any]
    """Fields of `VaswaniConfig`."""
    data: dict[str, Any]
    """Fields of `DataArguments`."""
    training: dict[str, Any]
    """Fields of `VaswaniTrainingArguments`."""


def parse(recipe: Recipe, argv: Sequence[str] | None = None) -> Arguments:
    """Lay the command line, by default that of this process, over a recipe, and that over the paper's defaults.

    Raises:
        SystemExit: a flag is unknown or a value does not fit; the message on stderr says which, and what is near.
        TypeError: the recipe itself names a field that does not exist.

    """
    by_default = VaswaniConfig()
    derived = {"d_k", "d_v"}  # from d_model and num_heads, unless given
    model_arguments: Any = make_dataclass(
        "ModelArguments",
        [
            (name, float if isinstance(getattr(by_default, name), float) else VaswaniConfig.__annotations__[name],
             field(default=None if name in derived else getattr(by_default, name)))
            for name in MODEL_FIELDS
        ],
    )  # fmt: skip
    sections: list[tuple[Any, dict[str, Any]]] = [
        (model_arguments, recipe.model),
        (DataArguments, recipe.data),
        (VaswaniTrainingArguments, recipe.training),
    ]
    parser = _Parser(
        [section for section, _ in sections], description=recipe.description, usage="%(prog)s [--flag value ...]",
        allow_abbrev=False,
    )  # fmt: skip
    for section, values in sections:
        if unknown := values.keys() - {each.name for each in fields(section)}:
            raise TypeError(f"{section.__name__} has no field {', '.join(sorted(unknown))}")
        parser.set_defaults(**values)
    flags = list(sys.argv[1:] if argv is None else argv)
    try:
        *parsed, remaining = parser.parse_args_into_dataclasses(flags, return_remaining_strings=True)
        if remaining:
            parser.error(f"unknown: {hide_tokens(' '.join(remaining))}{_nearest(remaining[0], parser)}")
        dimensions, chosen, trained = dict(vars(parsed[0])), parsed[1], parsed[2]
        if chosen.data_dir is not None and not is_given("--dataset", flags):
            chosen.dataset = None  # a folder named on the command line takes the place of the recipe's data set
        metric, quality = str(trained.metric_for_best_model).removeprefix("eval_"), chosen.quality
        others = [] if quality == "f1" else [name for name in NAMES if name not in QUALITIES]
        if metric in NAMES and metric not in (quality, *others):
            raise ValueError(
                f"--metric_for_best_model is {metric}, and what is in {chosen.target!r} is scored by {NAMES[quality]}: "
                f"give {', '.join([quality, *others])}, loss or perplexity"
            )
        if chosen.dataset != recipe.data.get("dataset") and not is_given("--dataset_config", flags):
            chosen.dataset_config = None  # the recipe's is one of its own data set
        trained.output_dir = str(trained.output_dir).replace("{direction}", chosen.direction)
        if trained.push_to_hub and not trained.hub_model_id:
            raise ValueError("--push_to_hub has to know where: give --hub_model_id OWNER/NAME")
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
    """Ends the process with the message as the cause, so that a launcher can be told too."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        print(f"{self.prog}: error: {message}", file=sys.stderr)
        raise SystemExit(2) from ValueError(message)


def is_given(name: str, flags: Sequence[str]) -> bool:
    """Tell whether a flag is on a command line, in any of its spellings."""
    return any(spelled(flag) == spelled(name) for flag in flags)


def spelled(flag: str) -> str:
    """Return a flag without its value, in one spelling: dashes and underscores are the same to the parser."""
    return flag.partition("=")[0].replace("-", "_")


def _nearest(flag: str, parser: _Parser) -> str:
    known = [option for action in parser._actions for option in action.option_strings]
    near = difflib.get_close_matches(flag.split("=")[0], known, n=3)
    return f"; near it are {', '.join(near)}" if near else "; --help lists every flag"
