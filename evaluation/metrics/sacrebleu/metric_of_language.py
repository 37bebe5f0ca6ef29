"""BLEU, chrF and TER as objects of sacrebleu, each as it is computed for a language.

This file travels with the module beside it.
"""

from collections.abc import Sequence

from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from .by_language import bleu_tokenizer, has_spaces, set_apart
from .ter_cost import reason_against

NAMES = ("bleu", "chrf", "ter")


class TERSetApart(TER):
    """TER where each letter of a script without spaces is a word."""

    def __init__(self) -> None:
        super().__init__()
        self.tokenizer_signature = "tercom-letters-apart"

    def _preprocess_segment(self, sent: str) -> str:
        return super()._preprocess_segment(set_apart(sent))


def metric_of(name: str, language: str | None) -> Metric:
    """Return "bleu", "chrf" or "ter" as it is computed for a language."""
    match name:
        case "bleu":
            return BLEU(tokenize=bleu_tokenizer(language).name)
        case "chrf":
            return CHRF()
        case "ter":
            return TER() if has_spaces(language) else TERSetApart()
    raise ValueError(f"{name} is not a score; choose from {', '.join(NAMES)}")


def ter_left_out(
    outputs: Sequence[Sequence[str]],
    references: Sequence[str],
    language: str | None,
    more_references: Sequence[Sequence[str | None]] = (),
) -> str | None:
    """Return why TER of these outputs would take too long, or None."""

    def words(lines: Sequence[str | None]) -> list[list[str]]:
        return [
            (line if has_spaces(language) else set_apart(line)).lower().split()
            for line in (each or "" for each in lines)
        ]

    wanted = [words(lines) for lines in (references, *more_references)]
    reasons = (reason_against(words(lines), each) for lines in outputs for each in wanted)
    return next(filter(None, reasons), None)
