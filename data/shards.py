"""Several files of one split, read one after the other."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from .mixture import Mixture
from .pairs import Corpus, CorpusError, fingerprint

_SHARD = re.compile(r"(?P<split>.+)-(?P<number>\d{5})-of-(?P<of>\d{5})")


class Shard(NamedTuple):
    """What the name of a file of a data set says: train-00000-of-00002."""

    split: str
    number: int
    of: int


def shard_of(stem: str) -> Shard | None:
    """Return what a name without its ending says, or None if it is not that of a shard."""
    found = _SHARD.fullmatch(stem)
    return None if found is None else Shard(found["split"], int(found["number"]), int(found["of"]))


def check_complete(shards: Sequence[Shard], place: str) -> None:
    """Raise CorpusError if one of the shards of a split, in their order, is missing or belongs to another number."""
    count = shards[0].of
    if [shard.number for shard in shards] != list(range(count)) or any(shard.of != count for shard in shards):
        missing = sorted(set(range(count)) - {shard.number for shard in shards if shard.of == count})
        what = f"lacks number {missing[0]:05d}" if missing else "has files of several divisions"
        raise CorpusError(
            f"{place} {what} of the {count:,} files of {shards[0].split} (NAME-00000-of-{count:05d}). Fetch all of "
            "one division."
        )


class Shards(Mixture):
    """The row groups of several corpora, those of the first before those of the second."""

    def __init__(self, name: str, corpora: Sequence[Corpus]) -> None:
        super().__init__(corpora, [1] * len(corpora))
        self.name = name
        self.fingerprint = fingerprint("shards", *(each.fingerprint for each in corpora))
        self.remarks = [f"{each.name}: {remark}" for each in corpora for remark in getattr(each, "remarks", ())]
