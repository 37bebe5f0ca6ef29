"""The scores: the sacrebleu library's own figures, the paper's BLEU by hand, several processes at once."""

import json
import os
import subprocess
import sys
from math import exp
from pathlib import Path
from typing import Any

import evaluate
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from vaswani.evaluation.scores import MODULES, Scores, score

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
WORDS = st.lists(st.sampled_from(["ein", "Haus", "Nord-Süd-Dialog", '"ja"', "3.000,50", "."]), max_size=12).map(
    " ".join
)


def load(name: str) -> Any:
    return evaluate.load(str(MODULES / name), keep_in_memory=True)


@pytest.fixture(scope="module")
def wmt14() -> Any:
    metric = load("wmt14_bleu")
    return lambda hypotheses, references: metric.compute(predictions=hypotheses, references=references)["wmt14_bleu"]


@given(pairs=st.lists(st.tuples(TEXT | WORDS, TEXT | WORDS), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_sacrebleu_module_gives_the_librarys_figures(pairs: list[tuple[str, str]]) -> None:
    hypotheses, references = [list(side) for side in zip(*pairs, strict=True)]
    ours = load("sacrebleu").compute(predictions=hypotheses, references=references)
    assert ours["bleu"] == sacrebleu.corpus_bleu(hypotheses, [references]).score
    assert ours["chrf"] == sacrebleu.corpus_chrf(hypotheses, [references]).score
    assert ours["ter"] == sacrebleu.corpus_ter(hypotheses, [references]).score


def test_signatures_name_case_tokeniser_and_version() -> None:
    scores: Any = score(["Ein Haus."], ["Ein Haus."])
    version = sacrebleu.__version__
    assert scores.sacrebleu.signature == f"nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:{version}"
    assert scores.chrf.signature == f"nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:{version}"
    assert "tok:tercom" in scores.ter.signature
    for part in ("case:mixed", "tok:moses-de", "compounds:atat", "sacremoses:", version):
        assert part in scores.wmt14_bleu.signature
    assert [part.name for part in scores] == ["sacreBLEU", "chrF", "TER", "wmt14_bleu"]


def worked(*precisions: tuple[int, int], brevity: float = 1.0) -> Any:
    """BLEU from matches and totals counted by hand, for n = 1, 2, 3, 4."""
    product = 1.0
    for matched, total in precisions:
        product *= matched / total
    return pytest.approx(100 * brevity * product**0.25, rel=1e-9)


HAND = {
    # Ein Nord @ Süd @ Dialog beginnt heute . -- with @ for ##AT##-##AT##, one of nine tokens wrong
    "compound": (
        ["Ein Nord-Süd-Dialog beginnt heute."],
        ["Ein Nord-Ost-Dialog beginnt heute."],
        worked((8, 9), (6, 8), (4, 7), (2, 6)),
    ),
    # u v w x a @ b-c y z: the b is spent on the first match, as in the script, so b-c stays one token
    "compound of single letters": (
        ["u v w x a-b-c y z"],
        ["u v w x a-b-d y z"],
        worked((8, 9), (6, 8), (4, 7), (3, 6)),
    ),
    # a dash between spaces is no compound: Berlin - das ist weit weg . with the sixth of seven tokens wrong
    "dash": (
        ["Berlin - das ist weit weg."],
        ["Berlin - das ist weit fort."],
        worked((6, 7), (4, 6), (3, 5), (2, 4)),
    ),
    # Er zahlt 1.234,56 Euro am 3. Mai . -- a number and an ordinal are one token each
    "numbers": (
        ["Er zahlt 1.234,56 Euro am 3. Mai."],
        ["Er zahlt 1.234,57 Euro am 3. Mai."],
        worked((7, 8), (5, 7), (3, 6), (2, 5)),
    ),
    # Dr. Maier kommt z.B. um acht . -- abbreviations keep their full stops, the sentence's is apart
    "abbreviations": (
        ["Dr. Maier kommt z.B. um acht."],
        ["Dr. Meier kommt z.B. um acht."],
        worked((6, 7), (4, 6), (3, 5), (2, 4)),
    ),
    # Das Haus ist sehr alt . -- the first of six tokens differs in case alone
    "casing": (["das Haus ist sehr alt."], ["Das Haus ist sehr alt."], worked((5, 6), (4, 5), (3, 4), (2, 3))),
    # five tokens against six, all right
    "brevity": (
        ["Das Haus ist sehr alt"],
        ["Das Haus ist sehr alt."],
        worked((1, 1), (1, 1), (1, 1), (1, 1), brevity=exp(1 - 6 / 5)),
    ),
    # "ist" counts twice at most in the first line; counts are summed over lines before any division
    "clipping over a corpus": (
        ["ist ist ist ist", "Das Haus ist sehr alt."],
        ["ist ist ja ja", "Das Haus ist sehr alt."],
        worked((2 + 6, 4 + 6), (1 + 5, 3 + 5), (0 + 4, 2 + 4), (0 + 3, 1 + 3)),
    ),
    "no four tokens in a row: 0, not smoothed": (["Das Haus war alt."], ["Das Haus ist alt."], 0.0),
}


@pytest.mark.parametrize("case", HAND)
def test_wmt14_bleu_by_hand(wmt14: Any, case: str) -> None:
    hypotheses, references, expected = HAND[case]
    assert wmt14(hypotheses, references) == expected


@pytest.mark.parametrize(
    "written",
    [
        "Er sagte „ja“ und 'nein' zu ihr.",
        "Er sagte »ja« und ›nein‹ zu ihr.",
        "Er sagte «ja» und ‚nein‘ zu ihr.",
        "Er sagte “ja” und ‘nein’ zu ihr.",
    ],
)
def test_wmt14_bleu_does_not_see_the_form_of_quotes(wmt14: Any, written: str) -> None:
    plain = "Er sagte \"ja\" und 'nein' zu ihr."
    assert wmt14([written], [plain]) == pytest.approx(100)
    assert sacrebleu.corpus_bleu([written], [[plain]]).score < 90


def test_wmt14_bleu_is_the_higher_where_compounds_are_half_right() -> None:
    scores: Any = score(["Ein Nord-Süd-Dialog beginnt heute."], ["Ein Nord-Ost-Dialog beginnt heute."])
    assert scores.wmt14_bleu.value > scores.sacrebleu.value + 10


def test_empty_translations_score_0() -> None:
    assert score(["", ""], ["Ein Haus.", "Zwei Häuser stehen hier."])[:2] == (
        ("sacreBLEU", 0.0, score(["a"], ["a"]).sacrebleu.signature),
        ("chrF", 0.0, score(["a"], ["a"]).chrf.signature),
    )


@pytest.mark.parametrize(
    ("hypotheses", "references", "message"),
    [(["a", "b"], ["a"], "2 hypotheses against 1 references"), ([], [], "no references")],
)
def test_what_cannot_be_scored_is_an_error(hypotheses: list[str], references: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        score(hypotheses, references)


ONE_OF_TWO = """
import json, sys
import evaluate
rank, lines = int(sys.argv[1]), json.loads(sys.argv[2])
for name in ("sacrebleu", "wmt14_bleu"):
    path = f"{sys.argv[3]}/{name}"
    metric = evaluate.load(path, num_process=2, process_id=rank, experiment_id="two", cache_dir="cache")
    mine = lines[rank::2]
    result = metric.compute(predictions=[h for h, r in mine], references=[r for h, r in mine])
    print(json.dumps(result))
"""

SCORE = (
    "import json, sys; from vaswani.evaluation.scores import score; print(json.dumps(score(*json.loads(sys.argv[1]))))"
)


def start(folder: Path, *args: str) -> subprocess.Popen[str]:
    """A process that has an empty Hugging Face home and nothing but a closed port for a Hub."""
    offline = {"HF_HOME": str(folder / "home"), "HF_ENDPOINT": "http://127.0.0.1:9"}
    return subprocess.Popen(
        [sys.executable, "-c", *args], cwd=folder, env=os.environ | offline, stdout=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> list[Any]:
    output, _ = process.communicate()
    assert process.returncode == 0
    return [json.loads(line) for line in output.splitlines()]


LINES = [
    ("Ein Nord-Süd-Dialog.", "Ein Nord-Ost-Dialog."),
    ("Das Haus ist sehr alt.", "Das Haus ist alt."),
    ("Er sagte „ja“.", 'Er sagte "ja".'),
    ("", "Zwei Häuser stehen am Fluss."),
    ("Am 3. Mai um 12 Uhr.", "Am 3. Mai, um 12 Uhr."),
]


@pytest.mark.slow
def test_two_processes_score_the_whole(tmp_path: Path) -> None:
    processes = [start(tmp_path, ONE_OF_TWO, str(rank), json.dumps(LINES), str(MODULES)) for rank in range(2)]
    (bleu, wmt14_bleu), others = [finish(process) for process in processes]
    hypotheses, references = zip(*LINES, strict=True)
    whole: Any = score(hypotheses, references)
    assert [bleu["bleu"], bleu["chrf"], bleu["ter"], wmt14_bleu["wmt14_bleu"]] == pytest.approx(
        [s.value for s in whole]
    )
    assert others == [None, None]


@pytest.mark.slow
def test_runs_side_by_side_do_not_touch_each_other(tmp_path: Path) -> None:
    jobs = [[[f"Das Haus {i} ist alt."] * 3, ["Das Haus 0 ist alt."] * 3] for i in range(2)]
    processes = [start(tmp_path, SCORE, json.dumps(job)) for job in jobs]
    for (hypotheses, references), process in zip(jobs, processes, strict=True):
        expected: Scores = score(hypotheses, references)
        assert finish(process) == [[list(part) for part in expected]]
