"""sacreBLEU, chrF and TER, each with the signature that says how it was computed.

An `evaluate` module: `evaluate.load("path/to/metrics/sacrebleu")` needs no network and also gathers lines from several
processes (`num_process`, `process_id`). The figures are the sacrebleu library's own.
"""

from typing import Any

import datasets
import evaluate
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

DESCRIPTION = "Corpus BLEU (cased, 13a), chrF and TER of sacrebleu, from 0 to 100, with their signatures."
CITATION = "Matt Post: A Call for Clarity in Reporting BLEU Scores. WMT 2018."
INPUTS = """
Args:
    predictions: translations, plain text, one string a segment.
    references: one reference for each prediction, plain text.
Returns:
    bleu, chrf (higher is better), ter (lower is better), and bleu_signature, chrf_signature, ter_signature.
"""


class SacreBleu(evaluate.Metric):
    """Predictions and references, one string a segment; returns three scores and their signatures."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features(
                {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
            ),
            reference_urls=["https://aclanthology.org/W18-6319"],
        )

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, Any]:
        scores: dict[str, Any] = {}
        for name, metric in (("bleu", BLEU()), ("chrf", CHRF()), ("ter", TER())):
            scores[name] = metric.corpus_score(predictions, [references]).score
            scores[f"{name}_signature"] = str(metric.get_signature())
        return scores
