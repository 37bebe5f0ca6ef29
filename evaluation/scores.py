"""All scores of a translation, each with its name and signature, by the `evaluate` modules in `metrics/`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import evaluate

METRICS = Path(__file__).parent / "metrics"


class Score(NamedTuple):
    """One figure, never without its name and the settings that it depends on."""

    name: str
    value: float
    signature: str


class Scores(NamedTuple):
    """What `score` returns; iterate for the four, or take one by name."""

    sacrebleu: Score  # 0 to 100, cased
    chrf: Score  # 0 to 100
    ter: Score  # per cent of edits, lower is better
    wmt14_bleu: Score  # 0 to 100, the paper's; comparable for translation into German only


def score(hypotheses: Sequence[str], references: Sequence[str]) -> Scores:
    """Score a corpus of translations against one reference each, plain text on both sides.

    Raises:
        ValueError: the two differ in length, or there is nothing to score.
    """
    check_lines(hypotheses, references)
    sacrebleu = compute("sacrebleu", hypotheses, references)
    wmt14_bleu = compute("wmt14_bleu", hypotheses, references)
    return Scores(
        sacrebleu=Score("sacreBLEU", sacrebleu["bleu"], sacrebleu["bleu_signature"]),
        chrf=Score("chrF", sacrebleu["chrf"], sacrebleu["chrf_signature"]),
        ter=Score("TER", sacrebleu["ter"], sacrebleu["ter_signature"]),
        wmt14_bleu=Score("wmt14_bleu", wmt14_bleu["wmt14_bleu"], wmt14_bleu["signature"]),
    )


def check_lines(hypotheses: Sequence[str], references: Sequence[str]) -> None:
    """Raise ValueError unless there is one hypothesis for each reference, and at least one of both."""
    if len(hypotheses) != len(references):
        raise ValueError(
            f"{len(hypotheses)} hypotheses against {len(references)} references: give one translation for each "
            "reference, in the same order (an empty one is an empty line)"
        )
    if not references:
        raise ValueError("no references: there is nothing to score against, give at least one line")


def compute(name: str, hypotheses: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """Run one module of `metrics/`, in memory: runs beside this one on the same machine share no cache file."""
    metric = evaluate.load(str(METRICS / name), keep_in_memory=True)
    return metric.compute(predictions=list(hypotheses), references=list(references))
