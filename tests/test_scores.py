"""What scores ask of language and text: words without spaces, blank references, costs that end, names of files."""

import json
import math
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.ter import TER
from sacremoses import MosesTokenizer

from vaswani.commands import main
from vaswani.commands import score as score_command
from vaswani.data import Drops, scripts
from vaswani.evaluation.by_length import bleu_by_length
from vaswani.evaluation.languages import bleu_tokenizer, choose, language_seen, lengths
from vaswani.evaluation.metrics.sacrebleu import by_language, ter_cost
from vaswani.evaluation.metrics.wmt14_bleu import compound_split_bleu
from vaswani.evaluation.scores import MODULES, LeftOut, Score, blank_lines, figure, remarks, score
from vaswani.evaluation.significance import compare
from vaswani.experiment.console import summary
from vaswani.experiment.data_arguments import DataArguments
from vaswani.experiment.output_scoring import scoring_of
from vaswani.publishing import MetricsRecord, RunRecord
from vaswani.publishing.card import model_card
from vaswani.storage.records import from_json

VASWANI = str(Path(sys.executable).with_name("vaswani"))

# "The old house by the river is very big." and the like
TEXT = {
    "zh": "河边的老房子非常大。",
    "yue": "河邊嗰間舊屋好大。",
    "ja": "川のそばの古い家はとても大きいです。",
    "ko": "강가의 오래된 집은 아주 크고 넓습니다.",
    "th": "บ้านเก่าริมแม่น้ำใหญ่มาก",
    "lo": "ເຮືອນເກົ່າແຄມແມ່ນ້ຳໃຫຍ່ຫຼາຍ",
    "km": "ផ្ទះចាស់នៅមាត់ទន្លេធំណាស់",
    "my": "မြစ်ဘေးကအိမ်ဟောင်းကအရမ်းကြီးတယ်",
    "bo": "གཙང་པོའི་འགྲམ་གྱི་ཁང་པ་རྙིང་པ་ཆེན་པོ་རེད།",
}


def installed(tokenizer: str, language: str) -> str:
    """The tokeniser, or characters where what it needs is not here; sacrebleu itself says whether it is."""
    try:
        BLEU(tokenize=tokenizer)
    except RuntimeError:
        assert "pip install" in str(bleu_tokenizer(language).note)
        return "char"
    assert bleu_tokenizer(language).note is None
    return tokenizer


@pytest.mark.parametrize(
    ("tokenizer", "languages"),
    [
        ("zh", "zh zh-Hans zh_Hant zh_TW zh-Hant-HK zh_CN.UTF-8 ZH yue zho cmn_Hans wuu und-Hani"),
        ("ja-mecab", "ja ja-JP jpn_Jpan ja_JP.eucJP ja-Hani ja-u-ca-japanese"),
        ("ko-mecab", "ko ko-KR kor_Hang ko-Kore ko-Hani"),
        ("char", "th th-TH lo km khm_Khmr my mya_Mymr bo bod_Tibt dz und-Thai jv-Java th-u-nu-latn ain-Kana"),
        ("13a", "de en pt-BR de_DE@euro zh-Latn ja-Latn sr_Cyrl jv xx chinese trg"),
    ],
)
def test_a_language_has_its_tokeniser(tokenizer: str, languages: str) -> None:
    for language in languages.split():
        assert bleu_tokenizer(language).name == installed(tokenizer, language), language
    assert bleu_tokenizer(None) == ("13a", None)


@pytest.mark.parametrize("is_given", [True, False])
@pytest.mark.parametrize("language", TEXT)
def test_a_perfect_translation_without_spaces_scores_100(language: str, is_given: bool) -> None:
    text, other = [TEXT[language]], [TEXT[language][:-2] + TEXT[language][:2]]
    code = language if is_given else None
    assert BLEU().corpus_score(text, [text]).score < 1 or language == "ko"
    found = score(text, text, code)
    assert found.sacrebleu.value == pytest.approx(100)
    name = bleu_tokenizer(language).name
    assert f"|tok:{name}" in found.sacrebleu.signature
    assert score(other, text, code).sacrebleu.value == BLEU(tokenize=name).corpus_score(other, [text]).score > 10
    assert isinstance(found.wmt14_bleu, LeftOut)
    said = " ".join(remarks(text, code))
    assert ("no language was given" in said and f"by {name}" in said) != is_given
    assert str(bleu_tokenizer(language).note or "") in said


def test_text_without_spaces_is_not_cut_at_spaces_whatever_language_is_told() -> None:
    for code in ("de", "trg", "zh"):
        found = choose([TEXT["th"]], code)
        assert found.language == "und-Thai"
        assert f'"{code}"' in str(found.note)
        assert score([TEXT["th"]], [TEXT["th"]], code).sacrebleu.value == pytest.approx(100)
    assert choose(["Ein Haus 家"], "de") == choose(["12"], "de") == ("de", None)
    assert language_seen(["Tokio heißt 東京."]) is None
    assert language_seen(["东京の家很大,房子很多很多很多"]) == "zh"


@given(st.lists(st.sampled_from(["a", "été ", "你", "の", "ハ", "ร", " ", "9", "。"]), max_size=12))
@settings(deadline=None)
def test_a_script_is_seen_where_most_words_are_its_letters(parts: list[str]) -> None:
    text = "".join(parts)
    others = len(re.findall("[aét]+", text))
    assert (language_seen([text]) is not None) == (sum(each in "你のハร" for each in text) > others)


def test_the_table_that_travels_has_the_scripts_of_ours() -> None:
    assert set(by_language.WITHOUT_SPACES) == set(scripts.WITHOUT_SPACES)


def test_ter_of_text_without_spaces_counts_letters() -> None:
    right, wrong = "河边的老房子非常大。", "河边的新房子非常大。"
    assert TER().corpus_score([wrong], [[right]]).score == 100
    found = score([wrong], [right], "zh").ter
    assert isinstance(found, Score)
    assert found.value == pytest.approx(10)  # one of ten
    assert "letters-apart" in found.signature
    mixed = score(["OpenAI 的房子"], ["OpenAI 的新房子"]).ter
    assert isinstance(mixed, Score)
    assert mixed.value == pytest.approx(20)  # OpenAI is one of five words
    plain = score(["나는 집에 간다"], ["나는 집에 갔다"], "ko").ter
    assert isinstance(plain, Score)
    assert plain.value == pytest.approx(100 / 3)
    assert "|tok:tercom|" in plain.signature


@pytest.mark.parametrize("language", ["de", "DE", "deu", "de-AT", "de_CH.UTF-8", None])
def test_the_papers_bleu_is_of_german(language: str | None) -> None:
    lines = ["Das alte Haus am Fluss ist groß."]
    assert isinstance(score(lines, lines, language).wmt14_bleu, Score)
    assert isinstance(compare([lines, lines], lines, 20, language=language).wmt14_bleu, tuple)


@pytest.mark.parametrize("language", ["fr", "en", "nl", "gsw", "trg", "de-Hebr"])
def test_the_papers_bleu_is_of_no_other_language(language: str) -> None:
    lines = ["La vieille maison est grande."]
    found = score(lines, lines, language).wmt14_bleu
    assert isinstance(found, LeftOut)
    assert language in found.reason
    assert compare([lines, lines], lines, 20, language=language).wmt14_bleu == found
    assert isinstance(score(["Старый дом."], ["Старый дом."]).wmt14_bleu, LeftOut)


WITHOUT_OUR_PACKAGE = """
import json, sys
sys.modules["vaswani"] = None  # as where it is not installed
import evaluate
for name in ("sacrebleu", "wmt14_bleu"):
    metric = evaluate.load(f"{sys.argv[1]}/{name}", keep_in_memory=True)
    options = {"language": "zh"} if name == "sacrebleu" else {}
    lines = json.loads(sys.argv[2])
    print(json.dumps(metric.compute(predictions=lines, references=lines, **options)))
"""


def test_the_modules_load_by_their_path_without_our_package(tmp_path: Path) -> None:
    environment = os.environ | {"HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_OUR_PACKAGE, str(MODULES), json.dumps([TEXT["zh"]])],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found, paper = map(json.loads, done.stdout.splitlines())
    assert found["bleu"] == pytest.approx(100)
    assert "tok:zh" in found["bleu_signature"]
    assert found["ter"] == 0
    assert "signature" in paper


def test_the_module_says_what_it_does_with_text_whose_language_it_is_not_told() -> None:
    import evaluate

    metric = evaluate.load(str(MODULES / "sacrebleu"), keep_in_memory=True)
    found = metric.compute(predictions=[TEXT["th"]], references=[TEXT["th"]])
    assert found["bleu"] == sacrebleu.corpus_bleu([TEXT["th"]], [[TEXT["th"]]]).score == 0
    assert "name the language" in found["bleu_note"]
    long = "a b " * 500
    assert metric.compute(predictions=[long], references=[long], scores=["ter"])["ter"] is None


# blank references

BLANKS = ["", " \t", "\u200b", "\ufeff", "\u200c\u2060", "\u00ad", "\u200e\u200f", "\u3000", "\u2028"]


def test_blank_references_are_counted_and_named() -> None:
    references = ["Rain fell.", *BLANKS, "."]
    assert blank_lines(references) == list(range(2, 2 + len(BLANKS)))
    (said,) = remarks(references, "en")
    assert "9 of 11 (lines 2, 3, 4, 5, 6, ...)" in said
    assert remarks(["Rain fell."], "en") == []


@pytest.mark.parametrize("blank", ["", " \t"])
def test_what_is_said_of_blank_references_is_what_the_scores_do(blank: str) -> None:
    lines = ["Ein altes Haus steht da.", "noch etwas ganz anderes"]
    with_blank = score(lines, [lines[0], blank], "de")
    assert with_blank.chrf.value == score(lines[:1], lines[:1], "de").chrf.value == 100
    # Four more words and none of them right: 6 / 10, 5 / 8, 4 / 6, 3 / 4, and each of them an edit.
    bleu = 100 * math.prod([6 / 10, 5 / 8, 4 / 6, 3 / 4]) ** 0.25
    assert with_blank.sacrebleu.value == pytest.approx(bleu)
    assert isinstance(with_blank.wmt14_bleu, Score)
    assert with_blank.wmt14_bleu.value == pytest.approx(bleu)
    assert isinstance(with_blank.ter, Score)
    assert with_blank.ter.value == pytest.approx(100 * 4 / 5)


# cost


def test_ter_is_left_out_of_lines_that_it_would_not_end_on() -> None:
    draw = random.Random(0)
    long = [" ".join(draw.choices("abcdefgh", k=1000)) for _ in range(6)]
    found = score(["fine", *long[:3]], ["fine", *long[3:]])
    assert isinstance(found.ter, LeftOut)
    assert "300 words per line" in found.ter.reason
    assert "3 of 4 lines have more (lines 2, 3, 4; line 2 has 1,000)" in found.ter.reason
    one = score(["fine", long[0]], ["fine", long[3]]).ter
    assert isinstance(one, LeftOut)
    assert "1 of 2 lines have more (line 2 has 1,000)" in one.reason
    assert all(isinstance(found[place], Score) for place in (0, 1, 3))
    assert score(long[:1], ["short"]).ter[0] == score(["short"], long[:1]).ter[0] == "TER"
    for scores in (score(long[:1], ["short"]), score(["short"], long[:1])):
        assert isinstance(scores.ter, LeftOut)
    assert isinstance(compare([["fine"], long[:1]], ["fine"], 20).ter, LeftOut)
    assert isinstance(score(["河" * 1000], ["河边" * 500]).ter, LeftOut)
    assert math.isnan(figure("ter", long[:1], long[1:2]))


def test_ter_is_left_out_where_its_work_would_be_hours() -> None:
    draw = random.Random(0)
    lines = [draw.choices("abcdefgh", k=300) for _ in range(400)]
    assert ter_cost.reason_against(lines[:20], lines[20:40]) is None
    reason = str(ter_cost.reason_against(lines[:200], lines[200:]))
    assert "200 lines of up to 300 words" in reason
    assert f"{ter_cost.MOST:,}" in reason


def test_an_ordinary_test_set_has_a_ter() -> None:
    """8,000 sentences of 5 to 60 words, one in ten of them "the" or a comma, and one of 300."""
    draw = random.Random(0)
    words = ["the", ","] * 500 + [f"word{number}" for number in range(9_000)]
    wanted = [draw.choices(words, k=draw.randint(5, 60)) for _ in range(8_000)] + [draw.choices(words, k=300)]
    found = [[word for word in line if draw.random() < 0.9] for line in wanted]
    assert ter_cost.reason_against(found, wanted) is None


@given(st.lists(st.lists(st.sampled_from("ab。 河"), max_size=8).map("".join), min_size=1, max_size=4))
@settings(deadline=None, max_examples=10)
def test_every_figure_of_a_validation_is_the_score(lines: list[str]) -> None:
    references = ["河边 a b a b 河", *lines[1:]]
    for language in ("de", "zh", None):
        scores = score(lines, references, language)
        for name, found in zip(("bleu", "chrf", "ter", "wmt14_bleu"), scores, strict=True):
            value = figure(name, lines, references, language)
            assert value == found.value if isinstance(found, Score) else math.isnan(value)


def test_a_figure_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(
        ValueError, match="rouge is not a score of translations; choose from bleu, chrf, ter, wmt14_bleu"
    ):
        figure("rouge", ["a"], ["a"])


@pytest.mark.parametrize("part", [".", "DOT", "a.b. ", "Nr. 3. ", "a..b...", "wort. ", "MULTI", "'. ", "。 "])
def test_the_papers_bleu_ends_on_a_line_of_a_megabyte(part: str) -> None:
    """What takes time as the square of the length would take hours here."""
    (found,) = compound_split_bleu.tokenise([part * (1_000_000 // len(part))])
    assert found


@given(
    st.lists(st.sampled_from(["DOT", "MULTI", ".", "..", "a", "Z", " ", "3", "z.B.", "'", ",", "ß", "你"]), max_size=14)
)
@settings(deadline=None, max_examples=400)
def test_the_tokens_of_the_papers_bleu_are_those_of_the_library(parts: list[str]) -> None:
    line, library, ours = "".join(parts), MosesTokenizer("de"), compound_split_bleu.Tokenizer("de")
    assert ours.tokenize(line, escape=False) == library.tokenize(line, escape=False)


# lengths


def test_lengths_count_characters_where_there_are_no_words() -> None:
    assert lengths(["a bc", ""]) == ([2, 0], "words")
    assert lengths(["河边 的房子。"]) == lengths(["河边 的房子。"], "zh") == ([6], "characters")
    assert lengths(["나는 집에 간다"]) == lengths(["나는 집에 간다"], "ko") == ([3], "words")


def test_bleu_by_length_of_text_without_spaces() -> None:
    sources = ["河" * 3, "河边的老房子非常大。"] * 30
    references = [line + "这里是。" for line in sources]
    found = bleu_by_length(sources, references, references, 5, samples=20)
    assert [(each.shortest, each.longest, each.sentences) for each in found] == [(1, 5, 30), (6, 10, 30)]
    assert [each.bleu for each in found] == pytest.approx([100, 100])


# the command


def lines_of(path: Path, *lines: str) -> str:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def test_the_command_takes_the_language(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    text = lines_of(tmp_path / "text", TEXT["th"], "\u200b")
    asked = ["score", "--references", text, "--hypotheses", text]
    assert main(asked) == 0
    out, error = (each.decode() for each in capsysbinary.readouterr())
    figures = dict(line.split()[:2] for line in out.splitlines())
    assert figures == {"sacreBLEU": "100.00", "chrF": "100.00", "TER": "0.00"}
    assert "tok:char" in out
    assert 'the script of "und-Thai": BLEU cuts them by char' in error
    assert "blank references: 1 of 2 (line 2)" in error
    assert "wmt14_bleu is left out: it was made for German" in error
    assert main([*asked, "--language", "th", "--json"]) == 0
    out, error = (each.decode() for each in capsysbinary.readouterr())
    found = json.loads(out)
    assert found.keys() == {"sacrebleu", "chrf", "ter", "left_out", "remarks"}
    assert found["left_out"].keys() == {"wmt14_bleu"}
    assert len(found["remarks"]) == 1
    assert main([*asked, "--metrics", "wmt14_bleu"]) == 2
    assert b"no score is left: it was made for German" in capsysbinary.readouterr().err
    french = lines_of(tmp_path / "french", "La vieille maison est grande.")
    for more in ([], [french]):
        assert main(["score", "--references", french, "--hypotheses", french, *more, "--language", "fr"]) == 0
        assert b"wmt14_bleu" not in capsysbinary.readouterr().out


def test_the_command_says_that_ter_of_many_lines_comes_last(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_command, "MANY_LINES", 4)
    text = lines_of(tmp_path / "text", "Das Haus ist alt.", "Das Haus ist groß.")
    for outputs, metrics, is_said in (([text], [], False), ([text, text], [], True), ([text, text], ["chrf"], False)):
        asked = ["--metrics", *metrics] if metrics else []
        assert main(["score", "--references", text, "--language", "en", "--hypotheses", *outputs, *asked]) == 0
        assert (b"TER comes last" in capsysbinary.readouterr().err) == is_said


SCORED_WITHOUT = """
import sys
from vaswani.commands import main
from vaswani.commands import score as score_command
assert main(["score", "--references", sys.argv[1], "--hypotheses", *sys.argv[1:]]) == 0
assert "evaluate" not in sys.modules
"""


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_command_does_without_the_evaluate_library(tmp_path: Path, outputs: int) -> None:
    """It takes seconds to import."""
    text = lines_of(tmp_path / "text", "Das Haus ist alt.")
    subprocess.run([sys.executable, "-c", SCORED_WITHOUT, *[text] * outputs], check=True, stdout=subprocess.DEVNULL)


def test_bleu_and_chrf_are_printed_before_ter_is_begun(tmp_path: Path) -> None:
    """90 lines of 300 words: TER of them would take longer than this test may."""
    draw = random.Random(0)
    one, two = (
        lines_of(tmp_path / name, *(" ".join(draw.choices("abcdefgh", k=300)) for _ in range(90))) for name in "ab"
    )
    process = subprocess.Popen([VASWANI, "score", "--references", one, "--hypotheses", two], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert [process.stdout.readline().split()[0] for _ in range(2)] == [b"sacreBLEU", b"chrF"]
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()


def in_c_locale() -> dict[str, str]:
    return os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


NAMES = [b"caf\xe9", b"gro\xc3\x9f"]
SHOWN = [r"caf\xe9", "groß"]


@pytest.fixture
def badly_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of two files beside which we are; that of the first is not UTF-8."""
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        Path(os.fsdecode(name)).write_text("Das alte Haus ist groß.\n", encoding="utf-8")
    return [os.fsdecode(name) for name in NAMES]


@pytest.mark.usefixtures("badly_named")
@pytest.mark.parametrize("environment", [dict(os.environ), in_c_locale()], ids=["as here", "C"])
def test_names_that_are_not_utf8_are_taken_and_shown(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [VASWANI, "score", "--references", NAMES[0], "--hypotheses", *NAMES],
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert [line.split()[-1] for line in done.stdout.decode().splitlines() if line.startswith(" ")] == SHOWN * 4


def test_names_that_are_not_utf8_in_json_and_in_pictures(
    badly_named: list[str], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["score", "--references", badly_named[0], "--hypotheses", *badly_named, "--json"]) == 0
    assert [each["file"] for each in json.loads(capsysbinary.readouterr().out)["ter"]["outputs"]] == SHOWN
    text = ["--sources", badly_named[1], "--references", badly_named[1], "--hypotheses", *badly_named]
    assert main(["plot", "lengths", *text, "--output", os.fsdecode(b"picture\xe9")]) == 0
    assert b"picture" in capsysbinary.readouterr().out
    assert b"picture\xe9.png" in [os.fsencode(each.name) for each in Path.cwd().iterdir()]


# a run


def test_a_run_scores_by_its_target_language() -> None:
    texts = ["The old house is big."], [TEXT["zh"]], [TEXT["zh"]]
    for direction in ("en-zh", "en-zh_TW", "en-trg"):
        task = scoring_of(DataArguments(direction=direction))
        assert task.figure("bleu", *texts) == pytest.approx(100)
        judged = task.judge(*texts)
        assert judged.scores.keys() == {"sacrebleu", "chrf", "ter"}
        assert judged.left_out == {}
        assert "tok:zh" in judged.scores["sacrebleu"].signature
    assert len(task.remarks(texts[1])) == 1
    german = ["Das alte Haus ist groß."]
    assert "wmt14_bleu" in scoring_of(DataArguments(direction="en-de_AT")).judge(german, german, german).scores
    assert scoring_of(DataArguments(direction="en-de")).remarks(["", *german]) == remarks(["", *german])


def test_what_a_run_leaves_out_is_said_at_its_end_and_on_its_card() -> None:
    long = ["a b " * 400]
    judged = scoring_of(DataArguments(direction="en-de")).judge(long, long, long)
    assert judged.scores.keys() == {"sacrebleu", "chrf", "wmt14_bleu"}
    assert "TER is left out" in judged.left_out["ter"]
    measured = {
        "steps": 3,
        "training_seconds": 60.0,
        "chosen": "last checkpoint",
        "parameters": 10,
        "resumed_from": None,
        "training_pairs": {"kept": 1, "dropped": {}},
        "search": {"num_beams": 4, "length_penalty": 0.6},
        "validation": {"bleu": 1.0, "perplexity": 2.0},
        "test": {"test": {name: each._asdict() for name, each in judged.scores.items()}},
        "left_out": {"test": judged.left_out},
        "remarks": {"test": ["blank references: 1 of 9"]},
        "not_scored": {},
        "examples": [],
        "earlier": {},
    }
    run = {
        "data": {"direction": "en-de", "dataset": None, "dataset_config": None, "tokens_per_batch": 9, "max_tokens": 9},
        "training": {"batches_per_step": 1, "max_steps": 9, "warmup_steps": 3, "seed": 1},
        "versions": {},
        "model": {
            "vocab_size": 9,
            "d_model": 8,
            "d_ff": 8,
            "num_heads": 2,
            "encoder_layers": 1,
            "decoder_layers": 1,
        },
        "command": "recipe",
    }
    metrics = from_json(MetricsRecord, measured, "metrics.json")
    card = model_card("a/b", from_json(RunRecord, run, "run.json"), metrics, {})
    for said in (summary(metrics, Drops(), Path("run")), card):
        assert judged.left_out["ter"] in said
        assert "blank references: 1 of 9" in said
        assert "| TER |" not in said
