"""sacreBLEU, chrF and TER, each with the signature that says how it was computed.

An `evaluate` module: `evaluate.load("path/to/metrics/sacrebleu")` needs no network and also gathers lines from several
processes (`num_process`, `process_id`). The figures are the sacrebleu library's own. TER counts words between white
space; in a language without spaces, words and letters set apart, and its signature says so.
"""

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate

from .by_language import bleu_tokenizer, language_seen
from .line_statistics import corpus_scores, line_statistics
from .metric_of_language import NAMES, metric_of, ter_left_out
from .n_grams import n_grams
from .ter_cost import reason_against

TRAVELS_TOO = (n_grams, reason_against)
"""The library that loads this file copies what it imports from beside it, and nothing that those files import."""

DESCRIPTION = "Corpus BLEU (cased), chrF and TER of sacrebleu, from 0 to 100, with their signatures."
CITATION = "Matt Post: A Call for Clarity in Reporting BLEU Scores. WMT 2018."
INPUTS = """
Args:
    predictions: translations, plain text, one string per segment.
    references: one reference for each prediction, plain text.
    language: of both, such as "zh" or "pt-BR": it decides how BLEU separates words. By default as for one with spaces
        (13a).
    more_references: further references, each a list of as many strings; None where one has no such segment.
    scores: which of "bleu", "chrf" and "ter" are wanted, by default all.
Returns:
    For each score wanted its value and its signature, as bleu and bleu_signature; bleu and chrf are better when higher,
    ter when lower. bleu_note is a remark on how BLEU separates words, or None. ter and its signature are None if TER
    would take too long; ter_left_out says why.
"""


class SacreBleu(evaluate.Metric):
    """Predictions and references, one string per segment; returns three scores and their signatures."""

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

    def _compute(
        self,
        predictions: list[str],
        references: list[str],
        language: str | None = None,
        scores: Sequence[str] = NAMES,
        more_references: Sequence[Sequence[str | None]] = (),
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in scores:
            if name == "bleu":
                found["bleu_note"] = note(references, language)
            elif name == "ter":
                found["ter_left_out"] = ter_left_out([predictions], references, language, more_references)
                if found["ter_left_out"] is not None:
                    found["ter"] = found["ter_signature"] = None
                    continue
            metric = metric_of(name, language)
            counts = line_statistics(metric, [predictions], references, more_references=more_references)
            (value,) = corpus_scores(metric, counts.sum(axis=1))
            found[name] = float(value)
            found[f"{name}_signature"] = str(metric.get_signature())
        return found


def note(references: Sequence[str], language: str | None) -> str | None:
    """Return a remark on how BLEU separates the words of a language, or None."""
    tokenizer = bleu_tokenizer(language)
    seen = language_seen(references) if tokenizer.name == "13a" else None
    if seen is None:
        return tokenizer.note
    return f'BLEU cuts at spaces, and the references are in the script of "{seen}": name the language'
