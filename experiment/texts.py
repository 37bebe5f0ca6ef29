"""The text of a run: its splits, and the vocabulary learned from them."""

import hashlib
import importlib.metadata
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from accelerate import PartialState
from tqdm import tqdm
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from vaswani.data import (
    Corpus,
    Drops,
    Limits,
    Mixture,
    PackedCache,
    Pair,
    Patience,
    clean_pairs,
    fingerprint,
    learn_tokenizer,
    scripts_of,
)
from vaswani.data import open_corpus as open_any
from vaswani.data.cleaning import readable_rows
from vaswani.data.duplicates import Deduplicated, find_repeats, load_repeats, save_repeats
from vaswani.data.encoding import encode_group
from vaswani.data.order import permutation

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
        patience=Patience(data.source_patience),
    )


def open_training_corpus(data: DataArguments) -> Corpus:
    """Open what a run trains on: the training split and the further folders, each pair once if that was asked.

    Duplicates are looked for before the corpora are weighted, or a weight of 2 would make each pair its own duplicate.
    A pair of several corpora stays in the first. The main process looks, unless the places are kept from before.
    """
    split = data.train_split
    opened: Sequence[Corpus] = [
        open_corpus(data, split),
        *(open_any(data_dir=folder, split=split, source=data.source, target=data.target) for folder in data.extra_dirs),
    ]
    if data.drop_duplicates:
        path = kept(data, "duplicates", [corpus.fingerprint for corpus in opened]).with_suffix(".npz")
        state = PartialState()
        if state.is_main_process and not path.exists():
            save_repeats(path, find_repeats(opened, progress=True))
        state.wait_for_everyone()
        opened = [Deduplicated(*each) for each in zip(opened, load_repeats(path, opened), strict=True)]
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


def joint_tokenizer(
    train: Corpus, vocab_size: int, data: DataArguments, seed: int, run: Path | None
) -> PreTrainedTokenizerFast:
    """Return the vocabulary of both sides of the training text: the run's own, a kept one, or one learned now.

    A run that was begun keeps its vocabulary in its folder `run`, whatever happens to the cache.
    """
    state = PartialState()
    facts = [train.fingerprint, vocab_size, asdict(training_limits(data)), data.tokenizer_pairs, seed,
             importlib.metadata.version("tokenizers")]  # fmt: skip
    folder = kept(data, "tokenizers", facts)
    if run is not None and (run / "tokenizer.json").exists():
        folder = run
    if state.is_main_process and not (folder / "tokenizer.json").exists():
        groups = sample_of_groups(train, data.tokenizer_pairs, seed)
        share = "" if len(groups) == train.groups else f"{len(groups):,} of {train.groups:,} row groups of "
        say(f"Learning {vocab_size:,} symbols from {share}{train.name}")
        rows = readable_rows(train, tqdm(groups, unit=" groups", desc="Reading"), training_limits(data), Drops())
        tokenizer = learn_tokenizer((side for _, _, pair in rows for side in pair), vocab_size)
        draft = folder.with_name(f".{folder.name}.{os.getpid()}")
        tokenizer.save_pretrained(draft)
        draft.replace(folder)
    state.wait_for_everyone()
    learned = AutoTokenizer.from_pretrained(folder)
    assert isinstance(learned, PreTrainedTokenizerFast)
    state.wait_for_everyone()
    if run is not None and state.is_main_process:
        learned.save_pretrained(run)
    return learned


def sample_of_groups(corpus: Corpus, pairs: int, seed: int) -> list[int]:
    """Return all row groups, or as many drawn ones as hold about so many pairs."""
    share = min(1.0, pairs / corpus.rows)
    return sorted(permutation(corpus.groups, seed)[: max(1, round(share * corpus.groups))].tolist())


def packed_cache(train: Corpus, tokenizer: PreTrainedTokenizerFast, data: DataArguments) -> PackedCache | None:
    """Return the cache of the encoded training text, if the run wants one, and say how large it will be.

    Raises ValueError when it would not find room.
    """
    if not data.packed_cache:
        return None
    limits = training_limits(data)
    cache = PackedCache(kept(data, "packed", [train.fingerprint, fingerprint(tokenizer), asdict(limits)]))
    filled = cache.filled()
    size = cache.size_when_full(train.groups, encode_group(train, 0, tokenizer, limits))
    missing = size * (train.groups - filled) // train.groups
    say(
        f"Packed text: {filled:,} of {train.groups:,} row groups are in {cache.folder}; all take about "
        f"{size / 1e6:,.0f} MB, {cache.free() / 1e6:,.0f} MB are free"
    )
    if missing > cache.free():
        raise ValueError(
            f"the packed text needs {missing / 1e6:,.0f} MB more in {cache.folder} and {cache.free() / 1e6:,.0f} MB "
            "are free; free some, name another --cache_dir, or leave out --packed_cache"
        )
    return cache


def kept(data: DataArguments, kind: str, facts: list[Any]) -> Path:
    """Return the path in the cache of what follows from `facts` alone."""
    folder = Path(data.cache_dir).expanduser() / kind
    folder.mkdir(parents=True, exist_ok=True)
    return folder / hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
