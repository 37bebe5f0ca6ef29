"""A mixture of corpora: every row as often as its weight, and named as where it came from."""

import json
import pickle
from collections import Counter
from pathlib import Path

import pytest
from corpus_of_groups import GroupedCorpus, grouped_corpora
from corpus_of_numbers import NumberedCorpus, number_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st

from vaswani.data import CleaningLimits, Corpus, Drops, Mixture, Order, Pair, TrainingStream, clean_pairs, open_corpus
from vaswani.data.stream import MicroBatches

WEIGHTED = st.lists(st.tuples(grouped_corpora, st.integers(1, 4)), min_size=1, max_size=4)


def mixture_of(weighted: list[tuple[GroupedCorpus, int]]) -> Mixture:
    return Mixture([corpus for corpus, _ in weighted], [weight for _, weight in weighted])


@given(WEIGHTED)
@settings(deadline=None)
def test_every_group_is_there_as_often_as_its_weight(weighted: list[tuple[GroupedCorpus, int]]) -> None:
    mixture = mixture_of(weighted)
    expected = Counter(group for corpus, weight in weighted for group in corpus.content * weight)
    assert Counter(tuple(mixture.read(group)) for group in range(mixture.groups)) == expected
    assert mixture.rows == sum(map(len, expected.elements()))
    again = pickle.loads(pickle.dumps(mixture))
    assert [again.read(group) for group in range(again.groups)] == [
        mixture.read(group) for group in range(mixture.groups)
    ]


@given(WEIGHTED, st.data())
@settings(deadline=None)
def test_a_fingerprint_is_of_the_corpora_and_their_weights(
    weighted: list[tuple[GroupedCorpus, int]], data: st.DataObject
) -> None:
    number = data.draw(st.integers(0, len(weighted) - 1))
    corpus, weight = weighted[number]
    longer = GroupedCorpus(corpus.name, (*corpus.content, (Pair("new", "neu"),)))
    others = [
        [*weighted[:number], (corpus, weight + 1), *weighted[number + 1 :]],
        [*weighted[:number], (longer, weight), *weighted[number + 1 :]],
        [*weighted, (corpus, weight)],
    ]
    found = [mixture_of(each).fingerprint for each in (weighted, *others)]
    assert len(set(found)) == len(found)
    assert mixture_of(weighted).fingerprint == found[0]


NUMBERED = st.builds(
    NumberedCorpus, st.lists(st.integers(2, 20), min_size=1, max_size=4).map(tuple), st.sampled_from([0, 5])
)


@given(st.lists(st.tuples(NUMBERED, st.integers(1, 3)), min_size=1, max_size=3))
@settings(deadline=None, max_examples=15)
def test_an_epoch_of_training_sees_each_row_as_often_as_its_weight(weighted: list[tuple[NumberedCorpus, int]]) -> None:
    mixture = Mixture([corpus for corpus, _ in weighted], [weight for _, weight in weighted])
    tokenizer = number_tokenizer()
    limits, order = CleaningLimits(max_tokens=40, max_ratio=20), Order(seed=1, tokens_per_batch=64, window_groups=2)
    stream = TrainingStream(mixture, tokenizer, "numbers", limits, order)
    seen: Counter[tuple[Corpus, int, int]] = Counter()  # of equal corpora the rows are counted together
    for batch in MicroBatches(stream, 0, 1):
        place = batch["place"]
        stream.note(place)
        if place.anchor.epoch > 0:
            break
        for group, row in place.rows.tolist():
            seen[(*mixture.inner(group), row)] += 1
    expected: Counter[tuple[Corpus, int, int]] = Counter()
    for corpus, weight in weighted:
        expected.update((corpus, group, row) for group, row in list(corpus.kept_rows()) * weight)
    assert seen == expected
    drops = stream.drops([stream.notes()])
    assert (drops.kept, drops.kept + drops.dropped.total()) == (seen.total(), mixture.rows)


def test_a_position_in_a_mixture_is_of_that_mixture_alone() -> None:
    tokenizer, order = number_tokenizer(), Order(seed=1, tokens_per_batch=64)
    corpora = [NumberedCorpus((3, 4)), NumberedCorpus((5,))]
    limits = CleaningLimits(max_tokens=40, drop_html=True, source_scripts="Latin", target_scripts="Hangul Han")
    saved = TrainingStream(Mixture(corpora, [1, 2]), tokenizer, "t", limits, order)
    state = json.loads(json.dumps(saved.state(0, [saved.notes()])))
    TrainingStream(Mixture(corpora, [1, 2]), tokenizer, "t", limits, order).restore(state)
    with pytest.raises(ValueError, match="data was"):
        TrainingStream(Mixture(corpora, [2, 1]), tokenizer, "t", limits, order).restore(state)


def test_a_dropped_row_is_named_as_its_own_corpus_has_it(tmp_path: Path) -> None:
    """The third corpus stands in a mixture inside a mixture; in both its groups have other numbers."""
    (tmp_path / "train.tsv").write_bytes(b"en\tde\none\teins\ntwo\t\xff\nthree\t\n")
    file = open_corpus(data_dir=str(tmp_path), split="train", source="en", target="de")
    memory = GroupedCorpus("memory", ((Pair("a", "b"),), (Pair("a", "b"), Pair("", "b"))))
    mixture: Corpus = Mixture([memory, Mixture([memory, file], [2, 1])], [1, 3])
    drops = Drops()
    assert len(list(clean_pairs(mixture, CleaningLimits(), drops))) == 2 + 3 * (2 * 2 + 1)
    assert drops.places["empty"] == ["memory, group 1, row 2", f"{tmp_path / 'train.tsv'}, line 4"]
    assert drops.places["undecodable"] == [f"{tmp_path / 'train.tsv'}, line 3, byte 5"]


@pytest.mark.parametrize(
    ("corpora", "weights", "words"),
    [
        (0, [], "0 corpora has nothing to read. Give one or more"),
        (2, [1], r"there are 1 weights for 2 corpora \(corpus 0, corpus 1\). Give each corpus one"),
        (1, [1, 1], "there are 2 weights for 1 corpora"),
        (2, [1, 0], "the weight of corpus 1 is 0; .* from 1 up, or leave the corpus out"),
        (2, [-3, 1], "the weight of corpus 0 is -3"),
        (1, [1.5], "the weight of corpus 0 is 1.5"),
    ],
)
def test_weights_that_say_nothing_are_refused(corpora: int, weights: list[int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Mixture([GroupedCorpus(f"corpus {number}", ()) for number in range(corpora)], weights)
