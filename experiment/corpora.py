"""The text of a run: its splits, cleaned, mixed and put into the order of training."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

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
from vaswani.data.duplicates import Deduplicated
from vaswani.data.test_overlap import WithoutTestText

from .arguments import Arguments, DataArguments, named_folders
from .caches import joint_tokenizer, repeats, token_cache
from .console import say


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
    """Open one split of the run's data."""
    return open_any(
        dataset=data.dataset,
        config=data.dataset_config,
        data_dir=data.data_dir,
        split=split,
        source=data.source,
        target=data.target,
        patience=RetryPolicy(data.source_timeout),
        tsv_quoting=data.tsv_quoting,
    )


def open_training_corpus(data: DataArguments) -> Corpus:
    """Open the text that a run trains on: the training split and the further folders, without duplicates if asked.

    Duplicates are found before the corpora are weighted, or a weight of 2 would make each pair its own duplicate. A
    pair of several corpora stays in the first. The main process searches, unless the places are kept already. Text of
    the scored sets is left out too, if asked.
    """
    split = data.train_split
    opened: Sequence[Corpus] = [
        open_corpus(data, split),
        *(
            open_any(data_dir=folder, split=split, source=data.source, target=data.target, tsv_quoting=data.tsv_quoting)
            for folder in data.extra_dirs
        ),
    ]
    if data.drop_duplicates:
        opened = [Deduplicated(*each) for each in zip(opened, repeats(opened, data), strict=True)]
    if data.drop_test_text:
        scored = [pair for split in scored_splits(data) for pair in scorable(open_corpus(data, split), data, Drops())]
        opened = [WithoutTestText(corpus, scored, training_cleaning_limits(data).user_symbols) for corpus in opened]
    if data.extra_dirs or data.weights:
        return Mixture(opened, data.weights or [1] * len(opened))
    return opened[0]


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


def read_further(data: DataArguments) -> dict[str, list[Pair]]:
    """Return the pairs of each further validation set, by its name."""
    return {
        name: read_pairs(replace(data, data_dir=folder, dataset=None), data.validation_split)[0]
        for name, folder in named_folders(data.validation_splits).items()
    }


def scored_splits(data: DataArguments) -> list[str]:
    """Return the splits that a run is scored on: validation first, each once."""
    return list(dict.fromkeys([data.validation_split, *data.test_splits]))


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
    order = Order(
        arguments.training.seed,
        data.tokens_per_batch,
        data.streams,
        data.window_groups,
        tuple(data.widths),
        data.bpe_dropout,
    )
    cache = token_cache(train, tokenizer, limits, data)
    return TrainingStream(train, tokenizer, fingerprint(tokenizer), limits, order, cache, data.max_unreadable)
