"""F1 of parses as an `evaluate` module, which loads from its folder without a network; it needs our package.

Its rules are in the file beside it.
"""

from typing import Any

import datasets
import evaluate

from .brackets import score_bracketed

DESCRIPTION = (
    "Labelled bracketing recall, precision, F1 and exact match of parses, from 0 to 100, by the rules of EVALB."
)
CITATION = "Satoshi Sekine and Michael Collins: EVALB. 1997. https://nlp.cs.nyu.edu/evalb/"
INPUTS = """
Args:
    predictions: parses, bracketed as in the Penn Treebank, one string per sentence.
    references: the right tree of each.
Returns:
    recall, precision, f1, exact_match, tagging (higher is better), sentences, errors, skipped, and signature.
"""


class Evalb(evaluate.Metric):
    """Predictions and references, one bracketed tree per segment; returns the figures and their signature."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features(
                {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
            ),
            reference_urls=["https://nlp.cs.nyu.edu/evalb/"],
        )

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, Any]:
        return score_bracketed(predictions, references)
