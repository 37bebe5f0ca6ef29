"""BLEU as papers on Multi30k and IWSLT14 count it: lower-cased tokens of Moses, by the steps of either."""

import json
from pathlib import Path

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from sacremoses import MosesPunctNormalizer

from vaswani.commands import main
from vaswani.evaluation.metric_table import METRICS, PROTOCOLS, Kind
from vaswani.evaluation.scorers.lowercased_bleu import DOTS_BEFORE_QUOTE, LANGUAGES, STEPS, normalizer, tokenise
from vaswani.evaluation.scores import LeftOut, score
from vaswani.evaluation.significance import compare
from vaswani.experiment.arguments import Recipe, parse
from vaswani.experiment.data_arguments import DataArguments
from vaswani.experiment.output_scoring import scoring_of

LINE = "Dr. Maier sagte: „Das ist’s“ (heute)…"
TOKENS = {
    "multi30k": 'dr. maier sagte : " das ist \' s " ( heute ) ...',
    "iwslt14": "dr. maier sagte : „ das ist ’ s “ ( heute ) …",
}


@pytest.mark.parametrize("protocol", STEPS)
def test_tokens_by_hand(protocol: str) -> None:
    assert tokenise(protocol, [LINE, "", "  A  B "], "de") == [TOKENS[protocol], "", "a b"]


def test_a_full_stop_and_a_quote_change_places_at_the_end_of_a_line_too() -> None:
    """As in the tokens that the data set of Multi30k publishes; sacremoses alone leaves them there."""
    assert tokenise("multi30k", ['Er sagt "ja."', '"Ja." Er geht.'], "de") == ['er sagt " ja " .', '" ja " . er geht .']


def test_case_is_lowered_before_or_after_the_tokens_are_cut() -> None:
    """Moses keeps the full stop of an abbreviation that it knows, and "No." only with a capital."""
    assert tokenise("iwslt14", ["Room No. 7"], "en") == ["room no. 7"]
    assert tokenise("multi30k", ["Room No. 7"], "en") == ["room no . 7"]


def test_each_language_has_rules_of_its_own() -> None:
    assert [tokenise("iwslt14", ["l'eau d'Anna's"], each)[0] for each in ("fr", "en", "de")] == [
        "l' eau d' anna' s",
        "l 'eau d 'anna 's",
        "l ' eau d ' anna ' s",
    ]


@given(
    st.lists(st.sampled_from([".", "..", '"', '."', "<", " ", ",", "a", "3", "\u00a0", "'", "\n"]), max_size=16),
    st.sampled_from(sorted(LANGUAGES)),
)
@settings(deadline=None, max_examples=600)
def test_punctuation_becomes_what_the_library_makes_of_it(parts: list[str], language: str) -> None:
    line = "".join(parts)
    assert normalizer(language).normalize(line) == MosesPunctNormalizer(language, perl_parity=True).normalize(line)


def test_the_slow_pattern_is_still_the_librarys() -> None:
    patterns = [pattern for pattern, _ in MosesPunctNormalizer("de").substitutions]
    assert patterns.count(DOTS_BEFORE_QUOTE) == 1
    assert DOTS_BEFORE_QUOTE not in [pattern for pattern, _ in normalizer("de").substitutions]


@pytest.mark.parametrize("part", [".", '".', "( ", " ", "'", "1 %", "a’b", "wort. "])
@pytest.mark.parametrize("protocol", STEPS)
def test_a_line_of_a_megabyte_comes_to_its_end(protocol: str, part: str) -> None:
    """What takes time as the square of the length would take hours here."""
    tokenise(protocol, [part * (1_000_000 // len(part))], "de")


@pytest.mark.parametrize("protocol", STEPS)
def test_it_counts_as_multi_bleu_does(protocol: str) -> None:
    references = ["Das alte Haus ist groß.", "„Nein“, sagte der Nord-Süd-Dialog."]
    hypotheses = ["das alte haus ist klein.", '"Nein", sagte der Nord-Süd-Dialog.']
    found = getattr(score(hypotheses, references, "de", metrics=[PROTOCOLS[protocol]]), PROTOCOLS[protocol])
    sides = [tokenise(protocol, lines, "de") for lines in (hypotheses, references)]
    expected = sacrebleu.corpus_bleu(sides[0], [sides[1]], tokenize="none", smooth_method="none", force=True)
    assert found.value == pytest.approx(expected.score)
    assert found.value < 100
    assert "|".join(("nrefs:1", "lang:de", *STEPS[protocol], "smooth:none")) in found.signature
    assert score(references, references, "de", metrics=[PROTOCOLS[protocol]])[0].value == pytest.approx(100)


def test_outputs_are_compared_by_it() -> None:
    references = ["Das alte Haus ist sehr groß.", "Der Hund sieht die kleine Katze.", "Er kommt heute nicht."] * 5
    worse = [line.replace("Haus", "Dach").replace("Katze", "Maus") for line in references]
    [found] = compare([references, worse], references, 50, language="de", metrics=["multi30k_bleu"])
    first, second = found.outputs
    assert first.value == pytest.approx(100)
    assert second.value == pytest.approx(score(worse, references, "de", metrics=["multi30k_bleu"])[0].value)
    assert "case:lower|punctuation:moses|tok:moses" in found.signature
    assert "seed:" in found.signature


@pytest.mark.parametrize(
    ("language", "reason"),
    [
        (None, "and none is given; give --language, such as de"),
        ("zh", 'Moses has no rules for the language "zh"'),
        ("tr", 'Moses has no rules for the language "tr"'),
    ],
)
def test_without_rules_there_is_no_such_figure(language: str | None, reason: str) -> None:
    found = score(["a b c d"], ["a b c d"], language, metrics=["multi30k_bleu", "bleu"])
    assert isinstance(found.multi30k_bleu, LeftOut)
    assert reason in found.multi30k_bleu.reason
    assert found.sacrebleu.value == pytest.approx(100)


def test_it_is_computed_only_where_it_is_asked_for() -> None:
    lines = ["Das alte Haus ist groß."]
    assert {"multi30k_bleu", "iwslt14_bleu"} <= METRICS.keys()
    assert score(lines, lines, "de")._fields == ("sacrebleu", "chrf", "ter", "wmt14_bleu")
    for protocol, more in ((None, set()), ("multi30k", {"multi30k_bleu"}), ("sacrebleu", set()), ("wmt14", set())):
        judged = scoring_of(DataArguments(direction="en-de", score_as=protocol)).judge(lines, lines, lines)
        assert judged.scores.keys() == {"sacrebleu", "chrf", "ter", "wmt14_bleu"} | more
    assert (
        "multi30k_bleu" in scoring_of(DataArguments(direction="de-en", score_as="multi30k")).judge(*[lines] * 3).scores
    )


def test_a_run_refuses_what_does_not_fit(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match=r"--score_as is 'flickr'. Give one of: multi30k, iwslt14, wmt14, sacrebleu."):
        DataArguments(score_as="flickr")
    trees = ["--data_dir", "text", "--direction", "en-trees", "--metric_for_best_model", "f1"]
    recipe = Recipe("", {}, {"score_as": "multi30k"}, {})
    assert parse(recipe, trees).data.outputs is Kind.PARSES  # the recipe's own is for translations
    with pytest.raises(SystemExit):
        parse(recipe, [*trees, "--score_as", "wmt14"])
    assert "trees are scored by F1: leave it out" in capsys.readouterr().err


def test_the_command_counts_as_the_papers_on_a_task_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    references, hypotheses = tmp_path / "ref", tmp_path / "hyp"
    references.write_text("Das alte Haus ist „sehr“ groß.\nEin Nord-Süd-Dialog beginnt.\n", encoding="utf-8")
    hypotheses.write_text('das alte haus ist "sehr" groß.\nEin Nord-Ost-Dialog beginnt.\n', encoding="utf-8")
    asked = ["score", "--references", str(references), "--hypotheses", str(hypotheses), "--language", "de"]
    figures = {}
    for protocol, key in PROTOCOLS.items():
        assert main([*asked, "--as", protocol, "--json"]) == 0
        [(found, figure)] = json.loads(capsys.readouterr().out).items()
        assert found == ("sacrebleu" if key == "bleu" else key)
        figures[protocol] = figure["value"]
    assert figures["multi30k"] > figures["iwslt14"] > figures["sacrebleu"]
    assert main([*asked, "--as", "multi30k", "wmt14"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["wmt14_bleu", "multi30k_bleu"]
    assert main([*asked[:-2], "--as", "multi30k"]) == 2
    assert "multi30k_bleu is left out: Moses has rules for each language" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*asked, "--as", "multi30k", "--metrics", "bleu"])
    assert "not allowed with argument" in capsys.readouterr().err
