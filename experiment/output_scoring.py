"""Scoring of a run's outputs, which are sentences or trees."""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, NamedTuple

from vaswani.data.trees import bracketed
from vaswani.evaluation.metric_table import METRICS, PROTOCOLS, Cost, Kind, by_score_key, of_kind
from vaswani.evaluation.parses import read_parses, score_parses
from vaswani.evaluation.scorer import Inputs, reason_against, scorer_of, value_of
from vaswani.evaluation.scores import Score, by_cost, each_score, figure, inputs_of, one_score, remarks

from .data_arguments import DataArguments

Texts = Sequence[str]


class OutputScoring(NamedTuple):
    """Functions of sources, references and outputs, one line per sentence each."""

    measured: tuple[str, ...]
    """The validation figures by which weights may be chosen, by their names in the log."""
    always: tuple[str, ...]
    """Those that can be measured with any references."""
    figure: Callable[[str, Texts, Texts, Texts], float]
    """Returns one of these."""
    unfit: Callable[[str, Texts, Texts], str | None]
    """Returns why one of them cannot be measured against these sources and references, or None."""
    judge: Callable[[Texts, Texts, Texts], "Judged"]
    """Returns all figures of a test set."""
    remarks: Callable[[Texts], list[str]]
    """Returns the remarks on these references."""


class Judged(NamedTuple):
    """The scores of the outputs for a test set."""

    scores: dict[str, Score]
    files: dict[str, list[str]]
    """Further files for the run folder: lines, by the ending of the file's name."""
    left_out: dict[str, str]
    """Scores that could not be computed, and why."""


def scoring_of(data: DataArguments, metric: str | None = None) -> OutputScoring:
    """Return the task of a run: parsing where trees are the target, or else translation.

    `metric` chooses its weights, if it is not the usual one.
    """
    known = of_kind(data.outputs)
    measured = tuple(each.key for each in known if each.cost is Cost.EVERY_VALIDATION or each.key == metric)
    always = tuple(each.key for each in known if scorer_of(each).reason_against is None)
    if data.outputs is Kind.PARSES:
        return OutputScoring(measured, always, figure_of_parses, unfit_parses, judge_parses, lambda _: [])
    languages = {"language": data.target, "source_language": data.source}
    return OutputScoring(
        measured,
        always,
        partial(figure_of_translations, **languages),
        partial(unfit_references, **languages),
        partial(judge_translations, metrics=judged_by(data, metric), **languages),
        partial(remarks, language=data.target),
    )


def judged_by(data: DataArguments, metric: str | None) -> set[str]:
    """Return the metrics of a run's test sets: the usual ones, that of --score_as, and the one that chooses."""
    asked = {each.key for each in of_kind(data.outputs)} & {metric, PROTOCOLS.get(str(data.score_as))}
    return {each.key for each in by_cost()} | asked


def figure_of_translations(
    name: str, sources: Texts, references: Texts, outputs: Texts, language: str, source_language: str
) -> float:
    """Return a single score; the others are computed at the end."""
    return figure(name, outputs, references, language, sources=sources, source_language=source_language)


def unfit_references(name: str, sources: Texts, references: Texts, language: str, source_language: str) -> str | None:
    """Return why a score cannot be measured against these references, as the end of a sentence, or None."""
    return reason_against(METRICS[name], [references], inputs_of(references, language, sources, source_language))


def judge_translations(
    sources: Texts, references: Texts, outputs: Texts, language: str, source_language: str, metrics: Collection[str]
) -> Judged:
    """Return scores of translations into a language, without those that were made for another one."""
    scores: dict[str, Score] = {}
    left_out = {}
    more: Any = {"sources": sources, "source_language": source_language, "metrics": metrics}
    for key, found in each_score(outputs, references, language, **more):
        metric = by_score_key(key)
        if isinstance(found, Score):
            scores[key] = found
        elif metric is None or metric.made_for is None:
            left_out[key] = f"{found.name} is left out: {found.reason}"
    return Judged(scores, {}, left_out)


def figure_of_parses(name: str, sources: Texts, references: Texts, outputs: Texts) -> float:
    """Return one score, F1 of labelled constituents for one."""
    return value_of(METRICS[name], outputs, Inputs(references, sources=sources))


def unfit_parses(name: str, sources: Texts, references: Texts) -> str | None:
    """Return why a score cannot be measured against these trees, as the end of a sentence, or None."""
    return reason_against(METRICS[name], [references], Inputs(references, sources=sources))


def judge_parses(sources: Texts, references: Texts, outputs: Texts) -> Judged:
    """Return all scores of parses, and bracketed trees, one per line, for which EVALB gives the same figures."""
    parses = read_parses(sources, references, outputs)
    trees = {"gold.mrg": list(map(bracketed, parses.gold)), "parsed.mrg": list(map(bracketed, parses.parsed))}
    scores, left_out = score_parses(parses), {}  # F1 and the figures beside it
    for metric in of_kind(Kind.PARSES):
        if metric.score_key not in scores:
            found = one_score(metric, outputs, Inputs(references, sources=sources))
            if isinstance(found, Score):
                scores[metric.score_key] = found
            else:
                left_out[metric.score_key] = f"{found.name} is left out: {found.reason}"
    return Judged(scores, trees, left_out)
