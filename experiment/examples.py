"""Some of the rows that a run would drop, for each reason, with their file and line.

They are sampled from all rows inspected, by a checksum of the text and their places, so that the same text always shows
the same rows. Sampling needs only the number of dropped rows in each row group, which training counts anyway; the few
groups of the sampled rows are then read again.
"""

import shutil
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from hashlib import blake2b
from heapq import nsmallest
from typing import NamedTuple

from transformers import PreTrainedTokenizerFast

from vaswani.data import CleaningLimits, Corpus, Drops, Mixture
from vaswani.data.blank_text import is_blank
from vaswani.data.cleaning import Dropped, readable
from vaswani.data.encoding import encode, encode_rows
from vaswani.data.file_names import printable
from vaswani.data.pairs import NoPair, read_rows

SHOWN = 3
"""Rows for each reason."""
LONGEST = 1_000
"""Characters of a side that are kept: a line may have a million."""
BY_LENGTH = frozenset({"too long", "length ratio"})
"""Reasons that may only be visible in tokens."""
NARROWEST = 20
"""Columns of a side on the screen, however narrow that is."""


class Example(NamedTuple):
    """A row that is dropped."""

    where: str
    """File and line, from 1; for parquet the row."""
    texts: tuple[str, ...]
    """Source and target, or the readable part of a row that gives no pair."""


class Drawn(NamedTuple):
    """A row that is dropped, by its number."""

    checksum: bytes
    group: int
    number: int
    """Among the rows of the group that are dropped for this reason, from 0."""


class Sample:
    """A sample of the rows that a corpus drops, taken as its row groups are counted, in any order."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self._drawn: dict[str, list[Drawn]] = defaultdict(list)

    def note(self, groups: Iterable[tuple[int, Drops]]) -> None:
        """Sample from more row groups."""
        for group, drops in groups:
            corpus, inner = self.corpus, group
            while isinstance(corpus, Mixture):  # a group of weight 2 comes twice, with the same rows
                corpus, inner = corpus.inner(inner)
            place = f"{corpus.fingerprint} {inner}"
            for reason, count in drops.dropped.items():
                found = [Drawn(_checksum(f"{place} {number}"), group, number) for number in range(count)]
                by_row = {each.checksum: each for each in sorted([*found, *self._drawn[reason]], reverse=True)}
                self._drawn[reason] = nsmallest(SHOWN, by_row.values())

    def by_group(self) -> dict[int, dict[str, list[int]]]:
        """Return the numbers of the sampled rows, by row group and reason."""
        found: dict[int, dict[str, list[int]]] = {}
        for reason, rows in self._drawn.items():
            for row in rows:
                found.setdefault(row.group, {}).setdefault(reason, []).append(row.number)
        return dict(sorted(found.items()))


def _checksum(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()


def read_examples(
    sample: Sample, tokenizer: PreTrainedTokenizerFast, limits: CleaningLimits
) -> dict[str, list[Example]]:
    """Read the sampled rows, in the order of the corpus."""
    examples: dict[str, list[Example]] = {}
    for group, wanted in sample.by_group().items():
        rows = read_rows(sample.corpus, group)
        dropped: list[Dropped] = []
        if BY_LENGTH & wanted.keys():
            encode_rows(rows, partial(encode, tokenizer), limits, dropped)
        else:
            list(readable(rows, limits, Drops(), dropped))
        for reason, numbers in wanted.items():
            positions = [each.position for each in dropped if each.reason == reason]
            for position in sorted(positions[number] for number in numbers):
                row = rows[position]
                where = row.where if isinstance(row, NoPair) else rows.where(position)
                texts = rows.texts.get(position, ()) if isinstance(row, NoPair) else tuple(row)
                examples.setdefault(reason, []).append(Example(where, tuple(map(_shortened, texts))))
    return examples


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + " ..."


def examples_as_text(examples: dict[str, list[Example]], drops: Drops) -> list[str]:
    """Return lines that fit the width of the screen; places are never cut."""
    lines = ["Some of the dropped rows, sampled from all inspected:"] if examples else []
    width = max(NARROWEST, shutil.get_terminal_size().columns - 6)
    for reason, count in drops.dropped.most_common():
        found = examples.get(reason, [])
        if found:
            lines.append(f"  {reason}, {len(found)} of {count:,}:")
        for each in found:
            lines.append(f"    {printable(each.where)}")
            lines += [f"      {on_one_line(text, width)}" for text in each.texts]
    return lines


def on_one_line(text: str, width: int) -> str:
    r"""Return a text as one line of at most so many columns, with invisible characters spelled out.

    A longer text is cut. Invisible characters are written as \x00, \n, \u200b; a text of white space alone is put in
    quotation marks. A Chinese or Japanese letter takes two columns, a combining accent none.
    """
    if is_blank(text):
        text = repr(text)
    shown: list[str] = []
    columns, fitting = 0, 0
    for letter in text:
        # Half a surrogate pair and marks of direction are not printable either.
        spelled = letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode()
        shown.append(spelled)
        if unicodedata.category(letter) not in ("Mn", "Me"):
            columns += len(spelled) * (2 if unicodedata.east_asian_width(letter) in "WF" else 1)
        if columns <= width - len(" ..."):
            fitting = len(shown)
        if columns > width:
            return "".join(shown[:fitting]) + " ..."
    return "".join(shown)
