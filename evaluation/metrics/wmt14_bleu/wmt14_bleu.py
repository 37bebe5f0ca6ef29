"""The paper's BLEU: German tokenised as by Moses, compounds split at hyphens, cased, without smoothing.

"Attention Is All You Need" (table 2) reports the figure of tensor2tensor's `get_ende_bleu.sh`. Its steps, here done to
translation and reference alike:

1. Unicode punctuation becomes ASCII, and so do all quotes (the script's references have theirs replaced already).
2. Moses tokenisation with the German rules (sacremoses).
3. Compounds in the ATAT format: rich-text becomes rich ##AT##-##AT## text. Matches do not overlap: a-b-c gives
   a ##AT##-##AT## b-c, as in the script.
4. multi-bleu: n-grams up to four, clipped, one brevity penalty for the corpus, 0 when an order has no match.

The figure is higher than sacreBLEU's on the same text and is to be compared with the paper's only. It is meant for
translation into German. Like any `evaluate` module it loads from its folder without a network.
"""

import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import datasets
import evaluate
from sacrebleu.metrics.bleu import BLEU
from sacremoses import MosesPunctNormalizer, MosesTokenizer

DESCRIPTION = "Tokenised, compound-split, cased corpus BLEU, from 0 to 100, as in 'Attention Is All You Need'."
CITATION = "Vaswani et al.: Attention Is All You Need. NeurIPS 2017."
INPUTS = """
Args:
    predictions: German translations, plain text (not tokenised), one string a segment.
    references: one reference for each prediction, plain text.
Returns:
    wmt14_bleu and signature.
"""

# The quotes that Moses' replacement of Unicode punctuation leaves as they are.
QUOTES = str.maketrans(dict.fromkeys("„‟«»", '"') | dict.fromkeys("‘‚‛‹›", "'"))
COMPOUND = re.compile(r"(\S)-(\S)")


class Tokenizer(MosesTokenizer):
    """The same tokens in time that grows as the text does, however many abbreviations or dots a line has."""

    # The library builds these sets of 100,000 letters anew for each word with a full stop.
    ALPHA, LOWER = frozenset(MosesTokenizer.IsAlpha), frozenset(MosesTokenizer.IsLower)
    # From the first DOT of a row alone: the library looks for the end of the row from each of them.
    MULTIDOT_MARKER = re.compile(r"(?<!DOT)(?:DOT)+MULTI")

    def isanyalpha(self, text: str) -> bool:
        """Tell whether a text has a letter."""
        return not self.ALPHA.isdisjoint(text)

    def islower(self, text: str) -> bool:
        """Tell whether a text is small letters alone."""
        return self.LOWER.issuperset(text)


class Wmt14Bleu(evaluate.Metric):
    """Predictions and references, one string a segment; returns the score and its signature."""

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
        score = bleu().corpus_score(tokenise(predictions), [tokenise(references)])
        return {"wmt14_bleu": score.score, "signature": signature()}


def tokenise(lines: Sequence[str]) -> list[str]:
    """Do steps 1 to 3 to each line."""
    normalizer, tokenizer = MosesPunctNormalizer("de"), Tokenizer("de")

    def tokenise_line(line: str) -> str:
        line = normalizer.replace_unicode_punct(line).translate(QUOTES)
        line = tokenizer.tokenize(line, escape=False, return_str=True)
        return COMPOUND.sub(r"\1 ##AT##-##AT## \2", line)

    return [tokenise_line(line) for line in lines]


def bleu() -> BLEU:
    """Return step 4, for tokenised text."""
    return BLEU(tokenize="none", smooth_method="none", force=True)  # "force" says that tokenised text is meant


def signature(*more: str) -> str:
    """Return what the figure depends on, and `more`."""
    steps = ("nrefs:1", *more, "case:mixed", "quotes:ascii", "tok:moses-de", "compounds:atat", "smooth:none")
    return "|".join((*steps, f"sacremoses:{version('sacremoses')}", f"sacrebleu:{version('sacrebleu')}"))
