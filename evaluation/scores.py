"""All scores of a translation, each with its name and signature, by the `evaluate` modules in `metrics/`."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import evaluate

from vaswani.data.blank_text import is_blank

from .languages import Chosen, choose, unfit_for_wmt14
from .metrics.sacrebleu.sacrebleu import metric_of, ter_left_out
from .metrics.sacrebleu.ter_cost import places
from .metrics.wmt14_bleu import wmt14_bleu

METRICS = Path(__file__).parent / "metrics"


class Score(NamedTuple):
    """One figure, never without its name and the settings that it depends on."""

    name: str
    value: float
    signature: str


class LeftOut(NamedTuple):
    """A score that was not computed, and why."""

    name: str
    reason: str


class Scores(NamedTuple):
    """What `score` returns; iterate for the four, or take one by name."""

    sacrebleu: Score  # 0 to 100, cased
    chrf: Score  # 0 to 100
    ter: Score | LeftOut  # per cent of edits, lower is better; left out where it would take too long
    wmt14_bleu: Score | LeftOut  # 0 to 100, the paper's; of German alone


NAMES = {"sacrebleu": "sacreBLEU", "chrf": "chrF", "wmt14_bleu": "wmt14_bleu", "ter": "TER"}
"""In the order in which they are computed: TER takes the longest, and comes last."""
VALIDATION = ("bleu", "chrf", "ter", "wmt14_bleu")
"""What `figure` knows. Higher is better, but of TER."""


def score(hypotheses: Sequence[str], references: Sequence[str], language: str | None = None) -> Scores:
    """Score a corpus of translations against one reference each, plain text on both sides.

    Args:
        hypotheses: a line a segment.
        references: as many.
        language: of both, as "zh" or "pt-BR". It decides what is a word to BLEU and TER, and whether the paper's BLEU
            fits. Where None is given, or one that does not fit, the script of the references does (`choose`).

    Raises:
        ValueError: the two differ in length, or there is nothing to score.

    """
    return Scores(**dict(each_score(hypotheses, references, language)))  # type: ignore[arg-type]


def each_score(
    hypotheses: Sequence[str], references: Sequence[str], language: str | None = None
) -> Iterator[tuple[str, Score | LeftOut]]:
    """Yield what `score` returns, by name, each as soon as it is there: first those that cost little, TER after them.

    Raises:
        ValueError: as `score` does.

    """
    check_lines(hypotheses, references)
    chosen = choose(references, language)
    for name in NAMES:
        yield name, one_score(name, hypotheses, references, chosen)


def one_score(name: str, hypotheses: Sequence[str], references: Sequence[str], chosen: Chosen) -> Score | LeftOut:
    """Return one field of `Scores`."""
    if name == "wmt14_bleu":
        reason = unfit_for_wmt14(references, chosen.language)
        if reason is not None:
            return LeftOut(NAMES[name], reason)
        found = compute("wmt14_bleu", hypotheses, references)
        return Score(NAMES[name], found["wmt14_bleu"], found["signature"])
    key = {"sacrebleu": "bleu"}.get(name, name)
    found = compute("sacrebleu", hypotheses, references, language=chosen.language, scores=[key])
    if found[key] is None:
        return LeftOut(NAMES[name], found[f"{key}_left_out"])
    return Score(NAMES[name], found[key], found[f"{key}_signature"])


def figure(name: str, hypotheses: Sequence[str], references: Sequence[str], language: str | None = None) -> float:
    """Return one score as a bare figure, the same as in `score`, for choosing among models.

    Args:
        name: one of VALIDATION.
        hypotheses: as `score` takes them, like what follows.
        references: likewise.
        language: likewise.

    Returns:
        Not a number where the score is left out: TER of lines that are too long for it, wmt14_bleu but of German.

    Raises:
        ValueError: as `score` does, or there is no such score.

    """
    if name not in VALIDATION:
        raise ValueError(f"{name} is no score of translations; there are {', '.join(VALIDATION)}")
    check_lines(hypotheses, references)
    language = choose(references, language).language
    if name == "wmt14_bleu":
        if unfit_for_wmt14(references, language) is not None:
            return math.nan
        tokenised = [wmt14_bleu.tokenise(side) for side in (hypotheses, references)]
        return wmt14_bleu.bleu().corpus_score(tokenised[0], [tokenised[1]]).score
    if name == "ter" and ter_left_out([hypotheses], references, language) is not None:
        return math.nan
    return metric_of(name, language).corpus_score(hypotheses, [references]).score


def remarks(references: Sequence[str], language: str | None = None) -> list[str]:
    """Return what has to be said beside the scores: how words were told apart, and which references are blank."""
    chosen = choose(references, language)
    said = [] if chosen.note is None else [chosen.note]
    blank = blank_lines(references)
    if blank:
        said.append(
            f"blank references: {len(blank):,} of {len(references):,} ({places(blank)}). BLEU, wmt14_bleu and TER "
            "count every word of their translations as wrong, chrF leaves such lines out"
        )
        if any(references[number - 1].strip() for number in blank):
            said[-1] += "; to each of them a mark without width is one character"
    return said


def blank_lines(references: Sequence[str]) -> list[int]:
    """Return the numbers, from 1, of references that say nothing: white space and marks that nobody sees, or none."""
    return [number for number, line in enumerate(references, 1) if is_blank(line)]


def check_lines(hypotheses: Sequence[str], references: Sequence[str]) -> None:
    """Raise ValueError unless there is one hypothesis for each reference, and at least one of both."""
    if len(hypotheses) != len(references):
        raise ValueError(
            f"{len(hypotheses)} hypotheses against {len(references)} references: give one translation for each "
            "reference, in the same order (an empty one is an empty line)"
        )
    if not references:
        raise ValueError("no references: there is nothing to score against, give at least one line")


def compute(name: str, hypotheses: Sequence[str], references: Sequence[str], **options: Any) -> dict[str, Any]:
    """Run one module of `metrics/`, in memory: runs beside this one on the same machine share no cache file."""
    metric = evaluate.load(str(METRICS / name), keep_in_memory=True)
    return metric.compute(predictions=list(hypotheses), references=list(references), **options)
