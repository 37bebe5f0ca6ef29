"""BLEU and chrF of single sentences, by sacreBLEU, and which of several translations of a sentence is the best by them.

BLEU of a sentence is sacreBLEU's own: orders that the sentence is too short for do not count ("eff:yes"), and an order
without a match counts as half of one match, the next as a quarter, and so on ("smooth:exp", Chen and Cherry 2014).
"""

from collections.abc import Sequence

from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from .languages import bleu_tokenizer
from .metrics.sacrebleu.line_statistics import corpus_scores, line_statistics


def sentence_metric(measure: str, language: str | None) -> Metric:
    """Return one of SENTENCE_METRICS for single sentences.

    Args:
        measure: which.
        language: of the text, as `languages.choose` returns it; it decides what a word is.

    """
    return BLEU(tokenize=bleu_tokenizer(language).name, effective_order=True) if measure == "bleu" else CHRF()


def signature(metric: Metric) -> str:
    """Return how a metric counts, as sacreBLEU writes it, which knows it once something was scored."""
    line_statistics(metric, [[""]], [""])
    return str(metric.get_signature())


def scores_of_lines(metric: Metric, hypotheses: Sequence[str], references: Sequence[str]) -> list[float]:
    """Return the score of each line, from 0 to 100, for as many references."""
    return corpus_scores(metric, line_statistics(metric, [hypotheses], references)[0]).tolist() if references else []


def scores_of_translations(metric: Metric, translations: Sequence[str], reference: str) -> list[float]:
    """Return the score of each of several translations of one sentence, from 0 to 100."""
    return corpus_scores(metric, line_statistics(metric, [[each] for each in translations], [reference])[:, 0]).tolist()


def best_of(scores: Sequence[float]) -> int:
    """Return the place of the highest score, the first of equal ones."""
    return max(range(len(scores)), key=scores.__getitem__)
