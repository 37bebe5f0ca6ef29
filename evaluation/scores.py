"""All scores of a translation, each with its name and signature, by the metrics of the `metric_table`."""

from collections import namedtuple
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vaswani.data.blank_text import is_blank

from .languages import choose
from .metric_table import Kind, Metric, of_kind
from .metrics.sacrebleu.ter_cost import places
from .scorer import Inputs, reason_against, scorer_of, value_of

MODULES = Path(__file__).parent / "metrics"
"""The folder of the `evaluate` modules."""


class Score(NamedTuple):
    """One figure, never without its name and the settings that it depends on."""

    name: str
    value: float
    signature: str


class LeftOut(NamedTuple):
    """A score that was not computed, and why."""

    name: str
    reason: str


Scores = Any
"""The result of `score`, a named tuple: iterate over it, or take a score by its key."""


def score(
    hypotheses: Sequence[str],
    references: Sequence[str],
    language: str | None = None,
    *,
    sources: Sequence[str] | None = None,
    source_language: str | None = None,
    metrics: Collection[str] | None = None,
    more_references: Sequence[Sequence[str | None]] = (),
) -> Scores:
    """Score a corpus of translations against one or several references each, plain text on both sides.

    Args:
        hypotheses: one line per segment.
        references: as many.
        language: of both, such as "zh" or "pt-BR". It decides what a word is for BLEU and TER, and whether the paper's
            BLEU fits. If it is None or does not fit, the script of the references decides (`choose`).
        sources: as many; a metric that needs them is left out without them.
        source_language: theirs.
        metrics: keys of the `metric_table`; None for all metrics of translations that need not be asked for.
        more_references: further references, each as many lines; None where one has no such line. A metric that is a
            mean over lines reads only the first.

    Raises:
        ValueError: the two differ in length, there is nothing to score, or no such metric.

    """
    more: Any = {"sources": sources, "source_language": source_language, "metrics": metrics}
    more["more_references"] = more_references
    return as_listed("Scores", dict(each_score(hypotheses, references, language, **more)))


def as_listed(name: str, found: Mapping[str, Any]) -> Any:
    """Return a named tuple of results by the keys of scores, in the order of the table."""
    keys = [each.score_key for each in of_kind(Kind.TRANSLATIONS) if each.score_key in found]
    return namedtuple(name, keys)(**found)


def each_score(
    hypotheses: Sequence[str],
    references: Sequence[str],
    language: str | None = None,
    *,
    sources: Sequence[str] | None = None,
    source_language: str | None = None,
    metrics: Collection[str] | None = None,
    more_references: Sequence[Sequence[str | None]] = (),
) -> Iterator[tuple[str, Score | LeftOut]]:
    """Yield what `score` returns, by name, each as soon as it is computed: cheap scores first, TER last.

    Raises:
        ValueError: as `score` does.

    """
    asked = by_cost(metrics)
    check_lines(hypotheses, references)
    inputs = inputs_of(references, language, sources, source_language, more_references)
    for metric in asked:
        yield metric.score_key, one_score(metric, hypotheses, inputs)


def one_score(metric: Metric, hypotheses: Sequence[str], inputs: Inputs) -> Score | LeftOut:
    """Return the score of one metric."""
    reason = reason_against(metric, [hypotheses], inputs)
    if reason is not None:
        return LeftOut(metric.score_name, reason)
    return Score(metric.score_name, *scorer_of(metric).score(hypotheses, inputs))


def by_cost(metrics: Collection[str] | None = None) -> list[Metric]:
    """Return metrics of translations in the order in which they are computed.

    Args:
        metrics: their keys; None for all that need not be asked for.

    Raises:
        ValueError: one of them is not a metric of translations.

    """
    known = of_kind(Kind.TRANSLATIONS)
    keys = [each.key for each in known]
    for key in metrics or ():
        if key not in keys:
            raise ValueError(f"{key} is not a score of translations; choose from {', '.join(keys)}")
    asked = [each for each in known if (not each.on_request if metrics is None else each.key in metrics)]
    return sorted(asked, key=lambda each: each.cost)


def inputs_of(
    references: Sequence[str],
    language: str | None = None,
    sources: Sequence[str] | None = None,
    source_language: str | None = None,
    more_references: Sequence[Sequence[str | None]] = (),
) -> Inputs:
    """Return what translations are scored against, with their language chosen.

    Raises:
        ValueError: sources and references differ in length, or references do.

    """
    for each in more_references:
        if len(each) != len(references):
            raise ValueError(f"{len(references)} references and {len(each)} further ones; give the same number of both")
    if sources is not None and len(sources) != len(references):
        raise ValueError(f"{len(sources)} sources and {len(references)} references; give the same number of both")
    return Inputs(references, choose(references, language).language, sources, source_language, more_references)


def figure(
    name: str,
    hypotheses: Sequence[str],
    references: Sequence[str],
    language: str | None = None,
    *,
    sources: Sequence[str] | None = None,
    source_language: str | None = None,
) -> float:
    """Return only the figure of one score, the same as in `score`, to choose among models.

    Args:
        name: a key of the `metric_table`.
        hypotheses: as in `score`, like the following arguments.
        references: likewise.
        language: likewise.
        sources: likewise.
        source_language: likewise.

    Returns:
        The figure; NaN if the score is left out: TER of lines that are too long, wmt14_bleu of other languages than
        German.

    Raises:
        ValueError: as `score` does, or there is no such score.

    """
    [metric] = by_cost([name])
    check_lines(hypotheses, references)
    return value_of(metric, hypotheses, inputs_of(references, language, sources, source_language))


def remarks(
    references: Sequence[str], language: str | None = None, more_references: Sequence[Sequence[str | None]] = ()
) -> list[str]:
    """Return the remarks on the scores: how words were separated, and which references are blank."""
    chosen = choose(references, language)
    said = [] if chosen.note is None else [chosen.note]
    if more_references:
        return said + remarks_on_several([references, *more_references])
    blank = blank_lines(references)
    if blank:
        said.append(f"blank references: {len(blank):,} of {len(references):,} ({places(blank)}). {of_blank_lines()}")
        if any(references[number - 1].strip() for number in blank):
            said[-1] += "; to each of them a zero-width mark is one character"
    return said


def remarks_on_several(sides: Sequence[Sequence[str | None]]) -> list[str]:
    """Return the remark on blank references among several of a line."""
    lines = enumerate(zip(*sides, strict=True), 1)
    blank = [number for number, line in lines if any(each is not None and is_blank(each) for each in line)]
    if not blank:
        return []
    found = f"lines with a blank reference: {len(blank):,} of {len(sides[0]):,} ({places(blank)})"
    return [f"{found}. It counts as a reference without words beside the others, and so changes BLEU and TER"]


def of_blank_lines() -> str:
    """Return how metrics treat blank references."""

    def those(treatment: str, one: str, several: str) -> list[str]:
        names = [each.name for each in by_cost() if each.blank_references == treatment]
        if len(names) < 2:
            return [f"{name} {one}" for name in names]
        return [f"{', '.join(names[:-1])} and {names[-1]} {several}"]

    counted = "every word of their translations as wrong"
    wrong = those("wrong", f"counts {counted}", f"count {counted}")
    return ", ".join(wrong + those("left out", "leaves such lines out", "leave such lines out"))


def blank_lines(references: Sequence[str]) -> list[int]:
    """Return the numbers, from 1, of references that are empty or have only white space and invisible marks."""
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
