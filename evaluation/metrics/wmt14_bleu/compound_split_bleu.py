"""The paper's BLEU: German tokenised as by Moses, compounds split at hyphens, cased, without smoothing.

"Attention Is All You Need" (table 2) reports the figure of tensor2tensor's `get_ende_bleu.sh`. Its steps, applied here
to translation and reference alike:

1. Unicode punctuation becomes ASCII, and so do all quotes (the script's references have theirs replaced already).
2. Moses tokenisation with the German rules (sacremoses).
3. Compounds in the ATAT format: rich-text becomes rich ##AT##-##AT## text. Matches do not overlap: a-b-c gives
   a ##AT##-##AT## b-c, as in the script.
4. multi-bleu: n-grams up to four, clipped, one brevity penalty for the corpus, 0 when an order has no match.

The figure is higher than sacreBLEU's on the same text; compare it only with the paper's. It is meant for translation
into German. This file travels with the module beside it.
"""

import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from sacrebleu.metrics.bleu import BLEU
from sacremoses import MosesPunctNormalizer, MosesTokenizer

# The quotes that Moses' replacement of Unicode punctuation leaves as they are.
QUOTES = str.maketrans(dict.fromkeys("„‟«»", '"') | dict.fromkeys("‘‚‛‹›", "'"))
COMPOUND = re.compile(r"(\S)-(\S)")
LINES = 1000


class Tokenizer(MosesTokenizer):
    """The same tokens, in time proportional to the text, however many abbreviations or dots a line has."""

    # The library rebuilds these sets of 100,000 letters for each word with a full stop.
    ALPHA, LOWER = frozenset(MosesTokenizer.IsAlpha), frozenset(MosesTokenizer.IsLower)
    # Only from the first DOT of a row: the library looks for the end of the row from each of them.
    MULTIDOT_MARKER = re.compile(r"(?<!DOT)(?:DOT)+MULTI")

    def isanyalpha(self, text: str) -> bool:
        """Return whether a text has a letter."""
        return not self.ALPHA.isdisjoint(text)

    def islower(self, text: str) -> bool:
        """Return whether a text has only lower-case letters."""
        return self.LOWER.issuperset(text)


def tokenise(lines: Sequence[str]) -> list[str]:
    """Apply steps 1 to 3 to each line."""
    normalizer, tokenizer = MosesPunctNormalizer("de"), Tokenizer("de")

    def tokenise_line(line: str) -> str:
        line = normalizer.replace_unicode_punct(line).translate(QUOTES)
        line = tokenizer.tokenize(line, escape=False, return_str=True)
        return COMPOUND.sub(r"\1 ##AT##-##AT## \2", line)

    return [tokenise_line(line) for line in lines]


def bleu() -> BLEU:
    """Return step 4, for tokenised text."""
    return BLEU(tokenize="none", smooth_method="none", force=True)  # "force" confirms that tokenised text is intended


def corpus_bleu(
    hypotheses: Sequence[str], references: Sequence[str], more_references: Sequence[Sequence[str | None]] = ()
) -> float:
    """Apply step 4 to tokenised lines, `LINES` at a time: sacrebleu holds the n-grams of all lines that it gets."""
    slices = [slice(start, start + LINES) for start in range(0, len(references), LINES)]
    sides: list[Any] = [references, *more_references]  # sacrebleu's types know no None
    parts = [bleu().corpus_score(hypotheses[some], [side[some] for side in sides]) for some in slices]
    return BLEU.compute_bleu(
        correct=[sum(order) for order in zip(*(part.counts for part in parts), strict=True)],
        total=[sum(order) for order in zip(*(part.totals for part in parts), strict=True)],
        sys_len=sum(part.sys_len for part in parts),
        ref_len=sum(part.ref_len for part in parts),
        smooth_method="none",
    ).score


def signature(*more: str, references: str = "1") -> str:
    """Return what the figure depends on, and `more`; `references` is how many a line has."""
    return signed(*more, "case:mixed", "quotes:ascii", "tok:moses-de", "compounds:atat", references=references)


def signed(*steps: str, references: str = "1") -> str:
    """Return the signature of step 4 on tokens that were made by `steps`; `references` is how many a line has."""
    steps = (f"nrefs:{references}", *steps, "smooth:none")
    return "|".join((*steps, f"sacremoses:{version('sacremoses')}", f"sacrebleu:{version('sacrebleu')}"))
