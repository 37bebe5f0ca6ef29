"""What a run keeps for later ones is found again, belongs to exactly its text, and never takes a disk unasked."""

import errno
import gc
import json
import pickle
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from corpus_of_numbers import NumberedCorpus
from transformers import PreTrainedTokenizerFast

from vaswani.data import CleaningLimits, Pair, PairsCorpus, TokenCache, fingerprint, learn_tokenizer
from vaswani.data.encoding import encode, encode_group
from vaswani.data.token_cache import GroupReader
from vaswani.experiment import caches
from vaswani.experiment.caches import joint_tokenizer, repeats, sample_of_groups, token_cache
from vaswani.experiment.data_arguments import DataArguments
from vaswani.training.checkpointing.checkpoints import seal

LIMITS = CleaningLimits(max_tokens=40)


@pytest.fixture
def data(tmp_path: Path) -> DataArguments:
    return DataArguments(dataset="grammar", cache_dir=str(tmp_path / "cache"), packed_cache=True)


def test_a_vocabulary_is_learned_once_for_a_text(data: DataArguments, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = NumberedCorpus((50, 50))
    first = joint_tokenizer(corpus, 280, LIMITS, data, seed=1, run=None)
    assert "Learning 280 tokens from numbers" in capsys.readouterr().out
    again = joint_tokenizer(corpus, 280, LIMITS, data, seed=1, run=None)
    assert capsys.readouterr().out == ""
    assert fingerprint(again) == fingerprint(first)
    for other in (NumberedCorpus((50, 51)), corpus):
        joint_tokenizer(other, 280 if other is not corpus else 285, LIMITS, data, seed=1, run=None)
        assert "Learning" in capsys.readouterr().out


def test_a_run_keeps_the_vocabulary_that_it_began_with(data: DataArguments, tmp_path: Path) -> None:
    run = tmp_path / "run"
    first = joint_tokenizer(NumberedCorpus((50, 50)), 280, LIMITS, data, seed=1, run=run)
    assert (run / "tokenizer.json").exists()
    elsewhere = replace(data, cache_dir=str(tmp_path / "emptied"))
    other = joint_tokenizer(NumberedCorpus((50, 50)), 270, LIMITS, data, seed=1, run=run)
    assert len(other) == 270, "before the first checkpoint nothing depends on it"
    joint_tokenizer(NumberedCorpus((50, 50)), 280, LIMITS, data, seed=1, run=run)
    (run / "checkpoint-1").mkdir()
    again = joint_tokenizer(NumberedCorpus((9,)), 270, LIMITS, elsewhere, seed=1, run=run)
    assert fingerprint(again) == fingerprint(first)


def swap_symbols(vocabulary: Path) -> None:
    """Give two entries each other's numbers, as nothing would notice."""
    content = json.loads(vocabulary.read_text(encoding="utf-8"))
    numbers = content["model"]["vocab"]
    first, second = list(numbers)[50:52]
    numbers[first], numbers[second] = numbers[second], numbers[first]
    vocabulary.write_text(json.dumps(content), encoding="utf-8")


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "two symbols swapped": swap_symbols,
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-100]),
    "empty": lambda file: file.write_bytes(b""),
    "gone": lambda file: file.unlink(),
    "another file of it gone": lambda file: file.with_name("tokenizer_config.json").unlink(),
    "without checksums": lambda file: file.with_name("manifest.json").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_vocabulary_is_learned_again_and_a_line_says_so(
    data: DataArguments, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    corpus = NumberedCorpus((50, 50))
    first = joint_tokenizer(corpus, 280, LIMITS, data, seed=1, run=None)
    [folder] = (tmp_path / "cache" / "tokenizers").iterdir()
    DAMAGES[damage](folder / "tokenizer.json")
    capsys.readouterr()
    again = joint_tokenizer(corpus, 280, LIMITS, data, seed=1, run=tmp_path / "run")
    said = capsys.readouterr().out
    assert "is not used. Learning 280 tokens from numbers" in said
    assert str(folder) in said
    assert fingerprint(again) == fingerprint(first)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"tokenizer.json", "tokenizer_config.json"}
    joint_tokenizer(corpus, 280, LIMITS, data, seed=1, run=None)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("damage", ["cut", "empty", "gone", "another file of it gone"])
def test_the_vocabulary_of_a_run_that_cannot_be_read_comes_from_its_checkpoint(
    data: DataArguments, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    run, corpus = tmp_path / "run", NumberedCorpus((50, 50))
    first = joint_tokenizer(corpus, 280, LIMITS, data, seed=1, run=run)
    (run / "checkpoint-1").mkdir()
    first.save_pretrained(run / "checkpoint-1")
    seal(run / "checkpoint-1")
    DAMAGES[damage](run / "tokenizer.json")
    assert fingerprint(joint_tokenizer(corpus, 280, LIMITS, data, seed=1, run=run)) == fingerprint(first)
    assert (damage == "gone") != ("it is now that of checkpoint-1" in capsys.readouterr().out)
    (run / "tokenizer.json").write_text("{")
    (run / "checkpoint-1" / "tokenizer.json").write_text("{")
    with pytest.raises(ValueError, match="is damaged, and no checkpoint has another"):
        joint_tokenizer(corpus, 280, LIMITS, data, seed=1, run=run)


def test_damaged_places_of_duplicates_are_searched_for_again(
    data: DataArguments, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpora = [NumberedCorpus((50, 50))]
    [first] = repeats(corpora, data)
    [file] = (tmp_path / "cache" / "duplicates").iterdir()
    file.write_bytes(file.read_bytes()[:-30])
    [again] = repeats(corpora, data)
    assert "is damaged; searching for duplicates again" in capsys.readouterr().out
    assert again.rows.tolist() == first.rows.tolist()


def test_two_runs_that_learn_the_same_vocabulary_at_once_both_get_it(
    data: DataArguments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = NumberedCorpus((50, 50))
    learned = learn_tokenizer

    def while_another_does(*given: Any) -> PreTrainedTokenizerFast:
        monkeypatch.setattr(caches, "learn_tokenizer", learned)
        joint_tokenizer(corpus, 280, LIMITS, data, seed=1, run=None)
        return learned(*given)

    monkeypatch.setattr(caches, "learn_tokenizer", while_another_does)
    assert len(joint_tokenizer(corpus, 280, LIMITS, data, seed=1, run=tmp_path / "run")) == 280
    assert [path.name[0] for path in (tmp_path / "cache" / "tokenizers").iterdir()] != ["."], "no draft is left"
    assert len(list((tmp_path / "cache" / "tokenizers").iterdir())) == 1


def test_text_of_which_no_pair_serves_is_told_with_the_reasons(data: DataArguments) -> None:
    with pytest.raises(
        ValueError, match=r"no pair of numbers can be trained on: 0 pairs kept, 20 dropped:\n  20 empty"
    ):
        joint_tokenizer(NumberedCorpus((10, 10), bad_every=1), 280, LIMITS, data, seed=1, run=None)


def test_a_vocabulary_is_learned_from_a_bounded_sample_of_whole_groups() -> None:
    corpus = NumberedCorpus((50,) * 40)
    assert sample_of_groups(corpus, 10_000, seed=3) == list(range(40))
    drawn = sample_of_groups(corpus, 500, seed=3)
    assert len(drawn) == len(set(drawn)) == 10
    assert drawn != sample_of_groups(corpus, 500, seed=4)
    assert drawn == sample_of_groups(corpus, 500, seed=3)
    assert len(sample_of_groups(corpus, 1, seed=3)) == 1


def test_packed_text_tells_its_size_first_and_takes_about_that(
    data: DataArguments, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = NumberedCorpus((500,) * 6)
    tokenizer = joint_tokenizer(corpus, 280, LIMITS, data, seed=1, run=None)
    cache = token_cache(corpus, tokenizer, LIMITS, data)
    assert cache is not None
    assert "0 of 6 row groups" in capsys.readouterr().out
    groups = [encode_group(corpus, group, partial(encode, tokenizer), LIMITS) for group in range(6)]
    for number, group in enumerate(groups):
        cache.store(number, group)
    used = sum(path.stat().st_size for path in cache.folder.iterdir())
    assert used == pytest.approx(cache.size_when_full(corpus, groups[0]), rel=0.1)
    token_cache(corpus, tokenizer, LIMITS, data)
    assert "6 of 6 row groups" in capsys.readouterr().out
    other = token_cache(corpus, tokenizer, CleaningLimits(max_tokens=39), data)
    assert other is not None
    assert other.folder != cache.folder
    assert token_cache(corpus, tokenizer, LIMITS, replace(data, packed_cache=False)) is None


def test_a_reader_that_travels_to_a_spawned_worker_encodes_as_here(data: DataArguments) -> None:
    corpus = PairsCorpus("controls", [Pair("a </s> in the middle", "<unk> <pad> <s>"), Pair("one", "two")])
    tokenizer = joint_tokenizer(NumberedCorpus((50, 50)), 280, LIMITS, data, seed=1, run=None)
    here = GroupReader(corpus, tokenizer, LIMITS, None)
    there = pickle.loads(pickle.dumps(here))
    for side in ("sources", "targets"):
        tokens = getattr(here(0), side).tokens.tolist()
        assert getattr(there(0), side).tokens.tolist() == tokens
        assert [each for each in tokens if each < 4] == [3, 3], "the two ends alone"


def test_packed_text_is_judged_by_rows_and_not_by_groups(data: DataArguments) -> None:
    corpus = NumberedCorpus((20, 3000))
    tokenizer = joint_tokenizer(corpus, 280, LIMITS, data, seed=1, run=None)
    cache = token_cache(corpus, tokenizer, LIMITS, data)
    assert cache is not None
    groups = [encode_group(corpus, group, partial(encode, tokenizer), LIMITS) for group in range(2)]
    for number, group in enumerate(groups):
        cache.store(number, group)
    used = sum(path.stat().st_size for path in cache.folder.iterdir())
    assert used == pytest.approx(cache.size_when_full(corpus, groups[0]), rel=0.2)


def test_threads_read_packed_text_while_rubbish_is_collected(tmp_path: Path) -> None:
    """NumPy's own format is parsed by Python's parser, which fails in threads of Python 3.11 at such moments."""
    corpus = NumberedCorpus((20,))
    tokenizer = learn_tokenizer(["one two three"], 280)
    cache = TokenCache(tmp_path)
    stored = encode_group(corpus, 0, partial(encode, tokenizer), LIMITS)
    cache.store(0, stored)

    def look(*_: Any) -> None:
        sum(range(50))  # as Hypothesis and profilers do: other threads run in the meantime

    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    gc.callbacks.append(look)
    try:
        sys.setswitchinterval(1e-6)
        gc.set_threshold(20)
        with ThreadPoolExecutor(8) as readers:
            found = list(readers.map(cache.load, [0] * 2_000))
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*threshold)
        gc.callbacks.remove(look)
    assert all(group is not None and group.sources.tokens.tolist() == stored.sources.tokens.tolist() for group in found)


def test_a_disk_that_fills_costs_reading_again_and_is_told_once(
    data: DataArguments, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    corpus = NumberedCorpus((50, 50))
    tokenizer = joint_tokenizer(corpus, 280, LIMITS, data, seed=1, run=None)
    cache = TokenCache(Path(data.cache_dir) / "small")

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    read = GroupReader(corpus, tokenizer, LIMITS, cache)
    for group in (0, 1, 0):
        assert (
            read(group).rows.tolist() == encode_group(corpus, group, partial(encode, tokenizer), LIMITS).rows.tolist()
        )
    assert [record.message.count("is full") for record in caplog.records] == [1]
    assert cache.filled() == 0


def test_packed_text_that_would_not_fit_is_refused(data: DataArguments, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = NumberedCorpus((500,) * 6)
    tokenizer = joint_tokenizer(corpus, 280, LIMITS, data, seed=1, run=None)
    monkeypatch.setattr(TokenCache, "free", lambda _: 10_000)  # a full disk without filling one
    with pytest.raises(ValueError, match=r"MB more in .* are free; free some, name another --cache_dir"):
        token_cache(corpus, tokenizer, LIMITS, data)
