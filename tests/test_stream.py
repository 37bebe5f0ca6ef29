"""The order of training is a function of data, seed and position: not of processes, workers or interruptions."""

import hashlib
import json
import logging
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, fields
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from corpus_of_numbers import LIMITS, NumberedCorpus, Seen, number_tokenizer, numbered_stream, seen
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from vaswani.data import Pair, TokenCache, fingerprint, learn_tokenizer
from vaswani.data.cleaning import CleaningLimits
from vaswani.data.encoding import encode, encode_group
from vaswani.data.glossary.glossary import Glossary, Term
from vaswani.data.shuffling import Order
from vaswani.data.stream import MicroBatches, StreamMismatchError, TooManyUnreadableError, TrainingStream

B = 24
"""Micro-batches a step: 1, 2, 3, 4, 6 and 8 processes share them."""

EPOCHS = 3


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return number_tokenizer()


def whole(stream: TrainingStream, batches: int) -> list[Seen]:
    """The sequence of one process without interruption."""
    return [seen(batch) for batch in islice(MicroBatches(stream, 0, 1), batches)]


def noted(stream: TrainingStream) -> Iterator[Seen]:
    """What one process trains on."""
    for batch in MicroBatches(stream, 0, 1):
        stream.note(batch["place"])
        yield seen(batch)


def whole_epochs(stream: TrainingStream) -> tuple[list[Seen], dict[str, Any]]:
    """The steps of one process without interruption until three epochs are over, and the state that they end in."""
    found: list[Seen] = []
    batches = noted(stream)
    while stream.epoch([stream.notes()]) < EPOCHS:
        found += islice(batches, B)
    return found, stream.state(len(found), [stream.notes()])


class Life(NamedTuple):
    """What a run does between two stops."""

    steps: int
    processes: int
    workers: int


class Setting(NamedTuple):
    """What the order of training depends on."""

    corpus: NumberedCorpus
    seed: int
    streams: int
    window_groups: int
    widths: tuple[int, ...] = ()

    def stream(self, tokenizer: PreTrainedTokenizerFast, cache: TokenCache | None = None) -> TrainingStream:
        return numbered_stream(
            self.corpus,
            tokenizer,
            seed=self.seed,
            streams=self.streams,
            window_groups=self.window_groups,
            cache=cache,
            max_unreadable=1.0,
            widths=self.widths,
        )


@st.composite
def drawn_settings(draw: st.DrawFn) -> Setting:
    """Small corpora of 2 to 9 groups; in some, all rows of a group are unreadable, so that a window has no batch.

    Batches of some have fixed shapes.
    """
    sizes = draw(st.lists(st.integers(2, 40), min_size=2, max_size=9).map(tuple))
    # A stream must have a usable group in its share.
    streams = draw(st.integers(1, len(sizes)))
    lost = draw(st.integers(0, len(sizes) - 1)) if len(sizes) >= 2 * streams and draw(st.booleans()) else None
    unreadable = frozenset((lost, row) for row in range(sizes[lost])) if lost is not None else frozenset()
    corpus = NumberedCorpus(sizes, draw(st.sampled_from([0, 5])), unreadable)
    widths = draw(st.sampled_from([(), (40,), (8, 11, 13, 50)]))
    return Setting(corpus, draw(st.integers(0, 2**31)), streams, draw(st.integers(1, 4)), widths)


def drawn_lives(processes: list[int]) -> st.SearchStrategy[list[Life]]:
    life = st.builds(Life, st.integers(1, 5), st.sampled_from(processes), st.sampled_from([0, 1, 2, 5]))
    return st.lists(life, min_size=1, max_size=6)


def slowly(examples: int) -> settings:
    return settings(deadline=None, max_examples=examples, suppress_health_check=[HealthCheck.function_scoped_fixture])


# --- one sequence, however it is split and stopped ---


def interrupted(
    fresh: Callable[[], TrainingStream],
    shares: Callable[[TrainingStream, Life, int, Callable[[], TrainingStream]], Iterator[dict[str, Any]]],
    lives: Iterable[Life],
    batches: int,
) -> tuple[list[Seen], dict[str, Any]]:
    """What a run sees that stops after each life and resumes from its state with what the next life says.

    `shares` gives one process's micro-batches; it may make further streams at the position where the life begins.
    """
    found: list[Seen] = []
    state = None
    for life in lives:

        def resumed(state: Any = state) -> TrainingStream:
            stream = fresh()
            if state is not None:
                stream.restore(json.loads(json.dumps(state)))
            return stream

        ranks = [resumed() for _ in range(life.processes)]
        iterators = [shares(stream, life, rank, resumed) for rank, stream in enumerate(ranks)]
        for number in range(min(life.steps * B, batches - len(found))):
            batch = next(iterators[number % life.processes])
            ranks[number % life.processes].note(batch["place"])
            found.append(seen(batch))
        state = ranks[0].state(len(found), [rank.notes() for rank in ranks])
        if len(found) == batches:
            return found, state
    raise AssertionError("the lives ended before the run")


def simulated_workers(
    stream: TrainingStream, life: Life, rank: int, resumed: Callable[[], TrainingStream]
) -> Iterator[dict[str, Any]]:
    """The share of a process whose loader workers are streams of their own, taken from by turns."""
    workers = max(1, life.workers)
    readers = [stream] + [resumed() for _ in range(workers - 1)]
    parts = [MicroBatches(reader, rank, life.processes).part(worker, workers) for worker, reader in enumerate(readers)]
    return (next(part) for part in cycle(parts))


def real_workers(
    stream: TrainingStream, life: Life, rank: int, _: Callable[[], TrainingStream]
) -> Iterator[dict[str, Any]]:
    """The share of a process whose loader workers are processes."""
    return iter(stream.loader(rank, life.processes, life.workers, pin_memory=False))


@given(drawn_settings(), drawn_lives([1, 2, 3, 4, 6, 8]), st.booleans())
@example(Setting(NumberedCorpus((20,) * 9, 5), 1, 4, 1), [Life(1, 8, 5), Life(2, 3, 2), Life(1, 6, 0)], True)
@slowly(25)
def test_any_split_and_any_stops_train_the_same_batches(
    tokenizer: PreTrainedTokenizerFast,
    tmp_path_factory: pytest.TempPathFactory,
    setting: Setting,
    lives: list[Life],
    cached: bool,
) -> None:
    """Ids and tensors of every micro-batch over three epochs, and what the state says was dropped in the first."""
    expected, end = whole_epochs(setting.stream(tokenizer))
    cache = TokenCache(tmp_path_factory.mktemp("packed")) if cached else None
    found, state = interrupted(lambda: setting.stream(tokenizer, cache), simulated_workers, cycle(lives), len(expected))
    assert found == expected
    assert state == end


@given(drawn_settings(), drawn_lives([1, 2, 3]).filter(lambda lives: any(life.workers for life in lives)))
@example(Setting(NumberedCorpus((30, 25, 35, 20, 30, 10)), 0, 2, 2), [Life(1, 1, 5), Life(2, 2, 2), Life(1, 3, 1)])
@slowly(4)
@pytest.mark.filterwarnings("ignore:This DataLoader will create 5 worker processes")
def test_loader_workers_do_not_change_the_order(
    tokenizer: PreTrainedTokenizerFast, setting: Setting, lives: list[Life]
) -> None:
    expected, end = whole_epochs(setting.stream(tokenizer))
    found, state = interrupted(lambda: setting.stream(tokenizer), real_workers, cycle(lives), len(expected))
    assert found == expected
    assert state == end


@given(drawn_settings())
@slowly(20)
def test_every_row_comes_once_an_epoch_and_with_its_own_tokens(
    tokenizer: PreTrainedTokenizerFast, setting: Setting
) -> None:
    corpus, stream = setting.corpus, setting.stream(tokenizer)
    rows: dict[int, Counter[tuple[int, int]]] = {epoch: Counter() for epoch in range(EPOCHS)}
    for batch in MicroBatches(stream, 0, 1):
        stream.note(batch["place"])
        if stream.epoch([stream.notes()]) >= EPOCHS:
            break
        found = seen(batch)
        if found.epoch < EPOCHS:
            rows[found.epoch].update(found.rows)
        assert bool(setting.widths) or len(found.rows) == len(batch["labels"])
        assert (batch["labels"][len(found.rows) :] == -100).all()
        for (group, row), source, target in zip(found.rows, batch["input_ids"], batch["labels"], strict=False):
            pair = corpus.read(group)[row]
            assert isinstance(pair, Pair)
            assert source[source != tokenizer.pad_token_id].tolist() == tokenizer(pair.source).input_ids
            assert target[target != -100].tolist() == tokenizer(pair.target).input_ids
    for epoch, counted in rows.items():
        assert counted == Counter(corpus.kept_rows()), f"epoch {epoch} lost or repeated rows"
    drops = stream.drops([stream.notes()])
    assert drops.kept == len(corpus.kept_rows())
    assert drops.dropped.total() == corpus.rows - len(corpus.kept_rows())
    assert drops.unreadable == len(corpus.unreadable)


def test_epochs_and_seeds_have_orders_of_their_own(tokenizer: PreTrainedTokenizerFast) -> None:
    corpus = NumberedCorpus((40, 40, 40, 40))
    first = whole(numbered_stream(corpus, tokenizer, seed=1), 60)
    second = whole(numbered_stream(corpus, tokenizer, seed=2), 60)
    assert [batch.rows for batch in first] != [batch.rows for batch in second]
    batches_an_epoch = next(k for k in range(1, 60) if sum(len(batch.rows) for batch in first[:k]) == 160)
    rows = [batch.rows for batch in first]
    assert rows[:batches_an_epoch] != rows[batches_an_epoch : 2 * batches_an_epoch]


def test_epochs_read_the_groups_in_orders_of_their_own(tokenizer: PreTrainedTokenizerFast) -> None:
    """With one group a window, the groups come one after another."""
    found, _ = whole_epochs(numbered_stream(NumberedCorpus((9,) * 8), tokenizer, window_groups=1))
    orders = {
        tuple(dict.fromkeys(batch.rows[0][0] for batch in found if batch.epoch == epoch)) for epoch in range(EPOCHS)
    }
    assert len(orders) == EPOCHS
    assert all(sorted(order) == list(range(8)) for order in orders)


def test_each_process_tells_the_epoch_of_its_own_streams(tokenizer: PreTrainedTokenizerFast) -> None:
    """Two processes with a stream each, stopped and resumed on the way: the slower of them is where one would be."""
    corpus = NumberedCorpus((30, 25, 35, 20, 30, 10))

    def fresh(state: Any = None) -> TrainingStream:
        stream = numbered_stream(corpus, tokenizer, streams=2)
        if state is not None:
            stream.restore(json.loads(json.dumps(state)))
        return stream

    single, state = fresh(), None
    batches, steps = noted(single), 0
    while single.epoch([single.notes()]) < EPOCHS:
        ranks = [fresh(state) for _ in range(2)]
        shares = [iter(MicroBatches(stream, rank, 2)) for rank, stream in enumerate(ranks)]
        for _ in range(5):
            steps += 1
            for _ in range(2):
                next(batches)
            for stream, share in zip(ranks, shares, strict=True):
                stream.note(next(share)["place"])
            own = [stream.epoch([stream.notes()]) for stream in ranks]
            assert min(own) == single.epoch([single.notes()])
            assert max(own) <= min(own) + 1
        state = ranks[0].state(2 * steps, [stream.notes() for stream in ranks])


def test_a_resume_reads_nothing_before_its_window(tokenizer: PreTrainedTokenizerFast) -> None:
    corpus = NumberedCorpus((30,) * 10)
    stream = numbered_stream(corpus, tokenizer, window_groups=2)
    for batch in islice(MicroBatches(stream, 0, 1), 40):
        stream.note(batch["place"])
    state = stream.state(40, [stream.notes()])

    read: list[int] = []

    class Watched(NumberedCorpus):
        def read(self, group: int) -> Any:
            read.append(group)
            return super().read(group)

    resumed = numbered_stream(Watched((30,) * 10), tokenizer, window_groups=2)
    resumed.restore(state)
    next(iter(MicroBatches(resumed, 0, 1)))
    assert len(read) <= 6  # the window it stopped in, the next if it stopped at the end of one, and one ahead


def test_at_the_start_every_stream_gets_its_window_before_anything_is_read_ahead(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    read: list[int] = []

    class Watched(NumberedCorpus):
        def read(self, group: int) -> Any:
            read.append(group)
            return super().read(group)

    stream = numbered_stream(Watched((30,) * 24), tokenizer, streams=4, window_groups=2)
    batches = iter(MicroBatches(stream, 0, 1))
    for _ in range(4):
        next(batches)
    assert len(read) == 1 + 1 + 2 + 2  # the first windows, of unlike size
    next(batches)  # the second of stream 0, whose next window is now being read
    assert stream._ahead is not None
    stream._ahead.shutdown(wait=True)
    assert len(read) == 6 + 2


# --- the packed cache ---


def truncate(content: bytes) -> bytes:
    return content[: len(content) // 2]


def shrink_an_array(content: bytes) -> bytes:
    """The length of an array, in the list of all."""
    at = content.index(b"[1000]") + 1
    return content[:at] + b"0" + content[at + 1 :]


def change_a_token(content: bytes) -> bytes:
    at = len(content) - 1000
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def change_a_name(content: bytes) -> bytes:
    return content.replace(b"sources", b"sourced", 1)


@pytest.mark.parametrize(
    "damage", [truncate, shrink_an_array, change_a_token, change_a_name, lambda _: b"", lambda _: bytes(5000)]
)
def test_a_damaged_packed_file_is_noticed_and_written_anew(
    tmp_path: Path,
    tokenizer: PreTrainedTokenizerFast,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[bytes], bytes],
) -> None:
    corpus = NumberedCorpus((1000, 1000))
    expected = whole(numbered_stream(corpus, tokenizer, budget=400), 200)
    cache = TokenCache(tmp_path)
    first = numbered_stream(corpus, tokenizer, budget=400, cache=cache)
    whole(first, 10)
    assert first._ahead is not None
    first._ahead.shutdown(wait=True)  # what it reads ahead must not come upon the damage too
    path = tmp_path / "0000001.tokens"
    good = path.read_bytes()
    path.write_bytes(damage(good))
    with caplog.at_level(logging.WARNING):
        found = whole(numbered_stream(corpus, tokenizer, budget=400, cache=cache), 200)
    assert found == expected
    assert [record.getMessage().split(" (")[0] for record in caplog.records] == [f"{path} is damaged"]
    assert path.read_bytes() == good


@given(st.data())
@slowly(60)
def test_no_change_of_a_packed_file_goes_unnoticed(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast, data: st.DataObject
) -> None:
    cache = TokenCache(tmp_path)
    cache.store(0, encode_group(NumberedCorpus((9,)), 0, partial(encode, tokenizer), LIMITS))
    path = tmp_path / "0000000.tokens"
    content = bytearray(path.read_bytes())
    for at in data.draw(st.sets(st.integers(0, len(content) - 1), min_size=1, max_size=3)):
        content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    assert cache.load(0) is None
    assert not path.exists()


def test_a_cold_a_warm_and_a_partly_filled_cache_give_the_same_batches(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    sizes, every, unreadable = (30, 25, 35, 20, 30, 10), 5, frozenset({(2, 1)})
    expected = whole_epochs(Setting(NumberedCorpus(sizes, every, unreadable), 3, 2, 2).stream(tokenizer))

    def groups_read(cache: TokenCache) -> list[int]:
        read: list[int] = []

        class Watched(NumberedCorpus):
            def read(self, group: int) -> Any:
                read.append(group)
                return super().read(group)

        assert whole_epochs(Setting(Watched(sizes, every, unreadable), 3, 2, 2).stream(tokenizer, cache)) == expected
        return sorted(read)

    cold, partly_filled = TokenCache(tmp_path / "one"), TokenCache(tmp_path / "other")
    assert groups_read(cold) == [0, 1, 2, 3, 4, 5]
    assert cold.filled() == 6
    assert groups_read(cold) == []
    for group in (1, 2, 5):
        shutil.copy(cold.folder / f"{group:07d}.tokens", partly_filled.folder)
    assert groups_read(partly_filled) == [0, 3, 4]


# --- what is refused ---

CHANGES: dict[str, dict[str, Any]] = {
    "seed": {"seed": 9},
    "tokens_per_batch": {"budget": 80},
    "streams": {"streams": 2},
    "window_groups": {"window_groups": 3},
    "widths": {"widths": (8, 40)},
    "bpe_dropout": {"bpe_dropout": 0.1},
    "glossary": {"glossary": Glossary("terms.tsv", (Term("one", ("eins",)),))},
    "term_share": {"term_share": 0.5},
    "max_tokens": {"limits": CleaningLimits(max_tokens=41, max_ratio=20)},
    "max_ratio": {"limits": CleaningLimits(max_tokens=40, max_ratio=19)},
    "max_characters": {"limits": CleaningLimits(max_tokens=40, max_ratio=20, max_characters=80)},
    "drop_html": {"limits": CleaningLimits(max_tokens=40, max_ratio=20, drop_html=True)},
    "source_scripts": {"limits": CleaningLimits(max_tokens=40, max_ratio=20, source_scripts="Latin")},
    "line_breaks": {"limits": CleaningLimits(max_tokens=40, max_ratio=20, line_breaks="drop")},
    "user_symbols": {"limits": CleaningLimits(max_tokens=40, max_ratio=20, user_symbols="<2de>")},
    "target_scripts": {"limits": CleaningLimits(max_tokens=40, max_ratio=20, target_scripts="Latin")},
    "data": {"corpus": NumberedCorpus((30, 30, 31))},
    "tokenizer": {"tokenizer": learn_tokenizer(["three four 0 1 2 3 4 5 6 7 8 9"] * 3, 280, show_progress=False)},
}


@pytest.mark.parametrize(("field", "change"), CHANGES.items(), ids=list(CHANGES))
def test_a_position_of_other_data_or_another_order_is_refused(
    tokenizer: PreTrainedTokenizerFast, field: str, change: dict[str, Any]
) -> None:
    same: dict[str, Any] = {"corpus": NumberedCorpus((30, 30, 30)), "tokenizer": tokenizer}
    stream = numbered_stream(**same)
    state = json.loads(json.dumps(stream.state(0, [stream.notes()])))
    numbered_stream(**same).restore(state)
    with pytest.raises(StreamMismatchError, match=rf"fit this run: {field} was [^;]* and is [^;]*\. Resume with"):
        numbered_stream(**(same | change)).restore(state)


def test_all_that_the_order_depends_on_is_in_the_test_above() -> None:
    assert {field.name for kind in (Order, CleaningLimits) for field in fields(kind)} | {"data", "tokenizer"} == set(
        CHANGES
    )


def test_all_that_changed_is_named(tokenizer: PreTrainedTokenizerFast) -> None:
    stream = numbered_stream(NumberedCorpus((30, 30)), tokenizer)
    state = stream.state(0, [stream.notes()])
    with pytest.raises(StreamMismatchError, match="tokens_per_batch was 64 and is 80; max_tokens was 40 and is 50"):
        numbered_stream(
            NumberedCorpus((30, 30)), tokenizer, budget=80, limits=CleaningLimits(max_tokens=50, max_ratio=20)
        ).restore(state)


def test_a_position_from_before_an_option_existed_is_taken_where_the_option_is_off(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    corpus = NumberedCorpus((30, 30, 30))
    stream = numbered_stream(corpus, tokenizer)
    state = stream.state(0, [stream.notes()])
    del state["identity"]["drop_html"], state["identity"]["widths"]
    numbered_stream(corpus, tokenizer).restore(state)
    limits = CleaningLimits(max_tokens=40, max_ratio=20, drop_html=True)
    order = Order(seed=0, tokens_per_batch=64, streams=1, window_groups=2)
    with pytest.raises(StreamMismatchError, match="drop_html was False and is True"):
        TrainingStream(corpus, tokenizer, fingerprint(tokenizer), limits, order).restore(state)


def test_a_position_of_other_rules_of_cleaning_is_refused_where_they_were_asked_for(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    corpus = NumberedCorpus((30, 30, 30))
    judged = CleaningLimits(max_tokens=40, max_ratio=20, drop_html=True)
    for limits, refused in ((judged, True), (CleaningLimits(max_tokens=40, max_ratio=20), False)):
        stream = numbered_stream(corpus, tokenizer, limits=limits)
        state = json.loads(json.dumps(stream.state(0, [stream.notes()])))
        numbered_stream(corpus, tokenizer, limits=limits).restore(state)
        del state["edition"]  # as it was saved under the rules of before
        if refused:
            with pytest.raises(StreamMismatchError, match=r"used edition 1 of their rules and now use 2\. Resume with"):
                numbered_stream(corpus, tokenizer, limits=limits).restore(state)
            assert limits.facts() != asdict(limits)
        else:
            numbered_stream(corpus, tokenizer, limits=limits).restore(state)
            assert limits.facts() == asdict(limits)


def test_a_position_of_a_version_that_judged_line_breaks_otherwise_is_refused(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    stream = numbered_stream(NumberedCorpus((30, 30, 30)), tokenizer)
    state = json.loads(json.dumps(stream.state(0, [stream.notes()])))
    del state["identity"]["line_breaks"]
    with pytest.raises(StreamMismatchError, match="line_breaks was 'of an earlier version' and is 'space'"):
        stream.restore(state)


def test_widths_have_to_hold_every_pair(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(ValueError, match=r"may have 40 tokens a side and the last of --widths is 39; lower --max_tok"):
        numbered_stream(NumberedCorpus((4,)), tokenizer, widths=(8, 39))


def test_a_corpus_without_a_usable_pair_is_an_error_and_not_an_endless_search(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    stream = numbered_stream(NumberedCorpus((4, 4), bad_every=1), tokenizer)
    with pytest.raises(ValueError, match=r"no pair of numbers \(stream 0 of 1\) is left to train on.*8 dropped"):
        next(iter(MicroBatches(stream, 0, 1)))


def test_more_streams_than_groups_are_refused(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(ValueError, match="3 row groups, too few for 4 streams"):
        numbered_stream(NumberedCorpus((5, 5, 5)), tokenizer, streams=4)


# --- rows that cannot be read ---

SPREAD = NumberedCorpus((25,) * 8, unreadable=frozenset((group, 3) for group in range(8)))
"""200 rows, of which 8 cannot be read: one in each group, and so 4 in each of two streams."""


def test_as_many_unreadable_rows_as_allowed_are_counted_and_training_goes_on(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    """The share is one of an epoch: over three epochs, 24 rows could not be read."""
    stream = numbered_stream(SPREAD, tokenizer, max_unreadable=0.04)
    _, state = whole_epochs(stream)
    drops = stream.drops([stream.notes()])
    assert (drops.kept, dict(drops.dropped)) == (192, {"malformed": 8})
    assert len(drops.places["malformed"]) == 8
    resumed = numbered_stream(SPREAD, tokenizer, max_unreadable=0.04)
    resumed.restore(json.loads(json.dumps(state)))
    assert resumed.drops([resumed.notes()]) == drops


TOO_MANY = (
    r"8 rows of numbers could not be read in this epoch, more than 3\.90% of 200; fix the source, or allow more with "
    r"--max_unreadable\. Latest: .*malformed.* first at numbers, group \d, row 4"
)


def test_one_unreadable_row_too_many_ends_the_run(tokenizer: PreTrainedTokenizerFast) -> None:
    stream = numbered_stream(SPREAD, tokenizer, window_groups=1, max_unreadable=0.039)
    taken: list[Seen] = []
    with pytest.raises(TooManyUnreadableError, match=f"(?s){TOO_MANY}"):
        taken.extend(noted(stream))
    assert sum(len(batch.rows) for batch in taken) == 7 * 24  # on entering the eighth window, not after the epoch


def test_where_the_number_of_rows_is_a_guess_the_limit_is_of_what_was_read(tokenizer: PreTrainedTokenizerFast) -> None:
    class Guessed(NumberedCorpus):
        rows = 25

    corpus = Guessed(SPREAD.sizes, unreadable=SPREAD.unreadable)
    whole_epochs(numbered_stream(corpus, tokenizer, window_groups=1, max_unreadable=0.04))
    with pytest.raises(TooManyUnreadableError, match=r"1 rows of .* more than 3\.90% of 25"):
        list(noted(numbered_stream(corpus, tokenizer, window_groups=1, max_unreadable=0.039)))


def test_unreadable_rows_of_several_processes_are_limited_together(tokenizer: PreTrainedTokenizerFast) -> None:
    """Each of two processes reads one of two streams and sees four rows of eight: only the merged notes tell."""
    ranks = [numbered_stream(SPREAD, tokenizer, streams=2, max_unreadable=0.039) for _ in range(2)]
    for rank, stream in enumerate(ranks):
        for batch in MicroBatches(stream, rank, 2):
            stream.note(batch["place"])
            if stream.epoch([stream.notes()]) == 1:
                break
    for stream in ranks:
        assert stream.drops([stream.notes()]).unreadable == 4
        stream.state(0, [stream.notes()])
    with pytest.raises(TooManyUnreadableError, match=f"(?s){TOO_MANY}"):
        ranks[0].state(0, [stream.notes() for stream in ranks])


def test_a_window_of_nothing_but_unreadable_rows_counts(tokenizer: PreTrainedTokenizerFast) -> None:
    """It has no batch, so no micro-batch comes from it."""
    corpus = NumberedCorpus((25,) * 8, unreadable=frozenset((5, row) for row in range(25)))
    stream = numbered_stream(corpus, tokenizer, window_groups=1, max_unreadable=0.125)
    whole_epochs(stream)
    assert stream.drops([stream.notes()]).unreadable == 25
    with pytest.raises(TooManyUnreadableError, match=r"25 rows of numbers .* more than 12\.40% of 200"):
        whole_epochs(numbered_stream(corpus, tokenizer, window_groups=1, max_unreadable=0.124))


# --- for good ---


def test_the_first_thousand_batches_are_what_they_always_were(tokenizer: PreTrainedTokenizerFast) -> None:
    """A run of last year must resume today: this fingerprint may change only with a note in the changelog."""
    stream = numbered_stream(NumberedCorpus((40, 30, 50, 20, 45, 35, 25), bad_every=7), tokenizer, seed=5, streams=2)
    digest = hashlib.sha256()
    for batch in islice(MicroBatches(stream, 0, 1), 1000):
        digest.update(np.asarray(batch["place"].rows, dtype="<i8").tobytes())
    assert digest.hexdigest()[:16] == FIRST_THOUSAND


FIRST_THOUSAND = "53d59569a1a796ae"
