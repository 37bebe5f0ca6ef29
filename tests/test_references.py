"""Several references: files, WMT's XML and SGM, and sacreBLEU's test sets give sacreBLEU's own figures."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu import DATASETS
from sacrebleu.dataset.wmt_xml import WMTXMLDataset
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from vaswani.commands import main
from vaswani.commands.reference_files import read_references, read_sources
from vaswani.evaluation.scorers.lowercased_bleu import tokenise
from vaswani.evaluation.scores import score
from vaswani.evaluation.significance import compare

WORDS = st.lists(
    st.sampled_from(["der", "Hund", "sieht", "das", "Haus", "am", "Meer", ",", "nicht", "."]), min_size=1, max_size=9
)
LINES = WORDS.map(" ".join)
SEGMENT = st.tuples(LINES, LINES, st.lists(st.none() | LINES, min_size=2, max_size=2))


@given(st.lists(SEGMENT, min_size=1, max_size=6))
@settings(deadline=None, max_examples=25)
def test_several_references_count_as_in_sacrebleu(segments: list[tuple[str, str, list[str | None]]]) -> None:
    outputs, references = [each[0] for each in segments], [each[1] for each in segments]
    more = [[each[2][number] for each in segments] for number in range(2)]
    theirs: list[Any] = [references, *more]
    found = score(outputs, references, "de", more_references=more, metrics=["bleu", "chrf", "ter", "wmt14_bleu"])
    for ours, metric in ((found.sacrebleu, BLEU()), (found.chrf, CHRF()), (found.ter, TER())):
        assert ours.value == pytest.approx(metric.corpus_score(outputs, theirs).score, abs=1e-9)
        assert ours.signature == str(metric.get_signature())
    shown = "var" if any(None in each for each in more) else "3"
    assert found.wmt14_bleu.signature.startswith(f"nrefs:{shown}|")
    compared = compare([outputs, references], references, 2, 2, language="de", more_references=more, metrics=["bleu"])
    assert compared.sacrebleu.outputs[0].value == pytest.approx(found.sacrebleu.value, abs=1e-9)


def test_the_paper_and_the_papers_on_multi30k_count_several_references_too() -> None:
    outputs, references = ["Der Hund sieht das Haus am Meer."], ["Der Hund sieht das Haus."]
    more = [["Ein Hund sieht das Haus am Meer."]]
    one = score(outputs, references, "de", metrics=["wmt14_bleu", "multi30k_bleu"])
    two = score(outputs, references, "de", metrics=["wmt14_bleu", "multi30k_bleu"], more_references=more)
    sides = [tokenise("multi30k", lines, "de") for lines in (outputs, references, *more)]
    plain = BLEU(tokenize="none", smooth_method="none", force=True).corpus_score(sides[0], sides[1:]).score
    assert two.multi30k_bleu.value == pytest.approx(plain)
    assert two.multi30k_bleu.signature.startswith("nrefs:2|")
    assert one.wmt14_bleu.value < two.wmt14_bleu.value
    with pytest.raises(ValueError, match="1 references and 2 further ones"):
        score(outputs, references, "de", more_references=[["a", "b"]])


XML = """<dataset id="new"><doc id="a"><src lang="en"><p><seg id="1">A dog.</seg><seg id="2">A house.</seg></p></src>
<ref lang="de" translator="A"><p><seg id="2">Das Haus am Meer ist alt.</seg></p></ref>
<ref lang="de" translator="B"><p><seg id="1">Ein Hund sieht das Meer.</seg><seg id="2">Ein Haus am Meer.</seg></p></ref>
<ref lang="cs" translator="A2"><p><seg id="1">Pes.</seg><seg id="2">Dům.</seg></p></ref></doc></dataset>
"""


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, str], Path]:
    def write(name: str, text: str) -> Path:
        (path := tmp_path / name).write_text(text, encoding="utf-8")
        return path

    return write


def scored(capsys: pytest.CaptureFixture[str], *args: str | Path) -> tuple[dict[str, dict[str, float]], str]:
    assert main(["score", *map(str, args), "--json"]) == 0
    said = capsys.readouterr()
    return json.loads(said.out), said.err


def test_files_and_translators_are_references(
    written: Callable[[str, str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    first = "Ein Hund sieht das Meer.\nDas Haus am Meer ist alt.\n"
    hypotheses = written("mine", "Der Hund sieht das Meer.\nDas Haus am Meer.\n")
    lines = [written("one", first), written("two", "Der Hund sah das Meer.\nEin Haus am Meer.\n")]
    outputs = hypotheses.read_text().splitlines()
    theirs = BLEU().corpus_score(outputs, [path.read_text().splitlines() for path in lines]).score
    found, _ = scored(capsys, "--references", *lines, "--hypotheses", hypotheses, "--language", "de")
    assert found["sacrebleu"]["value"] == pytest.approx(theirs)
    assert str(found["sacrebleu"]["signature"]).startswith("nrefs:2|")

    xml = written("set.xml", XML)
    assert read_sources(xml) == ["A dog.", "A house."]
    references = read_references([xml], "de-AT")
    assert references.first == first.splitlines()
    assert references.more == [[None, "Ein Haus am Meer."]]
    found, said = scored(capsys, "--references", xml, "--hypotheses", hypotheses, "--language", "de")
    wanted: list[Any] = [references.first, *references.more]
    theirs = BLEU().corpus_score(outputs, wanted).score
    assert found["sacrebleu"]["value"] == pytest.approx(theirs)
    assert "2 references: " in said
    assert "set.xml (B); 1 lines have fewer" in said
    assert main(["score", "--references", str(xml), "--hypotheses", str(hypotheses)]) == 2
    assert "name one of their languages by --language" in capsys.readouterr().err

    sgm = written(
        "ref.de.sgm",
        '<refset trglang="de"><doc docid="a" sysid="x"><seg id="1">Ein Hund.</seg>'
        '<seg id="2">Haus &amp; Meer</seg></doc>'
        '<doc docid="a" sysid="y"><seg id="2">Meer</seg></doc></refset>',
    )
    both = read_references([sgm, lines[0]], None)
    assert both.first == ["Ein Hund.", "Haus & Meer"]
    assert both.more == [["Ein Hund sieht das Meer.", "Meer"], [None, "Das Haus am Meer ist alt."]]
    assert both.language == "de"
    with pytest.raises(ValueError, match=r"as many lines as each other: .*one 2, .*three 3"):
        read_references([lines[0], written("three", "a\nb\nc\n")], None)


def test_a_blank_reference_among_several_is_told(
    written: Callable[[str, str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is no translation that nobody can hit: it is one without words, which the library compares with too."""
    ends = {"good": "x y", "blank": "", "hypothesis": "x y"}
    good, blank, hypothesis = (written(name, f"a b c d e\n{end}\n") for name, end in ends.items())
    for order in ([good, blank], [blank, good]):
        _, said = scored(capsys, "--references", *order, "--hypotheses", hypothesis)
        assert "lines with a blank reference: 1 of 2 (line 2)" in said
        assert "count every word of their translations as wrong" not in said


def test_the_lines_of_xml_are_those_of_sacrebleu(written: Callable[[str, str], Path]) -> None:
    path = written(
        "set.xml",
        """<dataset id="new"><doc id="a" origlang="en"><src lang="en"><p><seg id="1">One</seg><seg id="2">Two</seg>
<seg id="3">Nobody's</seg></p></src><ref lang="de" translator="A"><p><seg id="2">Zwei &amp; mehr</seg></p></ref>
<ref lang="de" translator="B"><p><seg id="1">Eins</seg><seg id="2">Zwei</seg></p></ref></doc>
<doc id="s" origlang="en" testsuite="x"><src lang="en"><p><seg id="1">Suite</seg></p></src></doc></dataset>""",
    )
    theirs = WMTXMLDataset._unwrap_wmt21_or_later(str(path))
    ours = read_references([path], "de")
    assert read_sources(path) == theirs["src"] == ["One", "Two"]
    found = zip(ours.first, *ours.more, strict=True)
    expected = zip(theirs["ref:A"], theirs["ref:B"], strict=True)
    assert [sorted(filter(None, line)) for line in found] == [sorted(filter(None, line)) for line in expected]


def test_a_test_set_that_sacrebleu_keeps_is_scored_as_it_does(tmp_path: Path) -> None:
    kept = tmp_path / "kept" / "wmt14"
    kept.mkdir(parents=True)
    references = "Ein Hund sieht das Meer.\nDas Haus am Meer ist alt.\n"
    (kept / "wmt14.en-de.src").write_text("A dog sees the sea.\nThe house by the sea is old.\n")
    for field in ("ref", "docid", "genre", "origlang"):
        (kept / f"wmt14.en-de.{field}").write_text(references if field == "ref" else "x\nx\n")
    (tmp_path / "mine").write_text("Der Hund sieht das Meer.\nDas Haus am Meer ist neu.\n")
    env = os.environ | {
        "SACREBLEU": str(kept.parent),
        "https_proxy": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }
    vaswani = [sys.executable, "-m", "vaswani.commands", "score", "--hypotheses", str(tmp_path / "mine")]

    def run(*command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    theirs = run(
        sys.executable, "-m", "sacrebleu", "-t", "wmt14", "-l", "en-de", "-i", str(tmp_path / "mine"), "-w", "6"
    )
    ours = run(*vaswani, "--test_set", "wmt14", "--direction", "en-de", "--metrics", "bleu", "--json")
    assert (theirs.returncode, ours.returncode) == (0, 0), theirs.stderr + ours.stderr
    found, expected = json.loads(ours.stdout), json.loads(theirs.stdout)
    assert found["sacrebleu"]["value"] == pytest.approx(expected["score"], abs=1e-6)
    assert found["sacrebleu"]["signature"] == expected["signature"]
    assert found["test_set"] == {"name": "wmt14", "direction": "en-de"}


def test_what_is_no_test_set_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(DATASETS["wmt13"], "_outdir", str(tmp_path / "wmt13"))
    monkeypatch.setattr(DATASETS["wmt13"], "_rawdir", str(tmp_path / "wmt13" / "raw"))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody listens
    urllib.request.install_opener(None)  # so that the next one looks at these
    (tmp_path / "mine").write_text("a\n")
    for flags, said in (
        (("wmt13", "--direction", "en-de"), "wmt13 en-de is not in"),
        (("wmt99", "--direction", "en-de"), "sacreBLEU has no test set 'wmt99'; alike are wmt"),
        (("wmt14", "--direction", "de-fr"), "wmt14 has no de-fr; it has cs-en"),
        (("wmt14",), "--test_set and --direction belong together"),
    ):
        assert main(["score", "--hypotheses", str(tmp_path / "mine"), "--test_set", *flags]) == 2
        assert said in capsys.readouterr().err
