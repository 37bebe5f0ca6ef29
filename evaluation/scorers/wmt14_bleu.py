"""The paper's BLEU, by the `evaluate` module `metrics/wmt14_bleu`, on its own tokens."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from vaswani.evaluation.languages import unfit_for_wmt14
from vaswani.evaluation.metrics.sacrebleu.line_statistics import corpus_scores, line_statistics
from vaswani.evaluation.metrics.wmt14_bleu import wmt14_bleu
from vaswani.evaluation.scorer import Inputs, Lines, Scorer, Statistics, Value
from vaswani.evaluation.scores import compute


def score(hypotheses: Lines, inputs: Inputs) -> Value:
    """Return the figure with its signature."""
    found = compute("wmt14_bleu", hypotheses, inputs.references)
    return Value(found["wmt14_bleu"], found["signature"])


def value(hypotheses: Lines, inputs: Inputs) -> float:
    """Return the same figure without loading a module."""
    tokenised = [wmt14_bleu.tokenise(side) for side in (hypotheses, inputs.references)]
    return wmt14_bleu.bleu().corpus_score(tokenised[0], [tokenised[1]]).score


def statistics(outputs: Sequence[Lines], inputs: Inputs, bar: str | None) -> Statistics:
    """Return the counts of lines."""
    references, *tokenised = [wmt14_bleu.tokenise(lines) for lines in (inputs.references, *outputs)]
    return statistics_of_tokens(tokenised, references, bar, wmt14_bleu.signature)


def statistics_of_tokens(
    outputs: Sequence[Lines], references: Lines, bar: str | None, signature: Callable[..., str]
) -> Statistics:
    """Return the counts of lines whose tokens are between spaces; `signature` takes how lines were drawn."""
    metric = wmt14_bleu.bleu()

    def signed(drawn: Mapping[str, str]) -> str:
        return signature(*(f"{name}:{how}" for name, how in drawn.items()))

    return Statistics(line_statistics(metric, outputs, references, bar), partial(corpus_scores, metric), signed)


def no_german(outputs: Sequence[Lines], inputs: Inputs) -> str | None:  # noqa: ARG001  (one signature for all)
    """Return why it does not fit these references, or None."""
    return unfit_for_wmt14(inputs.references, inputs.language)


WMT14_BLEU = Scorer(score, statistics, no_german, value)
