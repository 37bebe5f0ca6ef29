"""BLEU, chrF and TER of sacrebleu (`metrics/sacrebleu`)."""

from collections.abc import Mapping, Sequence
from functools import partial

from vaswani.evaluation.metrics.sacrebleu.line_statistics import corpus_scores, line_statistics
from vaswani.evaluation.metrics.sacrebleu.metric_of_language import metric_of, ter_left_out
from vaswani.evaluation.scorer import Inputs, Lines, Scorer, Statistics, Value


def score(key: str, hypotheses: Lines, inputs: Inputs) -> Value:
    """Return one of the three with its signature."""
    metric = metric_of(key, inputs.language)
    counts = line_statistics(metric, [hypotheses], inputs.references, more_references=inputs.more_references)
    (value,) = corpus_scores(metric, counts.sum(axis=1))
    return Value(float(value), str(metric.get_signature()))


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
    Scorer(partial(score, key), partial(statistics, key), against)
    for key, against in (("bleu", None), ("chrf", None), ("ter", too_long_for_ter))
)
