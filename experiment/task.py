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
    scores: Callable[[Texts, Texts, Texts], dict[str, Score]]
    """Returns all figures of a test set."""
    files: Callable[[Texts, Texts, Texts], dict[str, list[str]]]
    """Returns what a run leaves of a test set beside the outputs: lines, by the ending of the file's name."""


def task_of(data: DataArguments) -> Task:
    """Return the task of a run: parsing where trees are the target, or else translation."""
    if data.target == TREES:
        return Task("f1", labelled_f1, all_of_parses, trees_for_evalb)
    return Task("bleu", bleu, of_german if data.target == "de" else of_other_languages, no_files)


def bleu(sources: Texts, references: Texts, outputs: Texts) -> float:  # noqa: ARG001  (a task's signature)
    """Return sacreBLEU alone; the other scores wait for the end."""
    return BLEU().corpus_score(outputs, [references]).score


def of_german(sources: Texts, references: Texts, outputs: Texts) -> dict[str, Score]:  # noqa: ARG001
    """Return all scores of translations."""
    return score(outputs, references)._asdict()


def of_other_languages(sources: Texts, references: Texts, outputs: Texts) -> dict[str, Score]:
    """Return all scores of translations but the paper's, which tokenises by German rules."""
    scores = of_german(sources, references, outputs)
    del scores["wmt14_bleu"]
    return scores


def no_files(sources: Texts, references: Texts, outputs: Texts) -> dict[str, list[str]]:  # noqa: ARG001
    """Leave nothing more."""
    return {}


def labelled_f1(sources: Texts, references: Texts, outputs: Texts) -> float:
    """Return F1 of labelled constituents."""
    return score_parses(read_parses(sources, references, outputs))["f1"].value


def all_of_parses(sources: Texts, references: Texts, outputs: Texts) -> dict[str, Score]:
    """Return all scores of parses."""
    return score_parses(read_parses(sources, references, outputs))


def trees_for_evalb(sources: Texts, references: Texts, outputs: Texts) -> dict[str, list[str]]:
    """Leave bracketed trees, a line each, on which EVALB counts the same."""
    parses = read_parses(sources, references, outputs)
    return {"gold.mrg": list(map(bracketed, parses.gold)), "parsed.mrg": list(map(bracketed, parses.parsed))}
