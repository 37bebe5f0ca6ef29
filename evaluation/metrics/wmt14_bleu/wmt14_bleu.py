"""The paper's BLEU as an `evaluate` module, which loads from its folder without a network.

Its steps are in the file beside it.
"""

from typing import Any

import datasets
import evaluate

from .compound_split_bleu import corpus_bleu, signature, tokenise

DESCRIPTION = "Tokenised, compound-split, cased corpus BLEU, from 0 to 100, as in 'Attention Is All You Need'."
CITATION = "Vaswani et al.: Attention Is All You Need. NeurIPS 2017."
INPUTS = """
Args:
    predictions: German translations, plain text (not tokenised), one string per segment.
    references: one reference for each prediction, plain text.
Returns:
    wmt14_bleu and signature.
"""


class Wmt14Bleu(evaluate.Metric):
    """Predictions and references, one string per segment; returns the score and its signature."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features(
                {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
            ),
            reference_urls=["https://arxiv.org/abs/1706.03762"],
        )

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, Any]:
        return {"wmt14_bleu": corpus_bleu(tokenise(predictions), tokenise(references)), "signature": signature()}
