"""Duplicates: the first of several equal pairs is kept, the others are dropped and counted, whatever the groups."""

import os
import pickle
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from corpus_of_groups import GroupedCorpus, grouped_corpora
from hypothesis import given, settings
from hypothesis import strategies as st

from vaswani.data import CleaningLimits, Corpus, Drops, Mixture, Pair, clean_pairs, deduplicated, open_corpus
from vaswani.data.duplicates import Deduplicated, find_repeats, load_repeats, pair_hash, repeated_places, save_repeats
from vaswani.data.pairs import ROWS_PER_GROUP, NoPair, Row


def contents(corpus: Corpus) -> list[list[Row]]:
    return [list(corpus.read(group)) for group in range(corpus.groups)]


@given(st.lists(grouped_corpora, max_size=3))
@settings(deadline=None, max_examples=300)
def test_every_pair_stays_where_it_first_stood_and_nowhere_else(corpora: list[GroupedCorpus]) -> None:
    seen: set[Row] = set()
    for corpus, found in zip(corpora, deduplicated(corpora), strict=True):
        for group, rows in enumerate(corpus.content):
            expected: list[Row] = []
            for position, row in enumerate(rows, 1):
                repeats = isinstance(row, Pair) and row in seen
                expected.append(
                    NoPair("duplicate", f"{corpus.name}, group {group}, row {position}") if repeats else row
                )
                seen.add(row)
            assert found.read(group) == expected
        assert (found.groups, found.rows) == (corpus.groups, corpus.rows)


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 40)))
@settings(deadline=None)
def test_repeated_places_are_those_that_a_set_has_seen(numbers: list[int]) -> None:
    expected = [at for at, number in enumerate(numbers) if number != 0 and number in numbers[:at]]
    assert repeated_places(np.array(numbers, dtype=np.uint64)).tolist() == expected


@given(grouped_corpora)
@settings(deadline=None)
def test_drops_are_counted_by_reason_and_the_rest_comes_in_order(corpus: GroupedCorpus) -> None:
    [found], drops = deduplicated([corpus]), Drops()
    kept = list(clean_pairs(found, CleaningLimits(), drops))
    pairs = [row for rows in corpus.content for row in rows if isinstance(row, Pair)]
    assert kept == [pair for pair in dict.fromkeys(pairs) if pair.source and pair.target]
    assert drops.dropped["duplicate"] == len(pairs) - len(set(pairs))
    assert drops.kept + drops.dropped.total() == corpus.rows
    assert "duplicate (" in drops.report() or len(pairs) == len(set(pairs))


@given(grouped_corpora, grouped_corpora)
@settings(deadline=None)
def test_a_fingerprint_changes_when_what_is_left_changes(first: GroupedCorpus, second: GroupedCorpus) -> None:
    [alone], [_, after] = deduplicated([second]), deduplicated([first, second])
    assert second.fingerprint not in (alone.fingerprint, after.fingerprint)
    assert (alone.fingerprint == after.fingerprint) == (contents(alone) == contents(after))


def test_weights_come_after_deduplication() -> None:
    """In this order a weight repeats pairs; a mixture that is deduplicated reads every pair once."""
    corpora = [GroupedCorpus("a", ((Pair("a", "b"), Pair("a", "b")),)), GroupedCorpus("b", ((Pair("c", "d"),),))]
    weighted = Mixture(deduplicated(corpora), [1, 3])
    assert len(list(clean_pairs(weighted, CleaningLimits(), Drops()))) == 1 + 3
    [flat] = deduplicated([Mixture(corpora, [1, 3])])
    drops = Drops()
    assert list(clean_pairs(flat, CleaningLimits(), drops)) == [Pair("a", "b"), Pair("c", "d")]
    assert drops.places["duplicate"] == ["a, group 0, row 2", "b, group 0, row 1"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Text of three groups of lines, of which the numbers from 0 to 899 come again."""
    numbers = [at % 1_900 for at in range(2_800)]
    (tmp_path / "train.en").write_text("".join(f"word {number}\n" for number in numbers), encoding="utf-8")
    (tmp_path / "train.de").write_text("".join(f"Wort {number}\n" for number in numbers), encoding="utf-8")
    return tmp_path


def test_every_process_finds_the_same(folder: Path) -> None:
    """Others hash strings by another seed; the result must not feel it. A pickled corpus, too, is the same."""
    [here] = deduplicated([open_corpus(data_dir=str(folder), split="train", source="en", target="de")])
    assert [sum(isinstance(row, NoPair) for row in rows) for rows in contents(here)] == [0, 100, 800]
    script = (
        "from vaswani.data import Pair, deduplicated, open_corpus\n"
        "from vaswani.data.duplicates import pair_hash\n"
        f"[it] = deduplicated([open_corpus(data_dir={str(folder)!r}, split='train', source='en', target='de')])\n"
        "print(it.fingerprint, pair_hash(Pair('Mäuse', '猫')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [here.fingerprint, str(pair_hash(Pair("Mäuse", "猫")))]
    assert contents(pickle.loads(pickle.dumps(here))) == contents(here)


@given(corpora=st.lists(grouped_corpora, max_size=3))
@settings(deadline=None, max_examples=50)
def test_what_was_saved_is_loaded(tmp_path_factory: pytest.TempPathFactory, corpora: list[GroupedCorpus]) -> None:
    path = tmp_path_factory.mktemp("repeats") / "repeats.npz"
    repeats = find_repeats(corpora)
    save_repeats(path, [])
    save_repeats(path, repeats)
    assert [file.name for file in path.parent.iterdir()] == ["repeats.npz"]
    loaded = load_repeats(path, corpora)
    for corpus, before, after in zip(corpora, repeats, loaded, strict=True):
        assert contents(Deduplicated(corpus, before)) == contents(Deduplicated(corpus, after))
        assert Deduplicated(corpus, before).fingerprint == Deduplicated(corpus, after).fingerprint


def test_a_file_of_other_corpora_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    first, second = (GroupedCorpus(name, ((Pair(name, "b"),) * 9,)) for name in ("first", "second"))
    path = tmp_path / "repeats.npz"
    save_repeats(path, find_repeats([first, second]))
    for others in ([first], [second, first], [first, second, first]):
        with pytest.raises(ValueError, match=r"other than .*first.*Delete it, and search again"):
            load_repeats(path, others)
    whole = path.read_bytes()
    middle = len(whole) // 2
    np.save(tmp_path / "array.npy", np.zeros(3))
    array = (tmp_path / "array.npy").read_bytes()
    for damaged in (b"", whole[:middle], whole[: middle - 200] + b"?" * 200 + whole[middle:], b"no archive", array):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"not a complete file of duplicates .*Delete it"):
            load_repeats(path, [first, second])
    with pytest.raises(FileNotFoundError):
        load_repeats(tmp_path / "none.npz", [first])
    with pytest.raises(ValueError, match=r"second has .* Find those of second"):
        Deduplicated(second, find_repeats([first])[0])


def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    corpus = GroupedCorpus("a", ((Pair("a", "b"),) * 2,))
    path = tmp_path / "repeats.npz"
    [repeats] = find_repeats([corpus])
    save_repeats(path, [repeats])
    before = path.read_bytes()
    broken = repeats._replace(rows=np.zeros((2, 2), np.int32))  # cannot be joined to the others
    with pytest.raises(ValueError, match="dimension"):
        save_repeats(path, [broken])
    assert [file.name for file in tmp_path.iterdir()] == ["repeats.npz"]
    assert path.read_bytes() == before


class ManyRows:
    """Rows made when they are asked for, so that what a pass keeps is all the memory that it takes."""

    name = fingerprint = "many"
    groups = 300
    rows = groups * ROWS_PER_GROUP

    def read(self, group: int) -> list[Row]:
        return [Pair(f"{group} {max(row, 1)}", "same") for row in range(ROWS_PER_GROUP)]


def test_a_pass_takes_at_most_seventeen_bytes_a_row_of_text() -> None:
    tracemalloc.start()
    try:
        [repeats] = find_repeats([ManyRows()])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert repeats.rows.tolist() == [1] * ManyRows.groups
    assert peak < 17 * ManyRows.rows
