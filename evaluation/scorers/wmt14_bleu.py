"""The paper's BLEU, on its own tokens (`metrics/wmt14_bleu`)."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from vaswani.evaluation.languages import unfit_for_wmt14
from vaswani.evaluation.metrics.sacrebleu.line_statistics import corpus_scores, line_statistics
from vaswani.evaluation.metrics.wmt14_bleu.compound_split_bleu import bleu, corpus_bleu, signature, tokenise
from vaswani.evaluation.scorer import Inputs, Lines, Scorer, Statistics, Value


def score(hypotheses: Lines, inputs: Inputs) -> Value:
    """Return the figure with its signature."""
    more = tokenised_further(tokenise, inputs)
    figure = corpus_bleu(tokenise(hypotheses), tokenise(inputs.references), more)
    return Value(figure, signature(references=inputs.number_of_references))


def statistics(outputs: Sequence[Lines], inputs: Inputs, bar: str | None) -> Statistics:
    """Return the counts of lines."""
    references, *tokenised = [tokenise(lines) for lines in (inputs.references, *outputs)]
    signature_of = partial(signature, references=inputs.number_of_references)
    more = tokenised_further(tokenise, inputs)
    return statistics_of_tokens(tokenised, references, bar, signature_of, more)


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
    signature_of: Callable[..., str],
    more_references: Sequence[Sequence[str | None]] = (),
) -> Statistics:
    """Return the counts of lines whose tokens are between spaces; `signature_of` takes how lines were drawn."""
    metric = bleu()

    def signed(drawn: Mapping[str, str]) -> str:
        return signature_of(*(f"{name}:{how}" for name, how in drawn.items()))

    return Statistics(
        line_statistics(metric, outputs, references, bar, more_references), partial(corpus_scores, metric), signed
    )


def no_german(outputs: Sequence[Lines], inputs: Inputs) -> str | None:  # noqa: ARG001  (one signature for all)
    """Return why it does not fit these references, or None."""
    return unfit_for_wmt14(inputs.references, inputs.language)


WMT14_BLEU = Scorer(score, statistics, no_german)
