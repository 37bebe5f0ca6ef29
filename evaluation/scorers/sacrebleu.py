"""BLEU, chrF and TER, by the `evaluate` module `metrics/sacrebleu`."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from vaswani.evaluation.metrics.sacrebleu.line_statistics import corpus_scores, line_statistics
from vaswani.evaluation.metrics.sacrebleu.sacrebleu import metric_of, ter_left_out
from vaswani.evaluation.scorer import Inputs, Lines, Scorer, Statistics, Value
from vaswani.evaluation.scores import compute


def score(key: str, hypotheses: Lines, inputs: Inputs) -> Value:
    """Return one of the three with its signature."""
    more = {"more_references": inputs.more_references} if inputs.more_references else {}
    found = compute("sacrebleu", hypotheses, inputs.references, language=inputs.language, scores=[key], **more)
    return Value(found[key], found[f"{key}_signature"])


def value(key: str, hypotheses: Lines, inputs: Inputs) -> float:
    """Return the same figure without loading a module."""
    wanted: list[Any] = [inputs.references, *inputs.more_references]  # sacrebleu's types know no None
    return metric_of(key, inputs.language).corpus_score(hypotheses, wanted).score


def statistics(key: str, outputs: Sequence[Lines], inputs: Inputs, bar: str | None) -> Statistics:
    """Return the counts of lines; the signature names the draws like those of sacrebleu's tests."""
    metric = metric_of(key, inputs.language)
    of_lines = line_statistics(metric, outputs, inputs.references, bar, inputs.more_references)

    def signature(drawn: Mapping[str, str]) -> str:
        signed = metric.get_signature()
        for name, how in drawn.items():
            signed.update(name, how)
        return str(signed)

    return Statistics(of_lines, partial(corpus_scores, metric), signature)


def too_long_for_ter(outputs: Sequence[Lines], inputs: Inputs) -> str | None:
    """Return why TER would take too long, or None."""
    return ter_left_out(outputs, inputs.references, inputs.language, inputs.more_references)


BLEU, CHRF, TER = (
    Scorer(partial(score, key), partial(statistics, key), against, partial(value, key))
    for key, against in (("bleu", None), ("chrf", None), ("ter", too_long_for_ter))
)
