"""Which pairs are kept. A pair is kept or dropped as a whole, never cut, and every drop is counted by its reason."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from .blank_text import is_blank
from .line_breaks import LINE_BREAKS, has_line_break, in_one_line
from .markup import has_markup
from .pairs import Corpus, NoPair, Pair, Rows, read_rows
from .scripts import check_scripts, is_written_in
from .user_tokens import without_tokens

CHARACTERS, CHARACTERS_A_TOKEN = 5_000, 16
"""Most characters of a side, in all and per token: a longer text is too long without counting its tokens. Text has
three to six characters per token."""

REASONS = {
    "undecodable": "not UTF-8. Find out the encoding and convert the file: iconv -f latin1 -t utf-8 OLD > NEW",
    "malformed": "not a row in the format of the rest of the file. Fix or delete the row",
    "damaged": "bytes that cannot be decoded. Fetch the file again, or write it anew",
    "untranslated": "a unit of a document without a translation. Translate it, or leave it as it is",
    "fuzzy": "a translation that is marked fuzzy: it may belong to another text. Check it and take the mark away",
    "obsolete": "an entry of a text that the program no longer has (#~). Leave it as it is",
    "not approved": "a translation that its document says is not approved, or needs work. Check it and approve it",
    "not to be translated": "a unit whose document says so. Leave it as it is",
    "other language": "a unit without a text in one of the languages. Name the languages as the document does",
    "empty": "a side without text. Delete the pair, or check whether the files are still aligned there",
    "line break": "more than one line in one segment. Split the pair, or leave out --line_breaks drop, so that its "
    "line breaks are read as spaces",
    "control characters": "NUL or the like: binary data, or output for a terminal. Extract the text again",
    "too long": f"more tokens than --max_tokens (words, where no tokenizer counts), or more characters than "
    f"{CHARACTERS:,} and {CHARACTERS_A_TOKEN} times that. Split the pair or raise --max_tokens",
    "HTML": "a tag or a character entity, such as <br> or &amp;. Extract the text again, or leave out --drop_html",
    "wrong script": "most letters of a side, except in code and file names, are not in its language's script. Check "
    "the languages of the columns, or whether the text is translated",
    "duplicate": "an earlier pair has the same source and the same target. To keep it, leave out --drop_duplicates",
    "test text": "one of its sides occurs in the validation or a test set. To keep it, leave out --drop_test_text",
    "length ratio": "one side so much longer that it can hardly be a translation. Check the alignment",
    "identical sides": "source and target are the same text. To keep it, leave out --drop_identical",
    "no score": "no figure in its row of --scores, as for a blank or overlong text. Score it, or leave out --scores",
    "score": "below --min_score or above --max_score. To keep it, change them",
    "worst share": "among the share of --drop_lowest or --drop_highest. To keep it, drop fewer",
}
"""Every reason for a drop, with what it means for the reader of a report."""

OF_FILTER = frozenset({"identical sides", "no score", "score", "worst share"})
"""Reasons of `vaswani filter` alone (pair_filter.py)."""

UNREADABLE = frozenset({"undecodable", "malformed", "damaged"})
"""Reasons that indicate a broken source, not an unsuitable sentence: their number is limited."""

EDITION = 2
"""The version of the rules of --drop_html and --check_script: it increases whenever they judge any text differently, so
that no saved position and no cached text is used with rules that it was not made with."""

_RATIO_SLACK = 5
_PLACES = 3

# A tab is white space inside a sentence. The other control characters never are; a line break would put two sentences
# into one row, and a translation must stay on one line.
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class CleaningLimits:
    """The limits for a pair."""

    max_tokens: int = 256
    """Most tokens per side, </s> included."""
    max_ratio: float = 3.0
    """The largest ratio of the longer side to the shorter, in tokens; five more tokens are always allowed."""
    max_characters: int = CHARACTERS
    """Most characters per side; checked before tokenising, so that a line of a megabyte costs nothing."""
    drop_html: bool = False
    """Whether a tag or a character entity on either side is a fault; in text about markup it is not."""
    source_scripts: str | None = None
    """Unicode scripts, such as "Latin" or "Hangul Han" (see `scripts_of`), for half the letters; None: any."""
    target_scripts: str | None = None
    """The same for the target."""
    line_breaks: str = "space"
    """Whether line breaks inside a side become spaces, or the pair is dropped ("drop")."""
    user_symbols: str = ""
    """User tokens, such as "<2de> <BT>", that belong to no language and are not markup."""

    def __post_init__(self) -> None:
        if self.max_tokens < 2:
            raise ValueError(f"max_tokens is {self.max_tokens}, and a word with its </s> takes 2. Give 2 or more.")
        if not self.max_ratio >= 1:
            raise ValueError(f"max_ratio is {self.max_ratio}, and equal sides have a ratio of 1. Give 1 or more.")
        if self.max_characters < 1:
            raise ValueError(f"max_characters is {self.max_characters}, which no text keeps. Give 1 or more.")
        if self.line_breaks not in LINE_BREAKS:
            raise ValueError(f"line_breaks is {self.line_breaks!r}. Give one of: {', '.join(LINE_BREAKS)}.")
        for scripts in (self.source_scripts, self.target_scripts):
            if scripts is not None:
                check_scripts(scripts)

    @property
    def edition(self) -> int | None:
        """`EDITION`, or None if none of its rules is used."""
        return EDITION if self.drop_html or self.source_scripts or self.target_scripts else None

    def facts(self) -> dict[str, Any]:
        """Return, as plain JSON, everything that decides which pairs are kept, for the names of cached files."""
        return asdict(self) | ({"edition": self.edition} if self.edition else {})


def text_fault(pair: Pair, limits: CleaningLimits) -> str | None:
    """Return the reason in its characters to drop a pair, or None."""
    for side in pair:
        if len(side) > limits.max_characters:
            return "too long"
        if is_blank(side):
            return "empty"
        if limits.line_breaks == "drop" and has_line_break(side):
            return "line break"
        if _CONTROL.search(side):
            return "control characters"
        if limits.drop_html and has_markup(without_tokens(side, limits.user_symbols)):
            return "HTML"
    for side, scripts in zip(pair, (limits.source_scripts, limits.target_scripts), strict=True):
        if scripts is not None and not is_written_in(without_tokens(side, limits.user_symbols), scripts):
            return "wrong script"
    return None


def length_fault(source_tokens: int, target_tokens: int, limits: CleaningLimits) -> str | None:
    """Return the reason in its numbers of tokens (</s> included) to drop a pair, or None.

    The ratio is a sign of misalignment in sentences, not in words: "Donaudampfschifffahrt" may well be six tokens
    against two. So a pair is dropped only where longer > max_ratio * shorter + 5. Called by encoding.py.
    """
    shorter, longer = sorted((source_tokens, target_tokens))
    if longer > limits.max_tokens:
        return "too long"
    if longer > limits.max_ratio * shorter + _RATIO_SLACK:
        return "length ratio"
    return None


@dataclass
class Drops:
    """How many pairs were kept, how many were dropped for which reason, and where the first of these are.

    All places of unreadable rows are kept, so that a user can fix them.

    Drops of several processes can be added: `a + b`.
    """

    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    places: dict[str, list[str]] = field(default_factory=dict)
    joined: int = 0
    """Pairs with line breaks inside, which were read as spaces; these are not drops, and not all are kept."""

    def add(self, reason: str, where: str) -> None:
        """Count one dropped pair."""
        self.dropped[reason] += 1
        places = self.places.setdefault(reason, [])
        if reason in UNREADABLE:
            if places[-1:] != [
                where
            ]:  # all rows of a damaged group have one place; searching more places would take too long
                places.append(where)
        elif len(places) < _PLACES and where not in places:
            places.append(where)

    def __add__(self, other: "Drops") -> "Drops":
        merged = Drops(self.kept + other.kept, self.dropped + other.dropped, {}, self.joined + other.joined)
        for reason in self.places | other.places:
            places = list(dict.fromkeys(self.places.get(reason, []) + other.places.get(reason, [])))
            merged.places[reason] = places if reason in UNREADABLE else places[:_PLACES]
        return merged

    @property
    def rows(self) -> int:
        """How many rows there were, kept and dropped."""
        return self.kept + self.dropped.total()

    @property
    def unreadable(self) -> int:
        """How many rows could not be read."""
        return sum(self.dropped[reason] for reason in UNREADABLE)

    def report(self) -> str:
        """Return a line with the totals, then a line for each reason, and one of line breaks that became spaces."""
        dropped = self.dropped.total()
        lines = [f"{self.kept:,} pairs kept, {dropped:,} dropped" + (":" if dropped else ".")]
        for reason, count in self.dropped.most_common():
            lines.append(
                f"  {count:,} {reason} ({REASONS[reason]}); first at {'; '.join(self.places[reason][:_PLACES])}"
            )
        if self.joined:
            lines.append(
                f"  {self.joined:,} had line breaks inside, read as spaces; to drop such pairs: --line_breaks drop"
            )
        return "\n".join(lines)


class Dropped(NamedTuple):
    """A row of a group that is not kept."""

    position: int
    reason: str


def readable(
    rows: Rows, limits: CleaningLimits, drops: Drops, dropped: list[Dropped] | None = None
) -> Iterator[tuple[int, Pair]]:
    """Yield position and pair of each readable row of a group without a fault in its text; count the others.

    Line breaks inside become spaces, unless `limits` drops such pairs. Dropped rows are added to `dropped`, if it is
    given.
    """
    for position, row in enumerate(rows):
        if isinstance(row, NoPair):
            reason, where = row
        else:
            pair = row if limits.line_breaks == "drop" else Pair(*map(in_one_line, row))
            fault = text_fault(pair, limits)
            if fault is None:
                drops.joined += pair != row
                yield position, pair
                continue
            reason, where = fault, rows.where(position)
        drops.add(reason, where)
        if dropped is not None:
            dropped.append(Dropped(position, reason))


def readable_rows(
    corpus: Corpus, groups: Iterable[int], limits: CleaningLimits, drops: Drops
) -> Iterator[tuple[int, int, Pair]]:
    """Yield group, position and pair of the `readable` rows of several groups."""
    for group in groups:
        for position, pair in readable(read_rows(corpus, group), limits, drops):
            yield group, position, pair


def clean_pairs(corpus: Corpus, limits: CleaningLimits, drops: Drops) -> Iterator[Pair]:
    """Yield, in order, the readable pairs of a corpus without a fault in their text; count kept and dropped pairs."""
    for _, _, pair in readable_rows(corpus, range(corpus.groups), limits, drops):
        drops.kept += 1
        yield pair
