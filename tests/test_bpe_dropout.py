"""BPE-dropout: the tokenizer at 0, bytes at 1, its distribution between, and a part of the order of training."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from corpus_of_groups import GroupedCorpus
from corpus_of_numbers import first, seen
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from vaswani.data import CleaningLimits, Pair, TokenCache, TrainingStream, fingerprint
from vaswani.data.bpe_dropout import BpeDropout
from vaswani.data.shuffling import Order
from vaswani.data.stream import StreamMismatchError
from vaswani.data.tokenizer import learn_tokenizer

TEXT = [
    "a bird sang on the mat and the dog slept by the sea",
    "the bird and the other birds sang there, and the dogs slept",
    "Über den Bergen schläft der Hund, und die Vögel singen <2de> dort.",
]


@pytest.fixture(scope="module")
def learned() -> PreTrainedTokenizerFast:
    return learn_tokenizer(TEXT * 3, 330, show_progress=False)


def text_of(tokenizer: PreTrainedTokenizerFast, ids: list[int]) -> Any:
    return tokenizer.decode(ids, skip_special_tokens=True)


@settings(max_examples=200, deadline=None)
@given(text=st.one_of(st.sampled_from(TEXT), st.text(max_size=40)), seed=st.integers(0, 1000))
def test_at_0_it_is_the_tokenizer_and_at_1_bytes(learned: PreTrainedTokenizerFast, text: str, seed: int) -> None:
    for tokenizer in (learned, WITH_USER_TOKENS):
        never, always = BpeDropout(tokenizer, 0), BpeDropout(tokenizer, 1)
        assert never.encode(text, never.draw(seed)) == tokenizer(text).input_ids
        pieces = tokenizer.convert_ids_to_tokens(always.encode(text, always.draw(seed)))
        assert pieces[-1] == "</s>"
        assert all(len(piece) == 1 or piece == "<2de>" for piece in pieces[:-1])


WITH_USER_TOKENS = learn_tokenizer(TEXT * 3, 330, show_progress=False, user_symbols=["<2de>"])


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=40), seed=st.integers(0, 1000), probability=st.sampled_from([0.1, 0.5]))
def test_any_segmentation_is_the_same_text(
    learned: PreTrainedTokenizerFast, text: str, seed: int, probability: float
) -> None:
    dropout = BpeDropout(learned, probability)
    ids = dropout.encode(text, dropout.draw(seed))
    assert text_of(learned, ids) == text_of(learned, learned(text).input_ids)
    assert dropout.encode(text, dropout.draw(seed)) == ids  # by the key alone


def by_hand(merges: list[tuple[str, str]]) -> PreTrainedTokenizerFast:
    entries = ["</s>", "a", "b", "c", *("".join(merge) for merge in merges)]
    bpe = Tokenizer(models.BPE({entry: number for number, entry in enumerate(entries)}, merges))
    bpe.normalizer = normalizers.Sequence([])
    bpe.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="</s>")


@pytest.mark.parametrize(
    ("word", "merges", "expected"),
    [
        # One merge leads to the next: p, then (1 - p) p.
        ("abc", [("a", "b"), ("ab", "c")], {"a b c": 0.3, "ab c": 0.7 * 0.3, "abc": 0.7 * 0.7}),
        # Either of two at first; where both are left out, none follows.
        ("abc", [("a", "b"), ("b", "c")], {"a b c": 0.3 * 0.3, "ab c": 0.7, "a bc": 0.3 * 0.7}),
        # A merge that was left out in one step can be made in the next: at first the second of two (a, b), then again.
        (
            "abab",
            [("a", "b")],
            {"a b a b": 0.09, "ab ab": 0.91 * 0.7, "ab a b": 0.7 * 0.3, "a b ab": 0.3 * 0.7 * 0.3},
        ),
    ],
)
def test_segmentations_are_as_frequent_as_worked_out_by_hand(
    word: str, merges: list[tuple[str, str]], expected: dict[str, float]
) -> None:
    tokenizer, number = by_hand(merges), 20_000
    dropout = BpeDropout(tokenizer, 0.3)
    draw = dropout.draw(7)
    found = Counter(" ".join(tokenizer.convert_ids_to_tokens(dropout.encode(word, draw)[:-1])) for _ in range(number))
    assert sum(expected.values()) == pytest.approx(1)
    assert found.keys() == expected.keys()
    for pieces, share in expected.items():
        assert abs(found[pieces] / number - share) < 5 * (share * (1 - share) / number) ** 0.5, pieces


CORPUS = GroupedCorpus(
    "lines", tuple(tuple(Pair(TEXT[n % 3][: 12 + n], TEXT[(n + 1) % 3][: 14 + n]) for n in range(9)) for _ in range(4))
)
LIMITS = CleaningLimits(max_tokens=40, max_ratio=20)


def stream(
    tokenizer: PreTrainedTokenizerFast, probability: float = 0.2, seed: int = 0, streams: int = 2
) -> TrainingStream:
    order = Order(seed, 80, streams, window_groups=1, bpe_dropout=probability)
    return TrainingStream(CORPUS, tokenizer, fingerprint(tokenizer), LIMITS, order)


def test_it_is_part_of_the_order_of_training(learned: PreTrainedTokenizerFast) -> None:
    """The same batches on any number of processes and workers, and from any place on; others in each epoch and seed."""
    whole = first(stream(learned), 60)
    assert {each.epoch for each in whole} >= {0, 1, 2}
    for processes, workers in ((2, 1), (3, 2), (1, 4)):
        assert first(stream(learned), 60, processes, workers) == whole
    before = stream(learned)
    for number in range(24):
        before.note(before.micro_batch(number)["place"])
    after = stream(learned)
    after.restore(before.state(24, [before.notes()]))
    assert [seen(after.micro_batch(number)) for number in range(24, 60)] == whole[24:]
    assert first(stream(learned, seed=1), 60) != whole


def test_each_epoch_has_the_same_text_in_other_pieces(learned: PreTrainedTokenizerFast) -> None:
    of = stream(learned, streams=1)
    epochs = [
        {
            tuple(place): window.sources.row(number).tolist()
            for window in of.windows(epoch)
            for number, place in enumerate(window.ids.tolist())
        }
        for epoch in range(2)
    ]
    assert epochs[0].keys() == epochs[1].keys()
    assert len(epochs[0]) == CORPUS.rows
    assert sum(epochs[0][place] != epochs[1][place] for place in epochs[0]) > CORPUS.rows / 2
    for place, ids in epochs[0].items():
        assert text_of(learned, ids) == text_of(learned, epochs[1][place])


def test_a_pair_that_would_be_too_long_stays_as_it_is(learned: PreTrainedTokenizerFast) -> None:
    """At a probability of 1 nearly all would; none is dropped or cut for it."""
    of = stream(learned, probability=1.0, streams=1)
    plain, seen_lengths = stream(learned, probability=0.0, streams=1), []
    for window, as_is in zip(of.windows(), plain.windows(), strict=True):
        assert window.drops.kept == as_is.drops.kept
        for side in (window.sources, window.targets):
            seen_lengths += side.lengths.tolist()
    assert max(seen_lengths) <= LIMITS.max_tokens
    assert len(seen_lengths) == 2 * CORPUS.rows


def test_another_probability_is_refused_on_the_way(learned: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    before = stream(learned, probability=0.1)
    with pytest.raises(StreamMismatchError, match=r"bpe_dropout was 0\.1 and is 0\.2"):
        stream(learned).restore(before.state(0, [before.notes()]))
    order = Order(0, 80, bpe_dropout=0.1)
    with pytest.raises(ValueError, match="leave out one of --bpe_dropout and --packed_cache"):
        TrainingStream(CORPUS, learned, fingerprint(learned), LIMITS, order, TokenCache(tmp_path / "cache"))
    with pytest.raises(ValueError, match=r"bpe_dropout is 1\.5; give a probability"):
        Order(0, 80, bpe_dropout=1.5)
