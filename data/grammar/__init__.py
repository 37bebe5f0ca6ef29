"""The built-in English-German corpus, written by a grammar: each pair is a pure function of split and number.

A score on it can only come from having learned the rules. The splits share no pair: checksums assign sentences to
`validation` and `test`, and `unseen` holds those with a combination that all other splits leave out: one adjective and
noun in 16, one verb and object in 16, and for each separable verb one construction (see phrases.py).
"""

from hashlib import sha256
from zlib import crc32

from vaswani.data.pairs import ROWS_PER_GROUP, Pair

from .phrases import Draw
from .sentences import sentence

SPLITS = ("train", "validation", "test", "unseen")
_GROUPS = {"train": 200, "validation": 1, "test": 1, "unseen": 1}
# Stands for the whole grammar in fingerprints; tests/test_grammar.py computes it from the first group of each split
DIGEST = "f0d2e205e90aec93fd979ae69e15bd4e08577e7c3cf02fbc52daef669891a30c"


def _split_of(source: str) -> str:
    """The split of an English sentence without held-out combination: an eighth each to validation and test."""
    return {0: "validation", 1: "test"}.get(crc32(source.encode()) % 8, "train")


class GrammarCorpus:
    """Pairs of the grammar in groups of 1,000; English is the source.

    Args:
        split: one of `SPLITS`.
        groups: how many groups, 200 of train and 1 of the others by default. A group does not depend on it.

    Raises:
        ValueError: for another split, or fewer groups than one.
    """

    splits_are_apart = True

    def __init__(self, split: str, groups: int | None = None) -> None:
        if split not in SPLITS:
            raise ValueError(f"the grammar has no split {split!r}; choose one of {', '.join(SPLITS)}")
        if groups is not None and groups < 1:
            raise ValueError(f"a corpus needs at least 1 group, not {groups}")
        self.split = split
        self.name = f"grammar:{split}"
        self.groups = groups or _GROUPS[split]
        self.rows = self.groups * ROWS_PER_GROUP
        self.fingerprint = sha256(f"{DIGEST} {split} {self.groups}".encode()).hexdigest()

    def read(self, group: int) -> list[Pair]:
        """The distinct pairs of one group, 0 <= group < groups."""
        if not 0 <= group < self.groups:
            raise IndexError(f"{self.name} has the groups 0 to {self.groups - 1}, and {group} was asked for")
        unseen = self.split == "unseen"
        draw = Draw(f"{self.split} {group}", unseen)
        pairs: dict[str, str] = {}
        while len(pairs) < ROWS_PER_GROUP:
            draw.novel = False
            source, target = sentence(draw)
            if draw.novel if unseen else _split_of(source) == self.split:
                pairs.setdefault(source, target)
        return [Pair(source, target) for source, target in pairs.items()]
