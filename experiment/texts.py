"""The text of a run: its splits, and the vocabulary learned from them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from accelerate import PartialState
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from vaswani.data import (
    Corpus,
    Drops,
    Limits,
    Mixture,
    Pair,
    clean_pairs,
    deduplicated,
    learn_tokenizer,
    scripts_of,
)
from vaswani.data import open_corpus as open_any

from .arguments import DataArguments
from .report import say


def limits(data: DataArguments) -> Limits:
    """Return which pairs are kept of the splits that are scored."""
    return Limits(max_tokens=data.max_tokens, max_ratio=data.max_ratio)


def training_limits(data: DataArguments) -> Limits:
    """Return which pairs are kept of the training text, where more may be asked of them."""
    source, target = (scripts_of(data.source), scripts_of(data.target)) if data.check_script else (None, None)
    return replace(limits(data), drop_html=data.drop_html, source_scripts=source, target_scripts=target)


def open_corpus(data: DataArguments, split: str) -> Corpus:
    """Open one split of the run's data."""
    return open_any(
        dataset=data.dataset,
        config=data.dataset_config,
        data_dir=data.data_dir,
        split=split,
        source=data.source,
        target=data.target,
    )


def open_training_corpus(data: DataArguments) -> Corpus:
    """Open what a run trains on: the training split and the further folders, each pair once if that was asked.

    Duplicates are looked for before the corpora are weighted, or a weight of 2 would make each pair its own duplicate.
    A pair of several corpora stays in the first. Every process makes the pass over the text for itself.
    """
    split = data.train_split
    opened: Sequence[Corpus] = [
        open_corpus(data, split),
        *(open_any(data_dir=folder, split=split, source=data.source, target=data.target) for folder in data.extra_dirs),
    ]
    if data.drop_duplicates:
        opened = deduplicated(opened, progress=PartialState().is_main_process)
    if data.extra_dirs or data.weights:
        return Mixture(opened, data.weights or [1] * len(opened))
    return opened[0]


def read_pairs(data: DataArguments, split: str) -> list[Pair]:
    """Read a split that is to be scored, all of it; what cannot be scored is told by number and reason."""
    corpus = open_corpus(data, split)
    drops = Drops()
    pairs = list(clean_pairs(corpus, limits(data), drops))
    if drops.dropped:
        say(f"{corpus.name}: {drops.report()}")
    if not pairs:
        raise ValueError(f"{corpus.name} has no pair that can be scored")
    return pairs


def joint_tokenizer(train: Corpus, vocab_size: int, data: DataArguments, folder: Path) -> PreTrainedTokenizerFast:
    """Learn the vocabulary from both sides of the training text, or take the one that a resumed run began with."""
    state = PartialState()
    if state.is_main_process and not (folder / "tokenizer.json").exists():
        say(f"Learning {vocab_size:,} symbols from {train.name}")
        texts = (side for pair in clean_pairs(train, training_limits(data), Drops()) for side in pair)
        learn_tokenizer(texts, vocab_size, show_progress=False).save_pretrained(folder)
    state.wait_for_everyone()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    return tokenizer
