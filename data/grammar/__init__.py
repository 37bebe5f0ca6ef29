"""The built-in English-German corpus, written by a grammar: a pair is a pure function of split, group and position.

A score on it can only come from having learned the rules. The splits share no pair: `validation` and `test` are the
pairs whose English sentence has a certain checksum, and `unseen` holds those with a combination of words, or of a verb
and a construction, that is kept out of all others.
"""

from zlib import crc32

from vaswani.data.pairs import Pair

from .phrases import Draw
from .sentences import sentence

SPLITS = ("train", "validation", "test", "unseen")
VERSION = "1"
_PAIRS = 1000  # in a group
_GROUPS = {"train": 200, "validation": 1, "test": 1, "unseen": 1}


def split_of(source: str) -> str:
    """The split of an English sentence without held-out combination: an eighth each to validation and test."""
    return {0: "validation", 1: "test"}.get(crc32(source.encode()) % 8, "train")


class GrammarCorpus:
    """Pairs of the grammar, group by group; English is the source. Any number of groups can be had."""

    def __init__(self, split: str, groups: int | None = None) -> None:
        if split not in SPLITS:
            raise ValueError(f"{split!r} is no split of the grammar; choose one of {', '.join(SPLITS)}")
        self.split = split
        self.name = f"grammar:{split}"
        self.groups = _GROUPS[split] if groups is None else groups
        self.fingerprint = f"{crc32(f'{VERSION} {split} {self.groups}'.encode()):08x}"

    def read(self, group: int) -> list[Pair]:
        """The thousand distinct pairs of a group."""
        if not 0 <= group < self.groups:
            raise IndexError(f"{self.name} has groups 0 to {self.groups - 1}, not {group}")
        unseen = self.split == "unseen"
        draw = Draw(f"{VERSION} {self.split} {group}", unseen)
        pairs: dict[str, str] = {}
        while len(pairs) < _PAIRS:
            draw.novel = False
            source, target = sentence(draw)
            if draw.novel if unseen else split_of(source) == self.split:
                pairs.setdefault(source, target)
        return [Pair(source, target) for source, target in pairs.items()]
