"""What the outputs of a run are, sentences or trees, as far as scoring them depends on it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sacrebleu.metrics.bleu import BLEU

from vaswani.data.trees import TREES, bracketed
from vaswani.evaluation.parses import read_parses, score_parses
from vaswani.evaluation.scores import Score, score

from .arguments import DataArguments

Texts = Sequence[str]


class Task(NamedTuple):
    """Functions of sources, references and outputs, a line a sentence each."""

    quality: str
    """The validation figure by which weights are chosen, by its name in the log (`vaswani.training.quality`)."""
    quick: Callable[[Texts, Texts, Texts], float]
    """Returns that figure."""
    judge: Callable[[Texts, Texts, Texts], "Judged"]
    """Returns all figures of a test set."""


class Judged(NamedTuple):
    """What is said of the outputs for a test set."""

    scores: dict[str, Score]
    files: dict[str, list[str]]
    """What a run leaves of it beside the outputs: lines, by the ending of the file's name."""


def task_of(data: DataArguments) -> Task:
    """Return the task of a run: parsing where trees are the target, or else translation."""
    if data.target == TREES:
        return Task(data.quality, labelled_f1, judge_parses)
    return Task(data.quality, bleu, judge_german if data.target == "de" else judge_other_languages)


def bleu(sources: Texts, references: Texts, outputs: Texts) -> float:  # noqa: ARG001  (a task's signature)
    """Return sacreBLEU alone; the other scores wait for the end."""
    return BLEU().corpus_score(outputs, [references]).score


def judge_german(sources: Texts, references: Texts, outputs: Texts) -> Judged:  # noqa: ARG001
    """Return all scores of translations."""
    return Judged(score(outputs, references)._asdict(), files={})


def judge_other_languages(sources: Texts, references: Texts, outputs: Texts) -> Judged:
    """Return all scores of translations but the paper's, which tokenises by German rules."""
    judged = judge_german(sources, references, outputs)
    del judged.scores["wmt14_bleu"]
    return judged


def labelled_f1(sources: Texts, references: Texts, outputs: Texts) -> float:
    """Return F1 of labelled constituents."""
    return score_parses(read_parses(sources, references, outputs))["f1"].value


def judge_parses(sources: Texts, references: Texts, outputs: Texts) -> Judged:
    """Return all scores of parses, and bracketed trees, a line each, on which EVALB counts the same."""
    parses = read_parses(sources, references, outputs)
    trees = {"gold.mrg": list(map(bracketed, parses.gold)), "parsed.mrg": list(map(bracketed, parses.parsed))}
    return Judged(score_parses(parses), trees)
