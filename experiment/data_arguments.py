"""The settings of a run's text: where pairs come from, which are kept, how they become batches, what is scored."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from vaswani.data import scripts_of
from vaswani.data.directions import TextOfDirection, direction_of, languages_of, tags_of, texts_of
from vaswani.data.folders import known_forms
from vaswani.data.glossary.annotation import MARKS
from vaswani.data.line_breaks import LINE_BREAKS
from vaswani.data.tables import check_quoting
from vaswani.data.tokenizer import SPECIAL_TOKENS
from vaswani.data.trees import TREES
from vaswani.data.user_tokens import check_tokens, split_tokens
from vaswani.evaluation.metric_table import PROTOCOLS, Kind, in_every_validation
from vaswani.flags import numbers, range_faults, whole
from vaswani.storage.cache_folder import default_cache


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
        metadata={
            "help": "Two languages, named as the columns or file endings are: en-de, or en:pt-BR where one has a "
            "hyphen itself; en-trees parses."
        },
    )
    directions: list[str] = field(
        default_factory=list,
        metadata={"help": "In place of --direction, several directions in one run, such as en-de de-en. Each reads the "
                          "run's text, or a folder of its own: en-fr=FOLDER. Where they have several target languages, "
                          "each source begins with a tag, such as >>de<<. The first direction chooses the weights."},
    )  # fmt: skip
    temperature: Annotated[float | None, numbers(1)] = field(
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
    max_tokens: Annotated[int, whole(2)] = field(
        default=256, metadata={"help": "Most tokens of a pair on each side; longer pairs are dropped, never cut."}
    )
    max_ratio: Annotated[float, numbers(1)] = field(
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
        default=False, metadata={"help": "Drop training pairs with a side that is mostly not in its language's script."}
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
    weights: Annotated[list[int], whole(1)] = field(
        default_factory=list,
        metadata={"help": "How many times an epoch reads the training split and each of --extra_dirs."},
    )
    tokens_per_batch: Annotated[int, whole(1)] = field(
        default=4096, metadata={"help": "Most tokens of a micro-batch, on each side, padding included."}
    )
    widths: Annotated[list[int], whole(1)] = field(
        default_factory=list,
        metadata={"help": "Pad both sides of a batch to one of these lengths in tokens (rising, the last at least "
                          "--max_tokens) and fill it up to --tokens_per_batch: one shape per length, for "
                          "--torch_compile and CUDA graphs."},
    )  # fmt: skip
    streams: Annotated[int, whole(1)] = field(
        default=1,
        metadata={"help": "Streams that the text is split into; each process and loader worker reads its own. 32 or "
                          "64 for large corpora and many processes."},
    )  # fmt: skip
    window_groups: Annotated[int, whole(1)] = field(
        default=64, metadata={"help": "Row groups, of 1,000 pairs each, that are shuffled together."}
    )
    max_unreadable: Annotated[float, numbers(0, 1)] = field(
        default=0.001,
        metadata={"help": "Share of the rows that may be damaged, malformed or not UTF-8; beyond it the run ends."},
    )
    source_timeout: Annotated[float, numbers(0)] = field(
        default=600, metadata={"help": "Seconds to retry a network that does not answer, before the run ends."}
    )
    tokenizer_pairs: Annotated[int, whole(1)] = field(
        default=2_000_000,
        metadata={"help": "Most pairs from which the vocabulary is learned, sampled by row groups, to limit memory "
                          "and time."},
    )  # fmt: skip
    user_tokens: list[str] = field(
        default_factory=list,
        metadata={"help": "Tokens of the vocabulary that are never split nor joined with their neighbours, such as "
                          '"<2de> <BT>". They are text and stay in the output; --vocab_size counts them.'},
    )  # fmt: skip
    bpe_dropout: Annotated[float, numbers(0, 1)] = field(
        default=0.0,
        metadata={"help": "BPE-dropout: the probability that a merge is left out where a word of the training text is "
                          "encoded, anew in each epoch; 0.1 in its paper."},
    )  # fmt: skip
    glossary: str | None = field(
        default=None,
        metadata={"help": "A file of terms, TSV or TBX. Training pairs that have a term on both sides get its target "
                          "term named in the source, so that translating with a glossary works; --vocab_size counts "
                          "the three tokens around them."},
    )  # fmt: skip
    term_share: Annotated[float, numbers(0, 1)] = field(
        default=0.1,
        metadata={"help": "With --glossary, the share of the pairs with terms that get them named, drawn anew in each "
                          "epoch."},
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
        for fault in range_faults(self, {}):
            raise ValueError(fault)
        texts = texts_of(self.directions)
        if texts:
            self.direction = texts[0].direction
            self.user_tokens = list(dict.fromkeys([*self.user_tokens, *self.tags.values()]))
        self.direction = direction_of(*languages_of(self.direction))
        if self.glossary is not None:
            check_glossary(self)
            self.user_tokens = list(dict.fromkeys([*self.user_tokens, *MARKS]))
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
        check_test_splits(self.test_splits, self.validation_split)
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
        return languages_of(self.direction)[0]

    @property
    def target(self) -> str:
        """The language translated to."""
        return languages_of(self.direction)[1]

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
    if TREES in {language for each in texts for language in languages_of(each.direction)}:
        raise ValueError(f"--directions are {' '.join(data.directions)}, and trees are parsed alone: give --direction")
    if data.temperature is not None and data.weights:
        raise ValueError("--weights and --temperature both say how often each text is read; give one of them")
    if data.weights and len(data.weights) != len(texts):
        raise ValueError(f"weights are {data.weights}; {len(texts)} are needed: one for each of --directions")
    if data.check_script and len({tuple(map(scripts_of, languages_of(each.direction))) for each in texts}) > 1:
        raise ValueError(
            f"--check_script knows the scripts of one direction, and --directions {' '.join(data.directions)} differ "
            "in theirs: clean the text beforehand, or leave it out"
        )


def check_glossary(data: DataArguments) -> None:
    """Make sure that terms can be named in the run's sources; raises ValueError if not."""
    if len(set(data.of_each_direction())) > 1:
        raise ValueError(
            f"--glossary has terms of one direction, and --directions are {' '.join(data.directions)}: give --direction"
        )
    if data.target == TREES:
        raise ValueError("--glossary has terms of a translation, and the target is trees: leave it out")


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


def check_test_splits(given: Sequence[str], validation_split: str) -> None:
    """Make sure that each test set has a name of its own; raises ValueError if not."""
    if validation_split in named_folders([each for each in given if "=" in each], "--test_splits"):
        raise ValueError(
            f"--test_splits has a set called {validation_split}, as the validation set that chooses the weights: give "
            "it another name"
        )
    names = [each.partition("=")[0] for each in given]
    for each in names:
        if names.count(each) > 1:
            raise ValueError(f"--test_splits has two sets called {each}; give each a name of its own")
