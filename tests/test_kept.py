"""What a run keeps for later ones is found again, belongs to exactly its text, and never takes a disk unasked."""

from dataclasses import replace
from pathlib import Path

import pytest
from corpus_of_numbers import NumberedCorpus

from vaswani.data import Limits, PackedCache, fingerprint
from vaswani.data.encoding import encode_group
from vaswani.experiment.arguments import DataArguments
from vaswani.experiment.kept import joint_tokenizer, packed_cache, sample_of_groups

LIMITS = Limits(max_tokens=40)


@pytest.fixture
def data(tmp_path: Path) -> DataArguments:
    return DataArguments(dataset="grammar", cache_dir=str(tmp_path / "cache"), packed_cache=True)


def test_a_vocabulary_is_learned_once_for_a_text(data: DataArguments, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = NumberedCorpus((50, 50))
    first = joint_tokenizer(corpus, 280, LIMITS, data, seed=1, run=None)
    assert "Learning 280 symbols from numbers" in capsys.readouterr().out
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
    again = joint_tokenizer(NumberedCorpus((9,)), 270, LIMITS, elsewhere, seed=1, run=run)
    assert fingerprint(again) == fingerprint(first)


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
    cache = packed_cache(corpus, tokenizer, LIMITS, data)
    assert cache is not None
    assert "0 of 6 row groups" in capsys.readouterr().out
    groups = [encode_group(corpus, group, tokenizer, LIMITS) for group in range(6)]
    for number, group in enumerate(groups):
        cache.store(number, group)
    used = sum(path.stat().st_size for path in cache.folder.iterdir())
    assert used == pytest.approx(cache.size_when_full(6, groups[0]), rel=0.1)
    packed_cache(corpus, tokenizer, LIMITS, data)
    assert "6 of 6 row groups" in capsys.readouterr().out
    other = packed_cache(corpus, tokenizer, Limits(max_tokens=39), data)
    assert other is not None
    assert other.folder != cache.folder
    assert packed_cache(corpus, tokenizer, LIMITS, replace(data, packed_cache=False)) is None


def test_packed_text_that_would_not_fit_is_refused(data: DataArguments, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = NumberedCorpus((500,) * 6)
    tokenizer = joint_tokenizer(corpus, 280, LIMITS, data, seed=1, run=None)
    monkeypatch.setattr(PackedCache, "free", lambda _: 10_000)  # a full disk without filling one
    with pytest.raises(ValueError, match=r"MB more in .* are free; free some, name another --cache_dir"):
        packed_cache(corpus, tokenizer, LIMITS, data)
