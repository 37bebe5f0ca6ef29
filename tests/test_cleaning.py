"""Cleaning: a pair is kept whole or dropped with a reason, and nothing is lost from the count."""

import pickle
from functools import reduce
from operator import add

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaswani.data.cleaning import REASONS, Drops, Limits, clean_pairs, length_fault, text_fault
from vaswani.data.pairs import Corpus, NoPair, Pair, PairsCorpus, Row

LIMITS = Limits()
TOKENS = st.integers(1, 400)


class WithBadRows(PairsCorpus):
    """Pairs in memory among which some rows cannot be read."""

    def read(self, group: int) -> list[Row]:  # type: ignore[override]
        return [NoPair("undecodable", "line 1, byte 1"), *super().read(group)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a sentence", None),
        ("tab\tinside", None),
        ("line\u2028separator, no\u00a0break, soft\u00adhyphen, zero\u200bwidth", None),
        ("👩‍👩‍👧 e\u0301 größer", None),
        ("", "empty"),
        (" \t\u3000", "empty"),
        ("nul\0", "control characters"),
        ("one\rtwo", "control characters"),
        ("one\ntwo", "control characters"),
        ("bell\x07", "control characters"),
        ("delete\x7f", "control characters"),
        ("nel\x85", "control characters"),
        ("x" * 5_000, None),
        ("x" * 5_001, "too long"),
        ("\0" * 1_000_000, "too long"),
    ],
)
def test_a_text_is_judged_on_either_side(text: str, reason: str | None) -> None:
    assert text_fault(Pair(text, "fine"), LIMITS) == reason
    assert text_fault(Pair("fine", text), LIMITS) == reason


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        (256, 256, None),
        (257, 256, "too long"),
        (256, 257, "too long"),
        (10, 35, None),
        (10, 36, "length ratio"),
        (36, 10, "length ratio"),
        (2, 11, None),
        (2, 12, "length ratio"),
    ],
)
def test_lengths_are_judged_at_the_limits(source: int, target: int, reason: str | None) -> None:
    assert length_fault(source, target, LIMITS) == reason


@given(TOKENS, TOKENS, st.floats(1, 10))
@settings(deadline=None)
def test_length_is_judged_alike_in_both_directions_and_more_is_allowed_by_wider_limits(
    a: int, b: int, ratio: float
) -> None:
    limits = Limits(max_ratio=ratio)
    fault = length_fault(a, b, limits)
    assert fault == length_fault(b, a, limits)
    if fault is None:
        assert length_fault(a, b, Limits(max_tokens=300, max_ratio=ratio + 1)) is None


@given(st.integers(1, 5), st.integers(1, 5))
@settings(deadline=None)
def test_a_few_words_are_never_dropped_by_ratio(a: int, b: int) -> None:
    assert length_fault(a, b, Limits(max_ratio=1)) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_tokens": 1}, "max_tokens is 1"),
        ({"max_ratio": 0.5}, "max_ratio is 0.5"),
        ({"max_ratio": float("nan")}, "max_ratio is nan"),
        ({"max_characters": 0}, "max_characters is 0"),
    ],
)
def test_limits_that_keep_nothing_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Limits(**arguments)  # type: ignore[arg-type]


@given(st.lists(st.builds(Pair, st.text(max_size=6), st.text(max_size=6))))
@settings(deadline=None)
def test_every_row_is_yielded_in_order_or_counted(pairs: list[Pair]) -> None:
    corpus: Corpus = WithBadRows("rows", pairs)
    drops, limits = Drops(), Limits(max_characters=5)
    kept = list(clean_pairs(corpus, limits, drops))
    assert kept == [pair for pair in pairs if text_fault(pair, limits) is None]
    assert drops.kept == len(kept)
    assert drops.kept + drops.dropped.total() == len(pairs) + corpus.groups
    assert set(drops.dropped) <= set(REASONS)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(sorted(REASONS)))))
@settings(deadline=None)
def test_counts_of_processes_add_up_to_the_count_of_one(events: list[tuple[int, str]]) -> None:
    whole, parts = Drops(), [Drops() for _ in range(4)]
    for number, (process, reason) in enumerate(sorted(events, key=lambda event: event[0])):
        for drops in (whole, parts[process]):
            drops.kept += 1
            drops.add(reason, f"row {number}")
    assert reduce(add, parts) == whole
    assert pickle.loads(pickle.dumps(whole)) == whole


def test_a_report_names_count_reason_remedy_and_the_first_places() -> None:
    drops = Drops(kept=1_234)
    for number in range(5):
        drops.add("undecodable", f"train.de, line {number + 1}, byte 3")
    drops.add("empty", "train.de, group 0, row 7")
    totals, undecodable, empty = drops.report().splitlines()
    assert totals == "1,234 pairs kept, 6 dropped:"
    assert "5 undecodable" in undecodable
    assert "iconv" in undecodable
    assert undecodable.endswith("train.de, line 1, byte 3; train.de, line 2, byte 3; train.de, line 3, byte 3")
    assert empty.endswith("first at train.de, group 0, row 7")
    assert Drops(kept=2).report() == "2 pairs kept, 0 dropped."
