"""How much of the scored sets occurs in the training text: counted and reported before training."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from vaswani.data import CleaningLimits, Corpus, Pair
from vaswani.data.pairs import fingerprint
from vaswani.data.shuffling import permutation
from vaswani.data.test_overlap import EDITION, find, innermost
from vaswani.publishing.metrics_record import FoundRecord, OverlapRecord
from vaswani.storage import write_text
from vaswani.storage.records import read_record

from .caches import cached
from .console import say
from .data_arguments import DataArguments
from .main_process import on_main_process

MOST_ROWS = 10_000_000
"""Most rows of the training text to search: some minutes, once per text. Of more, whole row groups are sampled."""


def find_test_overlap(
    train: Corpus, scored: Mapping[str, Sequence[Pair]], limits: CleaningLimits, data: DataArguments, seed: int
) -> OverlapRecord | None:
    """Count how much of the sets is in the training text; the main process reads it, unless the counts are cached.

    Return None if there is nothing to search: the splits of built-in text share no pair, by construction.
    """

    def counted() -> OverlapRecord | None:
        groups = [each for each in innermost(train) if not getattr(each[0], "splits_are_apart", False)]
        if not groups:
            return None
        all_groups, rows = len(groups), sum({each.fingerprint: each.rows for each, _ in groups}.values())
        if rows > MOST_ROWS:
            share = max(1, all_groups * MOST_ROWS // rows)
            groups = [groups[number] for number in sorted(permutation(all_groups, seed)[:share].tolist())]
        texts = [fingerprint(name, *(side for pair in pairs for side in pair)) for name, pairs in scored.items()]
        corpora = dict.fromkeys(corpus.fingerprint for corpus, _ in groups)
        path = cached(data, "test_text", [*corpora, texts, len(groups), seed, EDITION, limits.facts()]).with_suffix(
            ".json"
        )
        if not has_counts(path):
            looking = tqdm(groups, desc="Looking for test text", unit=" groups", disable=None)
            counts = find(looking, scored, limits)
            write_text(path, json.dumps({name: each._asdict() for name, each in counts.items()}))
        found = read_record(dict[str, FoundRecord], path)
        return OverlapRecord(data.drop_test_text, (len(groups), all_groups), found)

    return on_main_process(counted)


def has_counts(path: Path) -> bool:
    """Tell whether the counts are kept, whole; report those that are damaged."""
    if not path.exists():
        return False
    try:
        read_record(dict[str, FoundRecord], path)
    except ValueError:
        say(f"{path} is damaged; searching for test text again")
        return False
    return True
