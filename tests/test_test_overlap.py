"""Test text in training: what stands there is counted, and left out where that is asked; nothing else changes."""

import pickle
from pathlib import Path
from typing import Any

import pytest
from corpus_of_groups import GroupedCorpus, grouped_corpora
from hypothesis import given, settings
from hypothesis import strategies as st

from vaswani.data import CleaningLimits, Drops, Mixture, Pair, clean_pairs, deduplicated, open_corpus
from vaswani.data.pairs import NoPair, Row
from vaswani.data.test_overlap import WithoutTestText, bare, find, innermost
from vaswani.experiment import overlap as module
from vaswani.experiment.arguments import Recipe, parse
from vaswani.experiment.corpora import open_training_corpus, read_pairs, scored_texts, training_cleaning_limits
from vaswani.experiment.data_arguments import DataArguments
from vaswani.experiment.inspection import figures, inspect, inspection_as_text
from vaswani.experiment.overlap import find_test_overlap
from vaswani.publishing.metrics_record import FoundRecord
from vaswani.publishing.overlap import overlap_as_text
from vaswani.storage.records import as_json

SETS = st.lists(st.builds(Pair, st.text("aAb ", max_size=3), st.text("aAb ", max_size=3)), max_size=6)


@given(st.lists(grouped_corpora, max_size=3), SETS, SETS)
@settings(deadline=None, max_examples=300)
def test_what_is_found_is_what_a_search_of_all_by_all_finds(
    corpora: list[GroupedCorpus], validation: list[Pair], test: list[Pair]
) -> None:
    rows = [row for corpus in corpora for group in corpus.content for row in group if isinstance(row, Pair)]
    kept = [row for row in rows if row.source and row.target]  # the others are empty
    found = find(
        [(each, n) for each in corpora for n in range(each.groups)], {"v": validation, "t": test}, CleaningLimits()
    )
    for name, pairs in (("v", validation), ("t", test)):
        counts = [0, 0, 0]
        for source, target in ((bare(pair.source), bare(pair.target)) for pair in pairs):
            counts[0] += any((row.source, row.target) == (source, target) for row in kept) and bool(source and target)
            counts[1] += any(row.source == source for row in kept) and source != ""
            counts[2] += any(row.target == target for row in kept) and target != ""
        assert tuple(found[name]) == (*counts, len(pairs))


@given(grouped_corpora, SETS)
@settings(deadline=None, max_examples=200)
def test_of_what_is_left_neither_side_stands_in_a_set(corpus: GroupedCorpus, scored: list[Pair]) -> None:
    without = pickle.loads(pickle.dumps(WithoutTestText(corpus, scored)))
    sources, targets = ({bare(pair[side]) for pair in scored} - {""} for side in (0, 1))
    for group, rows in enumerate(corpus.content):
        expected: list[Row] = []
        for position, row in enumerate(rows, 1):
            is_in = isinstance(row, Pair) and (bare(row.source) in sources or bare(row.target) in targets)
            expected.append(NoPair("test text", f"{corpus.name}, group {group}, row {position}") if is_in else row)
        assert without.read(group) == expected
    assert (without.groups, without.rows) == (corpus.groups, corpus.rows)
    left = find([(without, n) for n in range(without.groups)], {"set": scored}, CleaningLimits())
    assert left["set"][:3] == (0, 0, 0)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("A cat.", " a  CAT.\u00a0", True),
        ("Straße", "STRASSE", True),
        ("e\u0301t\u00e9", "\u00e9te\u0301", True),
        ("ＡＢＣ", "abc", True),
        ("ﬁn", "fin", True),
        ("a cat", "a cat.", False),
        ("a cat", "acat", False),
        ("γάτα", "γατα", False),
        ("кот", "кит", False),
        ("", "\u3000\t", True),
    ],
)
def test_case_and_white_space_do_not_count_and_letters_and_signs_do(one: str, other: str, same: bool) -> None:
    assert (bare(one) == bare(other)) == same


def test_a_fingerprint_changes_with_the_sets_and_not_with_their_order() -> None:
    corpus = GroupedCorpus("a", ((Pair("x", "y"),),))
    one, other = Pair("a", "b"), Pair("c", "d")
    of = [WithoutTestText(corpus, scored).fingerprint for scored in ([one, other], [other, one], [one], [])]
    assert of[0] == of[1]
    assert len({*of, corpus.fingerprint}) == 4


def test_weights_and_duplicates_do_not_have_a_group_read_twice() -> None:
    first, second = GroupedCorpus("a", ((Pair("a", "b"),) * 2, ())), GroupedCorpus("b", ((Pair("a", "b"),),))
    corpora = [WithoutTestText(each, [Pair("a", "z")]) for each in deduplicated([first, second])]
    assert innermost(Mixture(corpora, [3, 2])) == [(first, 0), (first, 1), (second, 0)]


TRAIN = [Pair(f"A word {n}", f"Ein Wort {n}") for n in range(2_500)]
TEST = [
    TRAIN[3],
    Pair("a WORD  2400", "Ein Wort 2400"),
    Pair("A word 7", "etwas"),
    Pair("some", "Ein Wort 8"),
    Pair("neither", "keines"),
]
VALIDATION = [Pair("quite other", "ganz anders"), TRAIN[11]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for split, pairs in {"train": TRAIN, "validation": VALIDATION, "test": TEST}.items():
        for side, language in enumerate(("en", "de")):
            (tmp_path / f"{split}.{language}").write_text(
                "".join(f"{pair[side]}\n" for pair in pairs), encoding="utf-8"
            )
    return tmp_path


def data_of(folder: Path, *flags: str) -> DataArguments:
    recipe = Recipe("", {}, {"dataset": "grammar"}, {"output_dir": "run"})
    return parse(recipe, ["--data_dir", str(folder), "--cache_dir", str(folder / "cache"), *flags]).data


def looked(data: DataArguments) -> Any:
    scored = {name: read_pairs(each.data, each.split)[0] for name, each in scored_texts(data).items()}
    return find_test_overlap(open_training_corpus(data), scored, training_cleaning_limits(data), data, seed=0)


def test_a_run_counts_what_of_its_sets_it_trains_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = looked(data_of(folder))
    assert found.splits == {"validation": FoundRecord(1, 1, 1, 2), "test": FoundRecord(2, 3, 3, 5)}
    assert (found.left_out, found.row_groups) == (False, (3, 3))
    assert overlap_as_text(found)[1] == (
        "test in the training text: 2 of the 5 pairs, 3 of the 5 sources, 3 of the 5 targets"
    )
    [kept] = (folder / "cache" / "test_text").iterdir()
    kept.write_text(kept.read_text().replace('"of": 5', '"of": 6'))  # what is kept is taken
    assert looked(data_of(folder)).splits["test"].of == 6
    assert looked(data_of(folder, "--weights", "3")).splits["test"].of == 6
    assert looked(data_of(folder, "--max_tokens", "99")).splits["test"].of == 5  # other text is kept
    monkeypatch.setattr(module, "MOST_ROWS", 1_000)
    part = looked(data_of(folder))
    assert part.row_groups == (1, 3)
    assert "(searched 1 of 3 row groups, sampled)" in "\n".join(overlap_as_text(part))
    assert part.splits["test"].pairs <= 2


def test_what_is_built_in_is_not_looked_at(tmp_path: Path) -> None:
    data = parse(Recipe("", {}, {"dataset": "grammar"}, {"output_dir": "run"}), ["--cache_dir", str(tmp_path)]).data
    for split in ("train", "test"):
        direct = open_corpus(dataset="grammar", split=split, source="de", target="en")
        assert find_test_overlap(direct, {"test": [Pair("a", "b")]}, CleaningLimits(), data, seed=0) is None


def test_test_text_is_left_out_only_where_that_is_asked(folder: Path) -> None:
    plain, without = (open_training_corpus(data_of(folder, *flags)) for flags in ((), ("--drop_test_text",)))
    direct = open_corpus(data_dir=str(folder), split="train", source="en", target="de")
    assert plain.fingerprint == direct.fingerprint != without.fingerprint
    drops = Drops()
    kept = list(clean_pairs(without, CleaningLimits(), drops))
    assert kept == [pair for n, pair in enumerate(TRAIN) if n not in (3, 7, 8, 11, 2400)]
    assert drops.dropped == {"test text": 5}
    assert "5 test text (one of its sides occurs in the validation or a test set" in drops.report()
    found = looked(data_of(folder, "--drop_test_text"))
    assert found.left_out
    assert found.splits["test"] == FoundRecord(2, 3, 3, 5)  # of the text as it came
    assert "\n".join(overlap_as_text(found)).endswith("3 of the 5 targets, and left out of it")
    (folder / "test.en").write_text("A word 1\n" * 5, encoding="utf-8")
    assert open_training_corpus(data_of(folder, "--drop_test_text")).fingerprint != without.fingerprint


def test_a_look_tells_it_and_does_without_a_set_that_is_not_there(folder: Path) -> None:
    recipe = Recipe("", {"vocab_size": 300}, {"dataset": "grammar"}, {"output_dir": "run"})
    flags = ["--data_dir", str(folder), "--cache_dir", str(folder / "cache")]
    arguments = parse(recipe, flags)
    seen = inspect(arguments)
    assert seen.in_training is not None
    assert "\n".join(overlap_as_text(seen.in_training)) in inspection_as_text(seen, figures(seen, arguments), arguments)
    assert figures(seen, arguments)["test_text_in_training"] == as_json(seen.in_training)
    (folder / "test.de").unlink()
    seen = inspect(arguments)
    assert "Test text was not looked for: --data_dir" in inspection_as_text(seen, figures(seen, arguments), arguments)
    assert 'no split "test"' in inspection_as_text(seen, figures(seen, arguments), arguments)
