"""How much of the sets that are scored stands in the training text: counted before training, and said."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tqdm import tqdm

from vaswani.data import CleaningLimits, Corpus, Pair
from vaswani.data.pairs import fingerprint
from vaswani.data.shuffling import permutation
from vaswani.data.test_overlap import EDITION, Found, find, innermost
from vaswani.publishing.overlap import overlap_as_text
from vaswani.storage import write_text

from .arguments import DataArguments
from .caches import cached
from .main_process import on_main_process

MOST_ROWS = 10_000_000
"""Of the training text that are looked at: some minutes, once for a text. Of more, whole row groups are drawn."""


class TestOverlap(NamedTuple):
    """What of the sets that are scored is in the training text, before any of it is left out."""

    left_out: bool
    """Whether --drop_test_text takes it out."""
    row_groups: tuple[int, int]
    """Looked at, and all."""
    splits: dict[str, Found]

    def as_json(self) -> dict[str, Any]:
        """Return what metrics.json holds of it."""
        splits = {name: found._asdict() for name, found in self.splits.items()}
        return {"left_out": self.left_out, "row_groups": list(self.row_groups), "splits": splits}

    def as_text(self) -> str:
        """Return it in words, a line for each set."""
        return "\n".join(overlap_as_text(self.as_json()))


def find_test_overlap(
    train: Corpus, scored: Mapping[str, Sequence[Pair]], limits: CleaningLimits, data: DataArguments, seed: int
) -> TestOverlap | None:
    """Count what of the sets is in the training text; the main process reads it, unless the counts are kept.

    None where there is nothing to look at: the splits of what is built in share no pair, as its grammar has it.
    """

    def counted() -> TestOverlap | None:
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
        if not path.exists():
            looking = tqdm(groups, desc="Looking for test text", unit=" groups", disable=None)
            counts = find(looking, scored, limits)
            write_text(path, json.dumps({name: each._asdict() for name, each in counts.items()}))
        found = {name: Found(**counts) for name, counts in json.loads(path.read_text(encoding="utf-8")).items()}
        return TestOverlap(data.drop_test_text, (len(groups), all_groups), found)

    return on_main_process(counted)
