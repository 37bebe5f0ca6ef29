"""The text of a run: its splits, cleaned, mixed and put into the order of training."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from transformers import PreTrainedTokenizerFast

from vaswani.data import (
    CleaningLimits,
    Corpus,
    Drops,
    Mixture,
    Order,
    Pair,
    RetryPolicy,
    TrainingStream,
    clean_pairs,
    fingerprint,
    scripts_of,
)
from vaswani.data import open_corpus as open_any
from vaswani.data.cleaning import CHARACTERS, CHARACTERS_A_TOKEN
from vaswani.data.directions import Tagged, weights_by_temperature
from vaswani.data.duplicates import Deduplicated
from vaswani.data.glossary.reading import read_glossary
from vaswani.data.test_overlap import WithoutTestText
from vaswani.publishing.run_record import name_of_set

from .arguments import Arguments
from .caches import joint_tokenizer, repeats, token_cache
from .console import say
from .data_arguments import DataArguments, named_folders


def cleaning_limits(data: DataArguments) -> CleaningLimits:
    """Return which pairs of the scored splits are kept."""
    characters = max(CHARACTERS, CHARACTERS_A_TOKEN * data.max_tokens)
    return CleaningLimits(data.max_tokens, data.max_ratio, characters, line_breaks=data.line_breaks)


def training_cleaning_limits(data: DataArguments) -> CleaningLimits:
    """Return which pairs of the training text are kept; the limits may be stricter."""
    source, target = (scripts_of(data.source), scripts_of(data.target)) if data.check_script else (None, None)
    return replace(
        cleaning_limits(data),
        drop_html=data.drop_html,
        source_scripts=source,
        target_scripts=target,
        user_symbols=" ".join(data.user_tokens),
    )


def open_corpus(data: DataArguments, split: str) -> Corpus:
    """Open one split of the run's data, and say what reading its documents left aside."""
    corpus = open_any(
        dataset=data.dataset,
        config=data.dataset_config,
        data_dir=data.data_dir,
        split=split,
        source=data.source,
        target=data.target,
        patience=RetryPolicy(data.source_timeout),
        tsv_quoting=data.tsv_quoting,
        cache_dir=data.cache_dir,
    )
    for remark in getattr(corpus, "remarks", ()):
        say_once(f"{corpus.name}: {remark}")
    return corpus


@cache
def say_once(text: str) -> None:
    """Print what has not been printed before: a text may be opened several times in a run."""
    say(text)


def open_training_corpus(data: DataArguments) -> Corpus:
    """Open the text that a run trains on: the training split and the further folders, without duplicates if asked.

    Duplicates are found before the corpora are weighted, or a weight of 2 would make each pair its own duplicate. A
    pair of several corpora stays in the first. The main process searches, unless the places are kept already. Text of
    the scored sets is left out too, if asked. With --directions each of its texts is a corpus; tags come first, so that
    pairs with different tags are no duplicates.
    """
    split, texts = data.train_split, data.of_each_text()
    opened: Sequence[Corpus] = [
        *(open_corpus(each, split) for each in texts),
        *(open_corpus(replace(data, extra_dirs=[], weights=[]).in_folder(folder), split) for folder in data.extra_dirs),
    ]
    if data.tags:
        opened = [Tagged(corpus, data.tags[each.target]) for corpus, each in zip(opened, texts, strict=True)]
    if data.drop_duplicates:
        opened = [Deduplicated(*each) for each in zip(opened, repeats(opened, data), strict=True)]
    if data.drop_test_text:
        scored = [
            pair
            for each in (*scored_texts(data).values(), *further_texts(data).values())
            for pair in scorable(open_corpus(each.data, each.split), data, Drops())
        ]
        symbols, either = training_cleaning_limits(data).user_symbols, bool(data.directions)
        opened = [WithoutTestText(corpus, scored, symbols, either) for corpus in opened]
    if len(opened) > 1 or data.weights:
        return Mixture(opened, weights_of(data, opened))
    return opened[0]


def open_first_text(data: DataArguments) -> Corpus:
    """Open the text of a run's first direction, with its tags, before anything is left out of it or mixed in."""
    first, *_ = data.of_each_text()
    corpus, tag = open_corpus(first, data.train_split), data.tags.get(first.target)
    return Tagged(corpus, tag) if tag else corpus


def weights_of(data: DataArguments, opened: Sequence[Corpus]) -> list[int]:
    """Return how often an epoch reads each corpus, and say what a temperature comes to."""
    if data.temperature is None:
        return data.weights or [1] * len(opened)
    directions = [each.direction for each in data.of_each_text()]
    weights = weights_by_temperature(directions, [max(1, each.rows) for each in opened], data.temperature)
    shares = ", ".join(
        f"{weight} x {direction} ({each.rows:,} pairs)"
        for weight, direction, each in zip(weights, directions, opened, strict=True)
    )
    say(f"An epoch reads, by --temperature {data.temperature:g}: {shares}")
    return weights


TEST = "test"
"""The split of a test set that is given as NAME=FOLDER."""


class ScoredText(NamedTuple):
    """A text to be scored, in one direction."""

    data: DataArguments
    split: str
    tag: str = ""
    """What its sources begin with."""

    @property
    def direction(self) -> str:
        """Its direction."""
        return self.data.direction


def scored_texts(data: DataArguments) -> dict[str, ScoredText]:
    """Return the texts that a run is scored on, by name: the validation set that chooses, then the test sets.

    A set is called as its split, or by the NAME of NAME=FOLDER, whose split is TEST; with --directions a test set has
    its direction behind that, as test.de-en.
    """
    each_direction = data.of_each_direction()
    folders = named_folders([each for each in data.test_splits if "=" in each], "--test_splits")
    tests: dict[str, ScoredText] = {}
    for given in data.test_splits:
        name = given.partition("=")[0]
        for direction, each in each_direction.items():
            text, split = (each.in_folder(folders[name]), TEST) if name in folders else (each, given)
            tests[name_of_set(name, direction if data.directions else None)] = scored_text(data, text, split)
    return {data.validation_split: scored_text(data, each_direction[data.direction], data.validation_split)} | tests


def further_texts(data: DataArguments) -> dict[str, ScoredText]:
    """Return the further validation sets by name: those of the other directions, then --validation_splits.

    Raises:
        ValueError: one of the latter is called as a direction.

    """
    first, *others = data.of_each_direction().values()
    found = {each.direction: scored_text(data, each, data.validation_split) for each in others}
    for name, folder in named_folders(data.validation_splits).items():
        if name in found:
            raise ValueError(
                f"--validation_splits has a set called {name}, as one of --directions; give it another name"
            )
        found[name] = scored_text(data, first.in_folder(folder), data.validation_split)
    return found


def scored_text(data: DataArguments, text: DataArguments, split: str) -> ScoredText:
    """Return a split of a text of a run, with the run's tag for its direction."""
    return ScoredText(text, split, data.tags.get(text.target, ""))


def read_pairs(data: DataArguments, split: str) -> tuple[list[Pair], Drops]:
    """Return all pairs of a split to be scored, and the counts of those that cannot be scored, which are reported."""
    corpus = open_corpus(data, split)
    drops = Drops()
    pairs = scorable(corpus, data, drops)
    if drops.dropped or drops.joined:
        say(f"{corpus.name}: {drops.report()}")
    if not pairs:
        raise ValueError(f"{corpus.name} has no pair that can be scored")
    return pairs, drops


def scorable(corpus: Corpus, data: DataArguments, drops: Drops) -> list[Pair]:
    """Return the pairs of a corpus that can be scored, and count the others."""
    return list(clean_pairs(corpus, cleaning_limits(data), drops))


def training_tokenizer(train: Corpus, arguments: Arguments, run: Path | None) -> PreTrainedTokenizerFast:
    """Return the vocabulary of the training text as `joint_tokenizer` finds or learns it.

    Args:
        train: the text.
        arguments: give its size, and which pairs are kept.
        run: the folder of a run that may have its own.

    Raises:
        ValueError: no pair can be used.

    """
    limits = training_cleaning_limits(arguments.data)
    vocab_size, seed = arguments.model["vocab_size"], arguments.training.seed
    return joint_tokenizer(train, vocab_size, limits, arguments.data, seed, run)


def training_stream(train: Corpus, tokenizer: PreTrainedTokenizerFast, arguments: Arguments) -> TrainingStream:
    """Return the run's order of training."""
    data, limits = arguments.data, training_cleaning_limits(arguments.data)
    glossary = None if data.glossary is None else read_glossary(Path(data.glossary), (data.source, data.target))
    order = Order(
        arguments.training.seed,
        data.tokens_per_batch,
        data.streams,
        data.window_groups,
        tuple(data.widths),
        data.bpe_dropout,
        None if glossary is None else glossary.fingerprint,
        0.0 if glossary is None else data.term_share,
    )
    cache = token_cache(train, tokenizer, limits, data)
    return TrainingStream(train, tokenizer, fingerprint(tokenizer), limits, order, cache, data.max_unreadable, glossary)
