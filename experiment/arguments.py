"""From a recipe's configuration and the command line to checked arguments: every field is a flag of the same name."""

import argparse
import difflib
import re
import shlex
import sys
from argparse import SUPPRESS
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, field, fields, make_dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, get_type_hints

from transformers import HfArgumentParser

from vaswani.data import scripts_of
from vaswani.data.directions import TextOfDirection, tags_of, texts_of
from vaswani.data.folders import known_forms
from vaswani.data.line_breaks import LINE_BREAKS
from vaswani.data.tables import check_quoting
from vaswani.data.tokenizer import SPECIAL_TOKENS
from vaswani.data.trees import TREES
from vaswani.data.user_tokens import check_tokens, split_tokens
from vaswani.evaluation.metric_table import METRICS, PROTOCOLS, Kind, in_every_validation, of_kind
from vaswani.modeling import VaswaniConfig
from vaswani.publishing import Target, hide_tokens
from vaswani.storage.cache_folder import default_cache
from vaswani.training import TrainingEndedError, VaswaniTrainingArguments
from vaswani.training.argument_checks import metric_of
from vaswani.training.renamed import rename_fields, rename_flags

from .help import NETWORK, SHOW, SHOW_ALL, USAGE, Flag, format_help

_NOT_A_DIMENSION = {"is_encoder_decoder", "tie_word_embeddings", "use_cache"}
MODEL_FIELDS = tuple(
    name for name in VaswaniConfig.__annotations__ if name not in _NOT_A_DIMENSION and not name.endswith("_token_id")
)


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
        metadata={"help": f"In place of --dataset, a folder of files: {known_forms('en', 'de')}. For trees, train.mrg "
                          "or folders of .mrg files, where 02-21 names sections."},
    )  # fmt: skip
    tsv_quoting: str | None = field(
        default=None,
        metadata={"help": "What quotation marks in TSV files mean: none, they are text; spreadsheet, cells are "
                          "quoted, as spreadsheets and pandas write them."},
    )  # fmt: skip
    direction: str = field(
        default="en-de",
        metadata={"help": "Two languages, named as the columns or file endings are; en-trees parses."},
    )
    directions: list[str] = field(
        default_factory=list,
        metadata={"help": "In place of --direction, several directions in one run, such as en-de de-en. Each reads the "
                          "run's text, or a folder of its own: en-fr=FOLDER. Where they have several target languages, "
                          "each source begins with a tag, such as >>de<<. The first direction chooses the weights."},
    )  # fmt: skip
    temperature: float | None = field(
        default=None,
        metadata={"help": "In place of --weights, mix directions of n pairs by n^(1/temperature), 1 or more, in whole "
                          "readings an epoch; larger reads small directions more often, 5 is usual."},
    )  # fmt: skip
    train_split: str = field(default="train", metadata={"help": "Split to train on."})
    validation_split: str = field(
        default="validation",
        metadata={"help": "Split by which the weights are chosen; its files may also be called val or dev."},
    )
    validation_splits: list[str] = field(
        default_factory=list,
        metadata={"help": "Further validation sets that are measured beside --validation_split and choose nothing, "
                          "each as NAME=FOLDER, whose --validation_split is read."},
    )  # fmt: skip
    test_splits: list[str] = field(
        default_factory=lambda: ["test"],
        metadata={
            "help": "One or several splits that are translated and scored at the end; NAME=FOLDER is the split "
            "test of another folder."
        },
    )
    score_as: str | None = field(
        default=None,
        metadata={"help": "Score translations of test sets also as the papers on a task do: multi30k, iwslt14, wmt14 "
                          "or sacrebleu, as `vaswani score --as`."},
    )  # fmt: skip
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
    bpe_dropout: float = field(
        default=0.0,
        metadata={"help": "BPE-dropout: the probability that a merge is left out where a word of the training text is "
                          "encoded, anew in each epoch; 0.1 in its paper."},
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
        texts = texts_of(self.directions)
        if texts:
            self.direction = texts[0].direction
            self.user_tokens = list(dict.fromkeys([*self.user_tokens, *self.tags.values()]))
        if len(self.direction.split("-")) != 2 or "" in self.direction.split("-"):
            raise ValueError(
                f"direction is {self.direction!r}; two languages joined by a hyphen are needed, such as en-de"
            )
        check_quoting(self.tsv_quoting)
        if self.line_breaks not in LINE_BREAKS:
            raise ValueError(f"--line_breaks is {self.line_breaks!r}. Give one of: {', '.join(LINE_BREAKS)}.")
        if self.score_as is not None and self.score_as not in PROTOCOLS:
            raise ValueError(f"--score_as is {self.score_as!r}. Give one of: {', '.join(PROTOCOLS)}.")
        check_directions(self)
        if self.weights and not texts and len(self.weights) != 1 + len(self.extra_dirs):
            raise ValueError(
                f"weights are {self.weights}; {1 + len(self.extra_dirs)} are needed: one for the training split, then "
                f"one for each of the {len(self.extra_dirs)} extra_dirs"
            )
        self.user_tokens = split_tokens(self.user_tokens)
        check_tokens(self.user_tokens, SPECIAL_TOKENS)
        if self.user_tokens and self.target == TREES:
            raise ValueError(f"--user_tokens are {' '.join(self.user_tokens)}, and trees have tokens of their own: "
                             "leave them out")  # fmt: skip
        named_folders(self.validation_splits)
        check_test_splits(self.test_splits)
        if self.check_script:
            for language in (self.source, self.target):
                scripts_of(language)

    @property
    def tags(self) -> dict[str, str]:
        """What each source begins with, by its target language; nothing where all have one target."""
        return tags_of(each.direction for each in texts_of(self.directions))

    def of_each_text(self) -> list["DataArguments"]:
        """Return the arguments of each text of --directions, in its own direction and place; or these alone."""
        return [self.in_direction(each) for each in texts_of(self.directions)] or [self]

    def of_each_direction(self) -> dict[str, "DataArguments"]:
        """Return the arguments of the first text of each direction, by direction."""
        found: dict[str, DataArguments] = {}
        for each in self.of_each_text():
            found.setdefault(each.direction, each)
        return found

    def in_direction(self, text: TextOfDirection) -> "DataArguments":
        """Return the arguments of one text of --directions."""
        alone: dict[str, Any] = {"directions": [], "temperature": None, "weights": [], "validation_splits": []}
        found = replace(self, direction=text.direction, **alone)
        return found if text.folder is None else found.in_folder(text.folder)

    def in_folder(self, folder: str) -> "DataArguments":
        """Return the arguments of a text in another folder."""
        return replace(self, data_dir=folder, dataset=None, dataset_config=None)

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


def check_directions(data: DataArguments) -> None:
    """Make sure that what is given beside --directions goes together with it; raises ValueError if not."""
    if not data.directions:
        if data.temperature is not None:
            raise ValueError("--temperature mixes the directions of --directions, which is not given")
        return
    texts = texts_of(data.directions)
    if data.extra_dirs:
        raise ValueError(
            f"--extra_dirs are {' '.join(data.extra_dirs)}, and with --directions each text needs its direction: give "
            f"--directions {texts[0].direction} {texts[0].direction}={data.extra_dirs[0]} ..."
        )
    if TREES in {language for each in texts for language in each.direction.split("-")}:
        raise ValueError(f"--directions are {' '.join(data.directions)}, and trees are parsed alone: give --direction")
    if data.temperature is not None and data.weights:
        raise ValueError("--weights and --temperature both say how often each text is read; give one of them")
    if data.temperature is not None and not data.temperature >= 1:
        raise ValueError(f"--temperature is {data.temperature}; give 1, every pair as often, or more")
    if data.weights and len(data.weights) != len(texts):
        raise ValueError(f"weights are {data.weights}; {len(texts)} are needed: one for each of --directions")
    if data.check_script and len({tuple(map(scripts_of, each.direction.split("-"))) for each in texts}) > 1:
        raise ValueError(
            f"--check_script knows the scripts of one direction, and --directions {' '.join(data.directions)} differ "
            "in theirs: clean the text beforehand, or leave it out"
        )


def named_folders(sets: Sequence[str], flag: str = "--validation_splits") -> dict[str, str]:
    """Return the folders of sets that a flag gives as NAME=FOLDER, by name.

    Raises:
        ValueError: one is not NAME=FOLDER, or two have one name.

    """
    found: dict[str, str] = {}
    for each in sets:
        name, _, folder = each.partition("=")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name) or not folder:
            raise ValueError(f"{flag} has {each!r}; give NAME=FOLDER, the name in letters, digits, '-', '_' and '.'")
        if name in found:
            raise ValueError(f"{flag} has two sets called {name}; give each a name of its own")
        found[name] = folder
    return found


def check_test_splits(given: Sequence[str]) -> None:
    """Make sure that each test set has a name of its own; raises ValueError if not."""
    named_folders([each for each in given if "=" in each], "--test_splits")
    names = [each.partition("=")[0] for each in given]
    for each in names:
        if names.count(each) > 1:
            raise ValueError(f"--test_splits has two sets called {each}; give each a name of its own")


class Arguments(NamedTuple):
    """The settings of one run."""

    model: dict[str, Any]
    """Fields of `VaswaniConfig`."""
    data: DataArguments
    training: VaswaniTrainingArguments
    given: frozenset[str] = frozenset()
    """Fields that the command line set, not the recipe."""


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
    flags = rename_flags(sys.argv[1:] if argv is None else argv)
    sections: list[tuple[Any, dict[str, Any]]] = [
        (network_fields(), recipe.model),
        (DataArguments, without_displaced(rename_fields(recipe.data, "the recipe"), flags)),
        (VaswaniTrainingArguments, rename_fields(recipe.training, "the recipe")),
    ]
    parser = _Parser([section for section, _ in sections], recipe.description, add_flags)
    for section, values in sections:
        if unknown := values.keys() - {each.name for each in fields(section)}:
            raise TypeError(f"{section.__name__} has no field {', '.join(sorted(unknown))}")
        parser.set_defaults(**values)
        parser.recipe |= values
    try:
        network, data, training, remaining = parser.parse_args_into_dataclasses(
            flags, return_remaining_strings=True, look_for_args_file=False
        )
        check_no_args_file(sys.argv[0])
        if remaining:
            parser.error(f"unknown: {hide_tokens(' '.join(remaining))}{parser.nearest(remaining[0])}")
        named = [each.name for section, _ in sections for each in fields(section)]
        given = frozenset(name for name in named if is_given(f"--{name}", flags))
        arguments = Arguments(dict(vars(network)), data, training, given)
        follow(arguments, recipe, flags)
        check_together(arguments)
    except ValueError as error:
        parser.error(str(error))
    except TrainingEndedError as error:  # before it began
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from error
    return arguments


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


def network_fields() -> Any:
    """Return a dataclass of the fields of `VaswaniConfig` that a recipe may give, with their help."""
    by_default = VaswaniConfig()
    derived = {"d_k", "d_v"}  # from d_model and num_heads, unless given
    return make_dataclass(
        "ModelArguments",
        [
            (name, float if isinstance(getattr(by_default, name), float) else VaswaniConfig.__annotations__[name],
             field(default=None if name in derived else getattr(by_default, name), metadata={"help": NETWORK[name]}))
            for name in MODEL_FIELDS
        ],
    )  # fmt: skip


def without_displaced(data: dict[str, Any], flags: Sequence[str]) -> dict[str, Any]:
    """Return a recipe's fields of `DataArguments` but for those of its text that the command line replaces.

    The folders that it reads beside its own text belong to that text; --directions names a text for each direction.
    """
    is_other = is_given("--dataset", flags) or is_given("--data_dir", flags)
    displaced = {"extra_dirs", "weights"} if is_other or is_given("--directions", flags) else set()
    if is_other:
        displaced |= {"validation_splits"}
    if is_given("--dataset", flags):
        displaced |= {"data_dir"}
    found = {name: value for name, value in data.items() if name not in displaced}
    if is_other and "test_splits" in found:
        found["test_splits"] = [each for each in found["test_splits"] if "=" not in each]
    return found


def follow(arguments: Arguments, recipe: Recipe, flags: Sequence[str]) -> None:
    """Set what follows from flags: which of the recipe's corpora they leave, and the folder's name."""
    data, training = arguments.data, arguments.training
    if data.data_dir is not None and not is_given("--dataset", flags):
        data.dataset = None  # a folder named on the command line takes the place of the recipe's data set
    if data.dataset != recipe.data.get("dataset") and not is_given("--dataset_config", flags):
        data.dataset_config = None  # the recipe's value belongs to its own data set
    training.output_dir = str(training.output_dir).replace("{direction}", "+".join(data.of_each_direction()))


def check_together(arguments: Arguments) -> None:
    """Make sure that arguments go together, before anything is built or read; raises ValueError if not."""
    dimensions, data, training = arguments.model, arguments.data, arguments.training
    if {"direction", "directions"} <= arguments.given:
        raise ValueError(f"--direction {data.direction} and --directions are both given; give one of them")
    if "score_as" in arguments.given and data.outputs is Kind.PARSES:
        raise ValueError(f"--score_as {data.score_as} counts translations, and trees are scored by F1: leave it out")
    metric = metric_of(training)
    if metric in METRICS and METRICS[metric].kind is not data.outputs:
        raise ValueError(
            f"--metric_for_best_model is {metric}, but text in {data.target!r} is scored by "
            f"{METRICS[data.quality].name}: give {', '.join(each.key for each in of_kind(data.outputs))}, loss "
            "or perplexity"
        )
    if training.push_to_hub:
        if not training.hub_model_id:
            raise ValueError("--push_to_hub needs a repository: give --hub_model_id OWNER/NAME")
        Target(training.hub_model_id)  # checks the name
    VaswaniConfig(**dimensions)


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
        self.add_argument("-h", "--help", action="help", help=SHOW)
        self.add_argument(
            "--help-all", "--help_all", action=_HelpAll, nargs=0, dest=SUPPRESS, default=SUPPRESS, help=SHOW_ALL
        )

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
