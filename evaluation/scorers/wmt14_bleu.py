"""The paper's BLEU, by the `evaluate` module `metrics/wmt14_bleu`, on its own tokens."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from vaswani.evaluation.languages import unfit_for_wmt14
from vaswani.evaluation.metrics.sacrebleu.line_statistics import corpus_scores, line_statistics
from vaswani.evaluation.metrics.wmt14_bleu import wmt14_bleu
from vaswani.evaluation.scorer import Inputs, Lines, Scorer, Statistics, Value
from vaswani.evaluation.scores import compute


def score(hypotheses: Lines, inputs: Inputs) -> Value:
    """Return the figure with its signature."""
    if inputs.more_references:
        return Value(value(hypotheses, inputs), wmt14_bleu.signature(references=inputs.number_of_references))
    found = compute("wmt14_bleu", hypotheses, inputs.references)
    return Value(found["wmt14_bleu"], found["signature"])


def value(hypotheses: Lines, inputs: Inputs) -> float:
    """Return the same figure without loading a module."""
    tokenised = [wmt14_bleu.tokenise(side) for side in (hypotheses, inputs.references)]
    wanted: list[Any] = [tokenised[1], *tokenised_further(wmt14_bleu.tokenise, inputs)]  # its types know no None
    return wmt14_bleu.bleu().corpus_score(tokenised[0], wanted).score


def statistics(outputs: Sequence[Lines], inputs: Inputs, bar: str | None) -> Statistics:
    """Return the counts of lines."""
    references, *tokenised = [wmt14_bleu.tokenise(lines) for lines in (inputs.references, *outputs)]
    signature = partial(wmt14_bleu.signature, references=inputs.number_of_references)
    more = tokenised_further(wmt14_bleu.tokenise, inputs)
    return statistics_of_tokens(tokenised, references, bar, signature, more)


def tokenised_further(tokenise: Callable[[Lines], list[str]], inputs: Inputs) -> list[list[str | None]]:
    """Return the tokens of further references, between spaces; None where one has no such line."""
    return [
        [
            None if line is None else tokens
            for line, tokens in zip(lines, tokenise([each or "" for each in lines]), strict=True)
        ]
        for lines in inputs.more_references
    ]


def statistics_of_tokens(
    outputs: Sequence[Lines],
    references: Lines,
    bar: str | None,
    signature: Callable[..., str],
    more_references: Sequence[Sequence[str | None]] = (),
) -> Statistics:
    """Return the counts of lines whose tokens are between spaces; `signature` takes how lines were drawn."""
    metric = wmt14_bleu.bleu()

    def signed(drawn: Mapping[str, str]) -> str:
        return signature(*(f"{name}:{how}" for name, how in drawn.items()))

    return Statistics(
        line_statistics(metric, outputs, references, bar, more_references), partial(corpus_scores, metric), signed
    )


def no_german(outputs: Sequence[Lines], inputs: Inputs) -> str | None:  # noqa: ARG001  (one signature for all)
    """Return why it does not fit these references, or None."""
    return unfit_for_wmt14(inputs.references, inputs.language)


WMT14_BLEU = Scorer(score, statistics, no_german, value)
