"""The text of a run: its splits, and the vocabulary learned from them."""

from pathlib import Path

from accelerate import PartialState
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from vaswani.data import Corpus, Drops, Limits, Pair, clean_pairs, learn_tokenizer
from vaswani.data import open_corpus as open_any

from .arguments import DataArguments
from .report import say


def limits(data: DataArguments) -> Limits:
    """Return which pairs are kept."""
    return Limits(max_tokens=data.max_tokens, max_ratio=data.max_ratio)


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
        texts = (side for pair in clean_pairs(train, limits(data), Drops()) for side in pair)
        learn_tokenizer(texts, vocab_size, show_progress=False).save_pretrained(folder)
    state.wait_for_everyone()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    return tokenizer
