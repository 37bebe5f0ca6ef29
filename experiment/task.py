"""What the outputs of a run are, sentences or trees, as far as scoring them depends on it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from vaswani.data.trees import TREES, bracketed
from vaswani.evaluation.parses import read_parses, score_parses
from vaswani.evaluation.scores import Score, each_score, figure, remarks

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
    remarks: Callable[[Texts], list[str]]
    """Returns what has to be said of these references beside any figure."""


class Judged(NamedTuple):
    """What is said of the outputs for a test set."""

    scores: dict[str, Score]
    files: dict[str, list[str]]
    """What a run leaves of it beside the outputs: lines, by the ending of the file's name."""
    left_out: dict[str, str]
    """Scores that were to be computed and could not be, and why."""


def task_of(data: DataArguments) -> Task:
    """Return the task of a run: parsing where trees are the target, or else translation."""
    if data.target == TREES:
        return Task(data.quality, labelled_f1, judge_parses, lambda references: [])  # noqa: ARG005
    return Task(
        data.quality,
        partial(bleu, language=data.target),
        partial(judge_translations, language=data.target),
        partial(remarks, language=data.target),
    )


def bleu(sources: Texts, references: Texts, outputs: Texts, language: str) -> float:  # noqa: ARG001
    """Return sacreBLEU alone; the other scores wait for the end."""
    return figure("bleu", outputs, references, language)


def judge_translations(sources: Texts, references: Texts, outputs: Texts, language: str) -> Judged:  # noqa: ARG001
    """Return all scores of translations into a language; those that were made for another are not missed."""
    scores: dict[str, Score] = {}
    left_out = {}
    for name, found in each_score(outputs, references, language):
        if isinstance(found, Score):
            scores[name] = found
        elif name != "wmt14_bleu":
            left_out[name] = f"{found.name} is left out: {found.reason}"
    return Judged(scores, {}, left_out)


def labelled_f1(sources: Texts, references: Texts, outputs: Texts) -> float:
    """Return F1 of labelled constituents."""
    return score_parses(read_parses(sources, references, outputs))["f1"].value


def judge_parses(sources: Texts, references: Texts, outputs: Texts) -> Judged:
    """Return all scores of parses, and bracketed trees, a line each, on which EVALB counts the same."""
    parses = read_parses(sources, references, outputs)
    trees = {"gold.mrg": list(map(bracketed, parses.gold)), "parsed.mrg": list(map(bracketed, parses.parsed))}
    return Judged(score_parses(parses), trees, left_out={})
