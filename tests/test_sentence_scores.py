"""`vaswani score --sentences`: sacreBLEU's own figures of each line, and the best of several translations by them."""

import json
from pathlib import Path
from typing import Any

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from vaswani.commands import line_files, main
from vaswani.evaluation.metric_table import SENTENCE_METRICS
from vaswani.evaluation.sentence_scores import (
    best_of,
    scores_of_lines,
    scores_of_translations,
    sentence_metric,
    signature,
)
from vaswani.storage import Journal

SACREBLEU: dict[str, Any] = {"bleu": sacrebleu.sentence_bleu, "chrf": sacrebleu.sentence_chrf}
WORDS = ["the", "cat", "Cat", "sat,", "on", "it's", "a", "mat", ".", "7", "ü"]
SENTENCE = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)
HYPOTHESES = ["the cat sat", "", "a mat is there", "der Hund"]
REFERENCES = ["the cat sat on it", "something", "a mat was there", ""]


@pytest.mark.parametrize("measure", SENTENCE_METRICS)
@given(lines=st.lists(st.tuples(SENTENCE, SENTENCE), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_each_line_has_the_figure_of_sacrebleu(measure: str, lines: list[tuple[str, str]]) -> None:
    hypotheses, references = map(list, zip(*lines, strict=True))
    metric = sentence_metric(measure, None)
    expected = [SACREBLEU[measure](each, [reference]).score for each, reference in lines]
    assert scores_of_lines(metric, hypotheses, references) == pytest.approx(expected, abs=1e-9)
    of_first = [SACREBLEU[measure](each, [references[0]]).score for each in hypotheses]
    found = scores_of_translations(metric, hypotheses, references[0])
    assert found == pytest.approx(of_first, abs=1e-9)
    best = best_of(found)
    assert found[best] == max(found)
    assert max(found) not in found[:best]


def test_the_language_decides_what_a_word_is() -> None:
    assert scores_of_lines(sentence_metric("bleu", "zh"), ["他在家里"], ["他在家里吗"])[0] > 50
    assert scores_of_lines(sentence_metric("bleu", "en"), ["他在家里"], ["他在家里吗"])[0] == 0
    assert "tok:zh|smooth:exp" in signature(sentence_metric("bleu", "zh"))


@pytest.fixture
def texts(tmp_path: Path) -> list[str]:
    for name, lines in (("hypotheses", HYPOTHESES), ("references", REFERENCES)):
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return ["--hypotheses", str(tmp_path / "hypotheses"), "--references", str(tmp_path / "references")]


def test_the_command_prints_a_row_for_a_line_and_says_how_it_counts(
    texts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", "--sentences", *texts]) == 0
    printed, said = capsys.readouterr()
    rows = [[float(figure) for figure in row.split("\t")] for row in printed.splitlines()]
    for row, hypothesis, reference in zip(rows, HYPOTHESES, REFERENCES, strict=True):
        found = [SACREBLEU[measure](hypothesis, [reference]).score for measure in ("bleu", "chrf")]
        assert row == pytest.approx(found, abs=1e-4)
    assert "BLEU of a sentence: nrefs:1|case:mixed|eff:yes|tok:13a|smooth:exp|version:" in said
    assert "chrF of a sentence: nrefs:1|" in said


def test_a_file_of_rows_goes_on_where_it_was_stopped(
    texts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(line_files, "WINDOW_LINES", 1)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    asked = ["score", "--sentences", *texts, "--output"]
    assert main([*asked, str(whole)]) == 0
    add = Journal.add

    def stopping(journal: Journal, *args: object) -> None:
        if len(journal.windows) == 2:
            raise KeyboardInterrupt
        add(journal, *args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "add", stopping)
        assert main([*asked, str(cut)]) == 130
    assert not cut.exists()
    assert len((tmp_path / "cut.partial").read_text().splitlines()) == 2
    capsys.readouterr()
    assert main([*asked, str(cut), "--resume", "--language", "th"]) == 2
    assert "language was None and is th" in capsys.readouterr().err
    assert main([*asked, str(cut), "--resume"]) == 0
    assert cut.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--json"], "--sentences prints its own columns: leave out --metrics, --as and --json"),
        (["--metrics", "bleu"], "--sentences prints its own columns"),
        (["--sources", "x"], "--sentences compares with --references; leave out --sources"),
        (["--hypotheses", "x", "y"], "--sentences scores one translation: give one file"),
        (["--references", "x", "y"], "--sentences compares with one reference: give one file of lines"),
        (["--references", "set.xml.gz"], "--sentences compares with one reference: give one file of lines"),
        (["--direction", "en-de"], "--test_set and --direction belong together"),
    ],
)
def test_flags_that_do_not_fit_are_refused(
    texts: list[str], more: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", "--sentences", *texts, *more]) == 2
    assert message in capsys.readouterr().err


def test_a_test_set_has_no_rows(texts: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    named = ["--test_set", "wmt14", "--direction", "en-de"]
    assert main(["score", "--sentences", *texts[:2], *named]) == 2
    assert "--sentences compares with one reference: give one file of lines" in capsys.readouterr().err


def test_only_rows_go_to_a_file_and_files_are_as_long(texts: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", *texts, "--output", "x"]) == 2
    assert "--output and --resume are of --model and --sentences" in capsys.readouterr().err
    Path(texts[1]).write_text("one\n")
    assert main(["score", "--sentences", *texts]) == 2
    assert f"{texts[1]} ends behind line 1, and {texts[3]} goes on" in capsys.readouterr().err


def test_scores_of_a_whole_text_are_printed_as_before(texts: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", *texts, "--metrics", "bleu", "--json"]) == 0
    assert "sacrebleu" in json.loads(capsys.readouterr().out)
