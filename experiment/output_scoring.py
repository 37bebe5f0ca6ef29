"""What the outputs of a run are, sentences or trees, as far as scoring them depends on it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from vaswani.data.trees import TREES, bracketed
from vaswani.evaluation.languages import choose, unfit_for_wmt14
from vaswani.evaluation.metrics.sacrebleu.sacrebleu import ter_left_out
from vaswani.evaluation.parses import read_parses, score_parses
from vaswani.evaluation.scores import Score, each_score, figure, remarks
from vaswani.training.quality import NAMES

from .arguments import DataArguments

Texts = Sequence[str]


class OutputScoring(NamedTuple):
    """Functions of sources, references and outputs, a line a sentence each."""

    measured: tuple[str, ...]
    """The figures of a validation by which weights may be chosen, by their names in the log."""
    figure: Callable[[str, Texts, Texts, Texts], float]
    """Returns one of these."""
    unfit: Callable[[str, Texts], str | None]
    """Returns why one of them cannot be measured against these references, or None."""
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


def scoring_of(data: DataArguments, metric: str | None = None) -> OutputScoring:
    """Return the task of a run: parsing where trees are the target, or else translation.

    `metric` is what its weights are chosen by, if that is another figure than the usual one.
    """
    measured = tuple(dict.fromkeys([data.quality, *([metric] if metric in NAMES else [])]))
    if data.target == TREES:
        return OutputScoring(measured, figure_of_parses, lambda *_: None, judge_parses, lambda _: [])
    return OutputScoring(
        measured,
        partial(figure_of_translations, language=data.target),
        partial(unfit_references, language=data.target),
        partial(judge_translations, language=data.target),
        partial(remarks, language=data.target),
    )


def figure_of_translations(name: str, sources: Texts, references: Texts, outputs: Texts, language: str) -> float:  # noqa: ARG001
    """Return one score alone; the others wait for the end."""
    return figure(name, outputs, references, language)


def unfit_references(name: str, references: Texts, language: str) -> str | None:
    """Return why a score cannot be measured against these references, as a sentence goes on, or None."""
    chosen = choose(references, language).language
    match name:
        case "wmt14_bleu":
            return unfit_for_wmt14(references, chosen)
        case "ter":
            return ter_left_out([references], references, chosen)
    return None


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


def figure_of_parses(name: str, sources: Texts, references: Texts, outputs: Texts) -> float:
    """Return one score, F1 of labelled constituents for one."""
    return score_parses(read_parses(sources, references, outputs))[name].value


def judge_parses(sources: Texts, references: Texts, outputs: Texts) -> Judged:
    """Return all scores of parses, and bracketed trees, a line each, on which EVALB counts the same."""
    parses = read_parses(sources, references, outputs)
    trees = {"gold.mrg": list(map(bracketed, parses.gold)), "parsed.mrg": list(map(bracketed, parses.parsed))}
    return Judged(score_parses(parses), trees, left_out={})
