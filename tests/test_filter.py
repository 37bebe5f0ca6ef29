"""`vaswani filter`: what goes in comes out or is counted, by stated rules; the best of several translations."""

import gzip
import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from vaswani.commands import line_files, main, pairs_kept
from vaswani.data import CleaningLimits, Drops, Pair
from vaswani.data.cleaning import length_fault, text_fault
from vaswani.data.containers import PACKINGS, unpacked
from vaswani.data.pair_filter import Criteria, ScoredRows, ScoreLimits, kept_pairs, worst
from vaswani.storage import Journal

SIDE = st.sampled_from(["a", "a b", "a b c d e f g h i", "", "\x00", "ü", "<br>", "слово"])
SCORE = st.none() | st.sampled_from([-1.0, 0.0, 0.5, 0.5, 2.0])
ROWS = st.lists(st.tuples(SIDE, SIDE, SCORE), max_size=25)
LIMITS = CleaningLimits(max_tokens=8, max_ratio=1.0, drop_html=True, source_scripts="Latin", target_scripts="Latin")


def words(texts: Sequence[str]) -> list[int]:
    return [len(each.split()) for each in texts]


@given(
    rows=ROWS,
    size=st.integers(1, 30),
    share=st.fractions(0, 1),
    is_high_worse=st.booleans(),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
@settings(max_examples=200, deadline=None)
def test_each_pair_is_kept_or_counted_once_whatever_the_windows(
    rows: list[tuple[str, str, float | None]],
    size: int,
    share: Fraction,
    is_high_worse: bool,
    flags: tuple[bool, bool, bool],
) -> None:
    identical, duplicates, scored = flags
    limits = ScoreLimits(0.0, math.inf, share, is_high_worse) if scored else ScoreLimits()
    criteria = Criteria(LIMITS, words, identical, duplicates, limits)
    drops = Drops()
    windows = [rows[start : start + size] for start in range(0, len(rows), size)]
    found = kept_pairs(
        (
            ScoredRows([Pair(*row[:2]) for row in each], [row[2] for row in each] if scored else None)
            for each in windows
        ),
        criteria,
        str,
        drops,
    )
    expected, reasons = by_hand(rows, criteria, scored)
    assert found.tolist() == expected
    assert drops.kept == sum(expected)
    assert drops.dropped == reasons
    assert drops.rows == len(rows)


def by_hand(rows: list[Any], criteria: Criteria, scored: bool) -> tuple[list[bool], Counter[str]]:
    """The rules one after another, over lists in memory."""
    reasons: dict[int, str] = {}
    for place, (source, target, score) in enumerate(rows):
        pair, limits = Pair(source, target), criteria.scores
        fault = text_fault(pair, LIMITS) or length_fault(words(pair)[0], words(pair)[1], LIMITS)
        if fault:
            reasons[place] = fault
        elif criteria.drop_identical and source == target:
            reasons[place] = "identical sides"
        elif scored and score is None:
            reasons[place] = "no score"
        elif scored and score < limits.least:
            reasons[place] = "score"
    if criteria.drop_duplicates:
        seen = set()
        for place, (source, target, _) in enumerate(rows):
            if place not in reasons:
                if (source, target) in seen:
                    reasons[place] = "duplicate"
                seen.add((source, target))
    left = [place for place in range(len(rows)) if place not in reasons]
    sign = -1 if criteria.scores.is_high_worse else 1
    left.sort(key=lambda place: (sign * (rows[place][2] or 0) if scored else 0, -place))
    for place in left[: math.floor(criteria.scores.share * len(left))]:
        reasons[place] = "worst share"
    return [place not in reasons for place in range(len(rows))], Counter(reasons.values())


def test_a_share_is_exact() -> None:
    """0.29 * 100 is 28.999... in floats."""
    limits = ScoreLimits(share=Fraction("0.29"))
    assert len(worst(np.arange(100.0), limits)) == 29


# --- the command ------------------------------------------------------------------------------------------------------

SOURCES = ["one", "two two", "", "four", "two two", "same", "Б Б Б", "eight", "nine\u0085nine"]
TARGETS = ["eins", "zwei zwei", "drei", "vier", "zwei zwei", "same", "sieben", "acht " * 30, "neun"]
SCORES = ["0\t1", "0\t9", "\t", "0\t3", "0\t9", "0\t5", "0\t6", "0\t7", "0\t2"]


def write(path: Path, lines: Sequence[str], ending: bytes = b"\n") -> str:
    path.write_bytes(b"".join(line.encode() + ending for line in lines))
    return str(path)


def read(path: Path) -> list[str]:
    with path.open("rb") as file:
        return unpacked(file, str(path)).read().decode().split("\n")[:-1]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    return [
        "filter", "--sources", write(tmp_path / "s", SOURCES), "--targets", write(tmp_path / "t", TARGETS),
        "--output", str(tmp_path / "ks"), str(tmp_path / "kt"),
    ]  # fmt: skip


ALL = ["--max_ratio", "3", "--drop_identical", "--drop_duplicates", "--check_script", "en", "de"]


def test_every_drop_is_counted_by_its_reason(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = write(tmp_path / "scores", SCORES)
    assert main([*files, *ALL, "--scores", scores, "--drop_highest", "0.4"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("3 pairs kept, 6 dropped:")
    for reason in ("empty", "duplicate", "identical sides", "wrong script", "length ratio", "worst share"):
        assert f"\n  1 {reason} (" in said
    assert f"first at {tmp_path / 's'}, line 5\n" in said  # of the repeat
    assert read(tmp_path / "ks") == ["one", "four", "nine\u0085nine"]
    assert read(tmp_path / "kt") == ["eins", "vier", "neun"]
    assert main([*files, "--scores", scores, "--column", "2", "--min_score", "2", "--max_score", "6"]) == 0
    assert read(tmp_path / "kt") == ["vier", "same", "sieben", "neun"]
    assert "\n  4 score (" in capsys.readouterr().out


@pytest.mark.parametrize("ending", PACKINGS)
def test_packed_files_give_the_same(files: list[str], tmp_path: Path, ending: str) -> None:
    assert main([*files, *ALL]) == 0
    for name, lines in (("s", SOURCES), ("t", TARGETS)):
        content = b"\xef\xbb\xbf" + b"".join(line.encode() + b"\r\n" for line in lines)  # as of Windows
        (tmp_path / name).write_bytes(PACKINGS[ending].pack(content))
    packed = [tmp_path / f"{name}{ending}" for name in ("ks", "kt")]
    words = [*files[: files.index("--output") + 1], *map(str, packed), *ALL]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs_kept, "WINDOW_PAIRS", 2)
        assert main(words) == 0
    for name, each in zip(("ks", "kt"), packed, strict=True):
        assert read(each) == read(tmp_path / name)
        assert each.read_bytes().startswith(PACKINGS[ending].begins)


@pytest.mark.parametrize("ending", PACKINGS)
def test_packed_files_without_lines_can_be_unpacked(files: list[str], tmp_path: Path, ending: str) -> None:
    packed = [tmp_path / f"{name}{ending}" for name in ("ks", "kt")]
    write(tmp_path / "t", SOURCES)
    assert main([*files[: files.index("--output") + 1], *map(str, packed), "--drop_identical"]) == 0
    assert [read(each) for each in packed] == [[], []]
    scores, nothing = tmp_path / f"scores{ending}", write(tmp_path / "nothing", [])
    words = ["score", "--sentences", "--references", nothing, "--hypotheses", nothing, "--output", str(scores)]
    assert main(words) == 0
    assert len(read(scores)) <= 1  # a head perhaps
    for path in (*packed, scores):
        assert path.read_bytes().startswith(PACKINGS[ending].begins)


def test_lengths_are_of_words_or_of_the_tokens_of_a_model(
    files: list[str], tmp_path: Path, talker_folder: Path, toy_tokenizer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*files, "--max_tokens", "2"]) == 0
    assert read(tmp_path / "ks") == ["one", "two two", "four", "two two", "same", "nine\u0085nine"]
    assert main([*files, "--max_tokens", "9", "--tokenizer", str(talker_folder)]) == 0
    tokens = [max(map(len, toy_tokenizer(list(pair)).input_ids)) for pair in zip(SOURCES, TARGETS, strict=True)]
    expected = [source for source, longest in zip(SOURCES, tokens, strict=True) if source and longest <= 9]
    assert 0 < len(expected) < 5
    assert read(tmp_path / "ks") == expected
    write(tmp_path / "t", ["他在家里吃饭"] * len(SOURCES))
    capsys.readouterr()
    assert main([*files, "--max_ratio", "2"]) == 2
    assert f"{tmp_path / 't'} has no spaces between its words" in capsys.readouterr().err


def test_a_line_that_is_not_utf8_is_dropped_and_named(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t").write_bytes(b"x\n" * 3 + b"y\xff\n" + b"x\n" * 5)
    assert main(files) == 0
    said = capsys.readouterr().out
    assert f"first at {tmp_path / 't'}, line 4, byte 2" in said
    assert len(read(tmp_path / "ks")) == 7


def test_an_end_in_the_midst_leaves_the_old_files(files: list[str], tmp_path: Path) -> None:
    for name in ("ks", "kt"):
        (tmp_path / name).write_text("old\n")
    write(tmp_path / "t", TARGETS[:-1])
    assert main(files) == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs_kept.Packed, "write", lambda *_: 1 / 0)
        write(tmp_path / "t", TARGETS)
        with pytest.raises(ZeroDivisionError):
            main(files)
    assert [(tmp_path / name).read_text() for name in ("ks", "kt")] == ["old\n", "old\n"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["ks", "kt", "s", "t"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--drop_highest", "0.1"], "--drop_highest needs scores: give --scores FILE"),
        (["--scores", "{scores}"], "--scores are given, and nothing is asked of them"),
        (["--scores", "{scores}", "--column", "4", "--min_score", "1"], "scores, line 1 has 2 column(s), and --column"),
        (["--references", "x"], "--references cannot be used with --sources"),
        (["--tokenizer", "x"], "--tokenizer measures lengths, and none is limited"),
        (["--check_script", "en", "xx"], 'the script of language "xx" is not known'),
    ],
)
def test_flags_that_do_not_fit_are_refused(
    files: list[str], tmp_path: Path, more: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = write(tmp_path / "scores", SCORES)
    assert main([*files, *(each.format(scores=scores) for each in more)]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "ks").exists()


def test_a_score_that_is_no_number_and_files_of_other_lengths_are_named(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = write(tmp_path / "scores", [*SCORES[:4], "0\tnan", *SCORES[5:]])
    assert main([*files, "--scores", scores, "--min_score", "1"]) == 2
    assert "scores, line 5, column 2: 'nan' is not a number" in capsys.readouterr().err
    scores = write(tmp_path / "scores", SCORES[:4])
    assert main([*files, "--scores", scores, "--min_score", "1"]) == 2
    assert f"{scores} ends behind line 4, and {tmp_path / 's'} goes on" in capsys.readouterr().err


# --- the best of several ----------------------------------------------------------------------------------------------

N_BEST = [["a cat sat", "the cat sat on it", "the cat sat on it "], [""], ["x y", "z"], ["mat", "a mat was here"]]
REFERENCES = ["the cat sat on it", "something", "nothing in common", "a mat was there"]


@pytest.fixture
def several(tmp_path: Path) -> list[str]:
    rows = [f"{n}\t{rank}\t-1.0\t{text}" for n, texts in enumerate(N_BEST, 1) for rank, text in enumerate(texts, 1)]
    return [
        "filter", "--n_best", write(tmp_path / "n_best.tsv", rows), "--references",
        write(tmp_path / "references", REFERENCES), "--output", str(tmp_path / "best"),
    ]  # fmt: skip


@pytest.mark.parametrize("by", ["bleu", "chrf"])
def test_the_best_is_that_of_the_highest_score_and_the_first_of_equal_ones(
    several: list[str], tmp_path: Path, by: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*several, "--by", by]) == 0
    score: Any = {"bleu": sacrebleu.sentence_bleu, "chrf": sacrebleu.sentence_chrf}[by]
    expected = [
        max(texts, key=lambda text: score(text, [ref]).score) for texts, ref in zip(N_BEST, REFERENCES, strict=True)
    ]
    assert read(tmp_path / "best") == expected
    assert expected[0] == "the cat sat on it"
    said, remarks = capsys.readouterr()
    assert said.startswith("4 lines judged; in 2 the best translation by sentence ")
    assert "smooth:exp" in remarks or by == "chrf"


def test_it_goes_on_where_it_was_stopped(
    several: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(line_files, "WINDOW_LINES", 1)
    assert main(several) == 0
    whole = (tmp_path / "best").read_bytes()
    packed = [*several[:-1], str(tmp_path / "best.gz")]
    add = Journal.add
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "add", lambda journal, *args: add(journal, *args) if not journal.windows else 1 / 0)
        with pytest.raises(ZeroDivisionError):
            main(packed)
    assert not (tmp_path / "best.gz").exists()
    capsys.readouterr()
    assert main([*packed, "--resume"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("3 lines judged; ")
    assert said.endswith(" (of the lines from 2 on; those before were done earlier)\n")
    assert gzip.decompress((tmp_path / "best.gz").read_bytes()) == whole


def test_translations_of_other_lines_are_refused(
    several: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for lines, message in (
        (["1\t1\t0\ta", "3\t1\t0\tb"], "goes from line 1 to 3"),
        ([f"{n}\t1\t0\ta" for n in (1, 2, 3, 4, 5)], "references ends behind line 4, and"),
        (["1\t1\t0\ta"], "n_best.tsv ends behind line 1, and"),
        (["a sentence"], "n_best.tsv, line 1 is not a row of line, rank, score and translation"),
    ):
        write(tmp_path / "n_best.tsv", lines)
        assert main(several) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "best").exists()
    assert main([*several, "--drop_identical"]) == 2
    assert "--drop_identical cannot be used with --n_best" in capsys.readouterr().err
