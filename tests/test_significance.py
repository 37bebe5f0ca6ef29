"""Comparisons: p by its properties and by sacrebleu's own test, that library's scores and intervals, little memory."""

import random
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import combinations, product
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER
from sacrebleu.significance import PairedTest

from vaswani.evaluation import resampling, significance
from vaswani.evaluation.by_length import bleu_by_length
from vaswani.evaluation.metrics.sacrebleu import line_statistics as line_statistics_file
from vaswani.evaluation.metrics.sacrebleu.line_statistics import Counts, blocks, corpus_scores, line_statistics
from vaswani.evaluation.metrics.sacrebleu.sacrebleu import SacreBleu
from vaswani.evaluation.metrics.wmt14_bleu import compound_split_bleu
from vaswani.evaluation.resampling import bootstrap, halves, seed_asked_for
from vaswani.evaluation.scores import LeftOut, Score, score
from vaswani.evaluation.significance import Comparison, Draws, Resampled, chance, compare, resample

METRICS: dict[str, Callable[[], Metric]] = {
    "sacreBLEU": BLEU,
    "chrF": CHRF,
    "TER": TER,
    "wmt14_bleu": compound_split_bleu.bleu,
}
SEED = 12345


def all_four(*given: Any, **more: Any) -> list[Comparison]:
    """What `compare` returns, in the order of `METRICS`, with nothing left out."""
    found = [each for each in compare(*given, **more) if isinstance(each, Comparison)]
    assert [each.name for each in found] == list(METRICS)
    return found


class Outputs(NamedTuple):
    """Lines, and translations that lack a share of their words, word by word by chance."""

    references: list[str]
    outputs: list[list[str]]


def drawn(seed: int, lines: int, *lacking: float) -> Outputs:
    draw = random.Random(seed)
    words = ["das", "alte", "Haus", "am", "Fluss", "ist", "sehr", "groß", "und", "Nord-Süd-Dialog", "„gut“", "."]
    references = [" ".join(draw.choices(words, k=draw.randint(5, 12))) for _ in range(lines)]
    outputs = [
        [" ".join(word for word in line.split() if draw.random() >= share) for line in references] for share in lacking
    ]
    return Outputs(references, outputs)


@pytest.fixture(scope="module")
def three() -> Outputs:
    return drawn(1, 60, 0.1, 0.1, 0.15)


@pytest.fixture(scope="module")
def compared(three: Outputs) -> list[list[Resampled]]:
    """What `compare` finds, by the names of `METRICS` in their order."""
    return [each.outputs for each in all_four(three.outputs, three.references)]


@pytest.fixture(autouse=True)
def unseeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SACREBLEU_SEED", raising=False)


def score_of(name: str) -> Callable[[Counts], Counts]:
    """Scores of sums over lines."""
    return partial(corpus_scores, METRICS[name]())


def tokenised(name: str, lines: Sequence[str]) -> list[str]:
    return compound_split_bleu.tokenise(lines) if name == "wmt14_bleu" else list(lines)


def by_sacrebleu(name: str, three: Outputs, test: str, draws: int, **more: int) -> tuple[list[Any], str]:
    """What sacrebleu's own paired test finds, and its signature."""
    outputs: Any = [(str(place), tokenised(name, each)) for place, each in enumerate(three.outputs)]
    references = [tokenised(name, three.references)]
    signatures, found = PairedTest(outputs, {name: METRICS[name]()}, references, test, draws, **more)()
    ((key, signature),) = signatures.items()
    return list(found[key]), str(signature)


# The library's own figures


@pytest.mark.parametrize("place", range(4), ids=list(METRICS))
def test_scores_means_and_intervals_are_those_of_sacrebleus_bootstrap(
    three: Outputs, compared: list[list[Resampled]], place: int
) -> None:
    expected, _ = by_sacrebleu(list(METRICS)[place], three, "bs", 1000)
    for ours, theirs in zip(compared[place], expected, strict=True):
        assert ours.value == theirs.score
        assert [ours.mean, ours.interval] == pytest.approx([theirs.mean, theirs.ci], rel=1e-4)  # it sums in float32
    plain = score(three.outputs[0], three.references)[place]
    assert isinstance(plain, Score)
    assert compared[place][0].value == plain.value


@pytest.mark.parametrize("place", range(4), ids=list(METRICS))
def test_p_is_that_of_sacrebleus_approximate_randomisation_and_ties(
    three: Outputs, compared: list[list[Resampled]], place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library does not count trials that part the sides just as far; edits have many of them."""
    name = list(METRICS)[place]
    (_, *expected), _ = by_sacrebleu(name, three, "ar", 10_000)
    outputs = [tokenised(name, each) for each in three.outputs]
    statistics = line_statistics(METRICS[name](), outputs, tokenised(name, three.references))
    monkeypatch.setattr(significance, "EQUAL", -significance.EQUAL)
    found = [each.p_value for each in resample(score_of(name), statistics, Draws(1, 10_000, SEED))]
    assert found == [None, *(each.p_value for each in expected)]
    assert len(set(found)) == 3  # or the wrong ones would pass
    with_ties = [each.p_value for each in compared[place]]
    assert with_ties[0] is None
    assert all(more >= less for more, less in zip(with_ties[1:], found[1:], strict=True))  # type: ignore[operator]


def test_signatures_are_those_of_sacrebleus_own_test(three: Outputs) -> None:
    *found, paper = all_four(three.outputs, three.references, samples=50, trials=70)
    for each in found:
        assert each.signature == by_sacrebleu(each.name, three, "ar", 70, n_ar_confidence=50)[1]
    for part in ("bs:50", "ar:70", "seed:12345", "tok:moses-de", "compounds:atat"):
        assert part in paper.signature.split("|")


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
PHRASES = st.lists(st.sampled_from(["ein", "Haus", "am", "Fluss", "."]), max_size=8).map(" ".join)
ROWS = st.lists(st.tuples(*[TEXT | PHRASES] * 3), min_size=1, max_size=6)


@pytest.mark.parametrize("name", METRICS)
@given(rows=ROWS, chosen=st.data())
@settings(max_examples=40, deadline=None)
def test_what_lines_count_adds_up_to_the_librarys_corpus_score(
    name: str, rows: list[tuple[str, str, str]], chosen: st.DataObject
) -> None:
    """For any of them in any number, so that what sacrebleu keeps private is held by what it publishes."""
    references, *outputs = [list(side) for side in zip(*rows, strict=True)]
    metric = METRICS[name]()
    statistics = line_statistics(metric, outputs, references)
    places = chosen.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=9))
    found = corpus_scores(metric, statistics[:, places].sum(axis=1))
    for output, ours in zip(outputs, found, strict=True):
        some = [output[place] for place in places], [[references[place] for place in places]]
        assert ours == METRICS[name]().corpus_score(*some).score
    METRICS[name]().corpus_score(outputs[0], [references])
    assert str(metric.get_signature()).startswith("nrefs:1|")


FEW_SYMBOLS = st.text(st.sampled_from("aab\U0001f600 \u3000"), max_size=40)


@pytest.mark.parametrize("name", ["sacreBLEU", "chrF", "wmt14_bleu"])
@given(rows=st.lists(st.tuples(*[TEXT | PHRASES | FEW_SYMBOLS] * 3), min_size=1, max_size=30), size=st.integers(1, 99))
@settings(max_examples=60, deadline=None)
def test_each_line_counts_what_the_library_counts(name: str, rows: list[tuple[str, str, str]], size: int) -> None:
    """In blocks of any size."""
    references, *outputs = [list(side) for side in zip(*rows, strict=True)]
    metric = METRICS[name]()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(line_statistics_file, "CHARACTERS", size)
        found = line_statistics(metric, outputs, references)
    for output, ours in zip(outputs, found, strict=True):
        assert ours.tolist() == metric._extract_corpus_statistics(output, [references])


def test_more_n_grams_than_an_integer_can_number_are_numbered_anew() -> None:
    """A line of every character from U+4E00: six of 20,000 are 86 bits."""
    line = "".join(map(chr, range(0x4E00, 0x4E00 + 20_000)))
    turned = line[10_000:] + line[:10_000]
    metric = CHRF()
    (found,) = line_statistics(metric, [[turned, line]], [line, turned])
    assert found.tolist() == metric._extract_corpus_statistics([turned, line], [[line, turned]])
    assert found[0, 2::3].tolist() == [20_000 - order - order for order in range(6)]


@pytest.mark.parametrize(("lines", "draws"), [(1, 3), (37, 200), (20_000, 70)])
def test_draws_in_blocks_are_those_of_one_call(lines: int, draws: int) -> None:
    """More than one block both ways; the draws of sacrebleu, which make its figures ours."""
    assert lines < 37 or draws > resampling.DRAWS
    statistics = np.random.default_rng(0).integers(0, 50, size=(lines, 3)).astype(float)
    places = np.random.default_rng(7).choice(lines, size=(draws, lines))
    reported: list[int] = []
    assert (bootstrap(statistics, draws, 7, reported.append) == [statistics[row].sum(axis=0) for row in places]).all()
    taken = np.random.default_rng(7).integers(2, size=(draws, lines), dtype=bool)
    assert (halves(statistics, draws, 7) == [statistics[row].sum(axis=0) for row in taken]).all()
    assert sum(reported) == draws


@pytest.mark.parametrize("statistics", [np.full((5000, 2), 2.0**20), np.linspace([0.1], [0.7], 5000)])
def test_sums_that_float32_cannot_hold_are_exact_too(statistics: Counts) -> None:
    """Too large, or no whole numbers."""
    (taken,) = np.random.default_rng(7).integers(2, size=(1, 5000), dtype=bool)
    assert halves(statistics, 1, 7)[0] == pytest.approx(statistics[taken].sum(axis=0), rel=1e-14)
    (places,) = np.random.default_rng(7).choice(5000, size=(1, 5000))
    assert bootstrap(statistics, 1, 7)[0] == pytest.approx(statistics[places].sum(axis=0), rel=1e-14)


# What p is


def every_way(name: str, three: Outputs) -> float:
    """P over all ways in which lines can change sides, by the library's corpus score of each."""
    references, (first, second) = tokenised(name, three.references), [tokenised(name, each) for each in three.outputs]

    def parted(stays: Sequence[bool]) -> float:
        sides = [zip(*pair, strict=True) for pair in ((first, second), (second, first))]
        mixed = [[pair[not stay] for pair, stay in zip(side, stays, strict=True)] for side in sides]
        one, other = (METRICS[name]().corpus_score(side, [references]).score for side in mixed)
        return abs(one - other)

    whole = parted([True] * len(references))
    ways = [parted(stays) >= whole - 1e-9 for stays in product([True, False], repeat=len(references))]
    return sum(ways) / len(ways)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("seed", [3, 4])
def test_p_is_the_share_of_all_ways_to_change_sides(name: str, seed: int) -> None:
    few = drawn(seed, 8, 0.1, 0.3)
    exact = every_way(name, few)
    assert 0.01 < exact < 0.9
    statistics = line_statistics(
        METRICS[name](), [tokenised(name, each) for each in few.outputs], tokenised(name, few.references)
    )
    found = resample(score_of(name), statistics, Draws(1, 4000, seed))[1].p_value
    assert found == pytest.approx(exact, abs=5 * sqrt(exact * (1 - exact) / 4000))


def pairs(name: str, count: int, lines: int, *lacking: float) -> Iterator[Counts]:
    """What each line counts `[2, lines, k]` in `count` pairs of outputs."""
    many = drawn(11, count * lines, *lacking)
    outputs = [tokenised(name, each) for each in many.outputs]
    statistics = line_statistics(METRICS[name](), outputs, tokenised(name, many.references))
    return (statistics[:, start : start + lines] for start in range(0, count * lines, lines))


def p_values(name: str, found: Iterable[Counts], trials: int) -> NDArray[np.float64]:
    of_sums = score_of(name)

    def p_of(statistics: Counts, seed: int) -> float:
        taken = halves(np.concatenate(list(statistics), axis=1), trials, seed).reshape(trials, 2, -1)
        return chance(of_sums, statistics.sum(axis=1), taken)

    return np.array([p_of(statistics, seed) for seed, statistics in enumerate(found)])


@pytest.mark.parametrize("name", METRICS)
def test_p_is_uniform_where_nothing_differs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the distance of Kolmogorov and Smirnov that 1 in 1000 sets of so many pairs exceeds.

    Ties, of which edits have many, can only lift p. With their places drawn by lot p is uniform and nothing else.
    """
    count, trials = 250, 150
    known = list(pairs(name, count, 25, 0.15, 0.15))
    found = p_values(name, known, trials)
    monkeypatch.setattr(significance, "EQUAL", -significance.EQUAL)
    least = p_values(name, known, trials) - 1 / (trials + 1)
    assert (least < found).all()
    reached, most = np.arange(1, count + 1) / count, 1.95 / sqrt(count)
    assert max(reached - np.sort(found)) < most  # no more small p than there should be
    apart = np.sort(least + np.random.default_rng(5).random(count) * (found - least))
    assert max(abs(reached - apart)) < most
    assert 0.4 < np.median(apart) < 0.6
    assert abs(np.mean(apart < 0.05) - 0.05) < 0.05
    assert abs(np.mean(apart < 0.2) - 0.2) < 0.08
    assert np.median(found) < (0.7 if name == "TER" else 0.6)


@pytest.mark.parametrize("name", METRICS)
def test_p_is_small_where_something_differs(name: str) -> None:
    found = p_values(name, pairs(name, 40, 60, 0.08, 0.2), 200)
    assert np.median(found) < 0.01
    assert np.mean(found < 0.05) > 0.9


def test_p_does_not_depend_on_which_output_comes_first(three: Outputs, compared: list[list[Resampled]]) -> None:
    first, second, third = three.outputs
    for found, turned in zip(compared, all_four([third, second, first], three.references, samples=1), strict=True):
        assert turned.outputs[2].p_value == found[2].p_value
    for found, alone in zip(compared, all_four([first, third], three.references, samples=1), strict=True):
        assert alone.outputs[1].p_value == found[2].p_value  # nor on what else is compared


def test_an_output_against_itself_differs_by_chance_alone(three: Outputs) -> None:
    found = all_four([three.outputs[0], list(three.outputs[0])], three.references, samples=5, trials=40)
    assert [each.outputs[1].p_value for each in found] == [1.0] * 4


def test_one_line_can_fall_to_either_side_and_says_nothing() -> None:
    found = all_four([["Das Haus ist alt und groß."], ["Ja."]], ["Das Haus ist alt und groß."], samples=5, trials=40)
    assert [each.outputs[1].p_value for each in found] == [1.0] * 4


def test_outputs_that_a_score_cannot_tell_apart_differ_by_chance_alone() -> None:
    """Case is nothing to TER, and the space before a full stop nothing to the others' tokenisers."""
    references = ["Das Haus ist alt.", "Wir gehen nach Hause.", "Der Hund läuft."] * 4
    lines = [line.replace("alt", "groß").replace("Hund", "Hase") for line in references]
    spaced = [line.replace(".", " .") for line in lines]
    found = all_four([lines, spaced, [line.upper() for line in lines]], references, samples=50, trials=500)
    (_, same, other), (_, _, same_edits) = found[0].outputs, found[2].outputs
    assert (same.p_value, same_edits.p_value) == (1.0, 1.0)
    assert other.p_value is not None
    assert other.p_value < 0.05


def test_the_papers_bleu_of_no_four_words_in_a_row_is_0() -> None:
    *_, paper = all_four([["Das Haus war alt."]], ["Das Haus ist alt."], samples=20)
    assert paper.outputs == [(0.0, 0.0, 0.0, None)]


# The language


CHINESE = ["猫坐在垫子上。", "狗在公园里跑得很快。", "他们明天去Shanghai开会。"] * 8


def test_the_language_reaches_the_tokeniser_and_what_does_not_fit_it_is_left_out_in_the_words_of_a_score() -> None:
    one = [line.replace("垫子", "椅子") for line in CHINESE]
    other = [line.replace("公园里", "家里").replace("Shanghai", "北京") for line in CHINESE]
    found = compare([one, other], CHINESE, samples=50, trials=300, language="zh")
    alone = score(one, CHINESE, language="zh")
    assert isinstance(found.wmt14_bleu, LeftOut)
    assert found.wmt14_bleu == alone.wmt14_bleu
    for ours, plain, part in zip(found[:3], alone[:3], ("tok:zh", "nc:6", "tercom-letters-apart"), strict=True):
        assert isinstance(ours, Comparison)
        assert isinstance(plain, Score)
        assert ours.outputs[0].value == plain.value
        assert part in ours.signature
    chosen = bleu_by_length(CHINESE, CHINESE, one, 30, samples=5, language="zh")
    assert [each.bleu for each in chosen] == [alone.sacrebleu.value]
    letters = bleu_by_length(CHINESE, CHINESE, one, 30, samples=5, language="th")  # cut letter by letter
    assert letters != chosen


def test_edits_that_would_take_too_long_are_left_out_in_the_words_of_a_score() -> None:
    lines = [" ".join(f"w{number}" for number in range(400)), "Das Haus ist alt."]
    found = compare([lines, lines], lines, samples=5, trials=5).ter
    assert isinstance(found, LeftOut)
    assert found == score(lines, lines).ter


def test_tokenised_text_is_told_once_an_output(caplog: pytest.LogCaptureFixture) -> None:
    plain = ["Das Haus ist alt."] * 100
    compare([[line.replace(".", " .") for line in plain], plain], plain, samples=5, trials=5)
    assert [record.getMessage() for record in caplog.records] == [
        "100 of 100 lines end in a full stop after a space, as in tokenised text; BLEU of plain text differs"
    ]


# Draws


def test_a_comparison_can_be_repeated_and_drawn_anew(three: Outputs, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(seed: str) -> Any:
        monkeypatch.setenv("SACREBLEU_SEED", seed)
        return all_four(three.outputs[:2], three.references, samples=30, trials=100)

    zero, none = found("0"), found("None")
    assert found("0") == zero
    assert ["seed:0" in each.signature.split("|") for each in zero] == [True] * 4
    assert ["seed:none" in each.signature.split("|") for each in none] == [True] * 4
    drawn = [[each.outputs for each in four] for four in (zero, found("1"), none, found("none"))]
    assert all(one != other for one, other in combinations(drawn, 2))


@pytest.mark.parametrize("seed", ["", "-1", "1.5", "seven"])
def test_a_seed_that_is_none_is_an_error(seed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SACREBLEU_SEED", seed)
    with pytest.raises(ValueError, match=f"SACREBLEU_SEED is '{seed}'; give a number from 0"):
        seed_asked_for()
    monkeypatch.delenv("SACREBLEU_SEED")
    assert seed_asked_for() == SEED


# Memory


def most_held(work: Callable[[], object]) -> int:
    """Bytes that Python and numpy held at most for `work`."""
    work()  # what is cached for good is not meant
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("metric", [BLEU(), CHRF()], ids=["BLEU", "chrF"])
def test_n_grams_of_few_lines_are_held_at_a_time(metric: Metric, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of all references are 4 and 12 MB here, and are gigabytes for a large test set."""
    many = drawn(2, 400, 0.1, 0.2)
    monkeypatch.setattr(line_statistics_file, "CHARACTERS", 2_000)
    assert most_held(lambda: line_statistics(metric, many.outputs, many.references)) < 1_000_000


def test_lines_are_cut_into_blocks_by_the_characters_of_all_texts() -> None:
    texts = [["", "ab", "c", "", "d"], ["", "abcdef", "c", "d", ""]]
    for characters, ends in {1: [2, 3, 4, 5], 8: [2, 5], 9: [3, 5], 1000: [5]}.items():
        assert [block.stop for block in blocks(texts, characters)] == ends
    assert list(blocks([["", ""]], 1)) == [slice(0, 2)]


def test_one_output_too_is_scored_with_few_n_grams_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all references at once they are gigabytes for a large test set."""
    many = drawn(3, 500, 0.1)
    output, references = [compound_split_bleu.tokenise(each) for each in (*many.outputs, many.references)]
    whole = compound_split_bleu.bleu().corpus_score(output, [references]).score
    assert most_held(lambda: compound_split_bleu.corpus_bleu(output, references)) > 1_500_000  # in one slice
    monkeypatch.setattr(compound_split_bleu, "LINES", 60)
    assert compound_split_bleu.corpus_bleu(output, references) == whole
    assert most_held(lambda: compound_split_bleu.corpus_bleu(output, references)) < 800_000
    bleu = SacreBleu()
    monkeypatch.setattr(line_statistics_file, "CHARACTERS", 2_000)
    assert most_held(lambda: bleu._compute(many.outputs[0], many.references, scores=["bleu", "chrf"])) < 1_000_000


@pytest.mark.parametrize("draw", [bootstrap, halves])
def test_draws_of_one_block_are_held_at_a_time(draw: Callable[..., Counts]) -> None:
    """One draw of each line in every sample at once would be 160 MB."""
    statistics = np.ones((20_000, 4))
    assert most_held(lambda: draw(statistics, 1000, SEED)) < 20_000_000
    assert (draw(statistics, 1, SEED) > 9_000).all()


def test_lines_are_compared_without_a_bar_unless_one_is_asked_for(
    three: Outputs, capfd: pytest.CaptureFixture[str]
) -> None:
    for progress in (False, True):
        compare(three.outputs, three.references, samples=5, trials=5, progress=progress)
        shown = capfd.readouterr().err
        assert [f"{name}: " in shown for name in (*METRICS, "Resampling")] == [progress] * 5
