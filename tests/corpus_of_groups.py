"""A corpus of given rows in given groups, and random ones that repeat themselves, for tests of what wraps a corpus."""

from dataclasses import dataclass

from hypothesis import strategies as st

from vaswani.data import Pair
from vaswani.data.pairs import NoPair, Row, fingerprint


@dataclass(frozen=True)
class GroupedCorpus:
    """Rows in memory; a group may be of any size, also empty."""

    name: str
    content: tuple[tuple[Row, ...], ...]

    @property
    def fingerprint(self) -> str:
        return fingerprint(*map(repr, self.content))

    @property
    def groups(self) -> int:
        return len(self.content)

    @property
    def rows(self) -> int:
        return sum(map(len, self.content))

    def read(self, group: int) -> list[Row]:
        return list(self.content[group])


_SIDES = st.text("ab", max_size=2)  # so few that pairs repeat, and that "a" + "b" meets "ab" + ""
_ROWS = st.builds(Pair, _SIDES, _SIDES) | st.just(NoPair("undecodable", "a line"))
_GROUPS = st.lists(_ROWS, max_size=6).map(tuple)

grouped_corpora = st.builds(
    GroupedCorpus, st.sampled_from(["first", "second"]), st.lists(_GROUPS, max_size=5).map(tuple)
)
