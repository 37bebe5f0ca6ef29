"""Results computed from a run's text and kept for later runs, each under the fingerprint of all its inputs.

Deleting any of it costs time and nothing else.
"""

import hashlib
import importlib.metadata
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from accelerate import PartialState
from tqdm import tqdm
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from vaswani.data import CleaningLimits, Corpus, Drops, Pair, TokenCache, fingerprint, learn_tokenizer
from vaswani.data.cleaning import readable_rows
from vaswani.data.duplicates import Repeats, find_repeats, load_repeats, save_repeats
from vaswani.data.file_names import check_name
from vaswani.data.shuffling import permutation
from vaswani.data.token_cache import GroupReader
from vaswani.data.trees import TREES, tokens_of
from vaswani.storage import atomic_files, atomic_folder
from vaswani.training.checkpointing.checkpoints import (
    MANIFEST,
    checkpoint_fault,
    checkpoints,
    newest_whole,
    read_manifest,
    seal,
)

from .console import say
from .data_arguments import DataArguments

VOCABULARY = ("tokenizer_config.json", "tokenizer.json")
"""The files of a tokenizer."""


def repeats(corpora: Sequence[Corpus], data: DataArguments) -> list[Repeats]:
    """Return where pairs repeat earlier ones; one process per cache searches, unless the places are kept already."""
    state = PartialState()
    path = cached(data, "duplicates", [corpus.fingerprint for corpus in corpora]).with_suffix(".npz")
    for looks in (state.is_main_process, state.is_local_main_process):  # machines may have caches of their own
        if looks and not has_repeats(path, corpora):
            save_repeats(path, find_repeats(corpora, progress=True))
        state.wait_for_everyone()
    return load_repeats(path, corpora)


def has_repeats(path: Path, corpora: Sequence[Corpus]) -> bool:
    """Tell whether the places of duplicates are kept, whole; report those that are damaged."""
    if not path.exists():
        return False
    try:
        load_repeats(path, corpora)
    except ValueError:
        say(f"{path} is damaged; searching for duplicates again")
        return False
    return True


def joint_tokenizer(
    train: Corpus, vocab_size: int, limits: CleaningLimits, data: DataArguments, seed: int, run: Path | None
) -> PreTrainedTokenizerFast:
    """Return the vocabulary of both sides of the training text: the run's own, a kept one, or one learned now.

    For trees all brackets and tags that occur are whole entries, and the rest is learned from the sentences. A run that
    has trained keeps its vocabulary in its folder `run`, whatever happens to the cache; before its first checkpoint
    nothing depends on it yet, and it follows the flags.

    Raises:
        ValueError: no pair can be used.

    """
    state = PartialState()
    folder = cached(data, "tokenizers", vocabulary_facts(train, vocab_size, limits, data, seed))
    if state.is_main_process and not has_vocabulary(run):
        if (fault := fault_of_kept(folder)) is not None:
            groups = sample_of_groups(train, data.tokenizer_pairs, seed)
            share = "" if len(groups) == train.groups else f"{len(groups):,} of {train.groups:,} row groups of "
            say(f"{fault}Learning {vocab_size:,} tokens from {share}{train.name}")
            tokenizer = learn_from_groups(train, groups, vocab_size, limits, data)
            try:
                if fault:
                    shutil.rmtree(folder, ignore_errors=True)
                with atomic_folder(folder) as draft:
                    tokenizer.save_pretrained(draft)
                    seal(draft)
            except OSError:  # another run learned the same meanwhile, or something else is wrong
                if fault_of_kept(folder) is not None:
                    raise
        if run is not None:
            with atomic_files(run, last="tokenizer.json") as draft:  # where this name exists, all of them do
                for name in read_manifest(folder).files:
                    shutil.copyfile(folder / name, draft / name)
    elif state.is_main_process and run is not None:
        restore_vocabulary(run)
    state.wait_for_everyone()
    # Another machine has the run's folder in common with the main process, but perhaps not the cache.
    return saved_tokenizer(folder if run is None else run)


def fault_of_kept(folder: Path) -> str | None:
    """Return None for a vocabulary that is kept, as it was learned; or else a text to begin a line: of why it is not.

    Its checksums are those of a checkpoint, in manifest.json; a damaged vocabulary may load, and train another network.
    """
    if not folder.exists():
        return ""
    if not (folder / MANIFEST).is_file():  # of an older version, too
        return f"{folder} has no checksums, and is not used. "
    fault = checkpoint_fault(folder)
    return None if fault is None else f"{folder} is damaged ({fault}), and is not used. "


def restore_vocabulary(run: Path) -> None:
    """Put back the vocabulary of a run, where its files cannot be read, from the newest whole checkpoint.

    Raises:
        ValueError: no checkpoint has it.

    """
    if all(is_json(run / name) for name in VOCABULARY):
        return
    checkpoint, _ = newest_whole(run)
    if checkpoint is None or not all((checkpoint / name).is_file() for name in VOCABULARY):
        raise ValueError(f"tokenizer.json of {run} is damaged, and no checkpoint has another; restore it")
    with atomic_files(run, last="tokenizer.json") as draft:
        for name in VOCABULARY:
            shutil.copyfile(checkpoint / name, draft / name)
    say(f"tokenizer.json of {run} could not be read; it is now that of {checkpoint.name}")


def is_json(path: Path) -> bool:
    """Tell whether a file can be read as JSON."""
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, FileNotFoundError):
        return False
    return True


def copied_tokenizer(source: Callable[[], Path], run: Path) -> PreTrainedTokenizerFast:
    """Return a vocabulary of which a run keeps a copy in its folder; `source` returns where it lies, if it has none."""
    state = PartialState()
    if state.is_main_process and not has_vocabulary(run):
        tokenizer = saved_tokenizer(source())
        with atomic_files(run, last="tokenizer.json") as draft:
            tokenizer.save_pretrained(draft)
    state.wait_for_everyone()
    return saved_tokenizer(run)


def has_vocabulary(run: Path | None) -> bool:
    """Tell whether a run has trained, and so has a vocabulary that it keeps."""
    return run is not None and (run / "tokenizer.json").exists() and bool(checkpoints(run))


def saved_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Return the tokenizer of a folder."""
    saved = AutoTokenizer.from_pretrained(folder)
    assert isinstance(saved, PreTrainedTokenizerFast)
    return saved


def vocabulary_facts(
    train: Corpus, vocab_size: int, limits: CleaningLimits, data: DataArguments, seed: int
) -> list[Any]:
    """Return all that a vocabulary follows from."""
    facts = [
        train.fingerprint,
        vocab_size,
        limits.facts(),
        data.tokenizer_pairs,
        seed,
        importlib.metadata.version("tokenizers"),
    ]
    if data.target == TREES:
        facts.append(TREES)
    if data.user_tokens:
        facts.append(data.user_tokens)
    return facts


def learn_from_groups(
    train: Corpus, groups: Sequence[int], vocab_size: int, limits: CleaningLimits, data: DataArguments
) -> PreTrainedTokenizerFast:
    """Return a vocabulary learned from row groups of the training text, which trees make be read twice.

    Raises:
        ValueError: no pair can be used.

    """

    def pairs() -> Iterator[Pair]:
        drops = Drops()
        reading = tqdm(groups, unit=" groups", desc="Reading", disable=None)
        for _, _, pair in readable_rows(train, reading, limits, drops):
            drops.kept += 1
            yield pair
        if not drops.kept:
            raise ValueError(f"no pair of {train.name} can be trained on: {drops.report()}")

    if data.target == TREES:
        brackets = tokens_of(pair.target for pair in pairs())
        texts = (pair.source for pair in pairs())
    else:
        brackets, texts = [], (side for pair in pairs() for side in pair)
    return learn_tokenizer(texts, vocab_size, sys.stderr.isatty(), brackets, data.user_tokens)


def sample_of_groups(corpus: Corpus, pairs: int, seed: int) -> list[int]:
    """Return all row groups, or a random sample of them that holds about so many pairs."""
    share = min(1.0, pairs / max(1, corpus.rows))  # for some files the number of rows is a guess, and may be 0
    return sorted(permutation(corpus.groups, seed)[: max(1, round(share * corpus.groups))].tolist())


def token_cache(
    train: Corpus, tokenizer: PreTrainedTokenizerFast, limits: CleaningLimits, data: DataArguments
) -> TokenCache | None:
    """Return the cache of the encoded training text, if the run wants one, and say how large it will be.

    Raises ValueError if the disk has no room for it.
    """
    if not data.packed_cache:
        return None
    cache = TokenCache(cached(data, "packed", [train.fingerprint, fingerprint(tokenizer), limits.facts()]))
    filled = cache.filled()
    size = cache.size_when_full(train, GroupReader(train, tokenizer, limits, cache)(0))
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


def cached(data: DataArguments, kind: str, facts: list[Any]) -> Path:
    """Return the path in the cache of a result that depends on `facts` alone."""
    check_name(data.cache_dir, "--cache_dir")
    folder = Path(data.cache_dir).expanduser() / kind
    folder.mkdir(parents=True, exist_ok=True)
    return folder / hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
