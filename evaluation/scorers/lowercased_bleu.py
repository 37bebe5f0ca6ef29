"""BLEU of lower-cased Moses tokens, by the steps that papers on Multi30k and on IWSLT14 tokenise with.

Multi30k's own script (task1-tokenize.sh of its data set) puts text into lower case, normalises punctuation and
tokenises. Fairseq's script for IWSLT14 (prepare-iwslt14.sh) tokenises, and puts the tokens into lower case. Then both
count as multi-bleu does: n-grams up to four, one brevity penalty for the corpus, 0 when an order has no match. Here
translation and reference are plain text, and both go through these steps. Moses' escapes, such as &apos;, are left out:
they give a token another name, and change no count.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial

from sacremoses import MosesPunctNormalizer
from sacremoses.corpus import NonbreakingPrefixes

from vaswani.evaluation.metrics.sacrebleu.by_language import code_parts, has_spaces
from vaswani.evaluation.metrics.wmt14_bleu.compound_split_bleu import Tokenizer, corpus_bleu, signed
from vaswani.evaluation.scorer import Inputs, Lines, Scorer, Statistics, Value

from .wmt14_bleu import statistics_of_tokens, tokenised_further

STEPS = {
    "multi30k": ("case:lower", "punctuation:moses", "tok:moses"),
    "iwslt14": ("tok:moses", "case:lower"),
}
"""In their order, as a signature names them."""
LANGUAGES = frozenset(NonbreakingPrefixes().available_langs.values())
DOTS_BEFORE_QUOTE = r"""(\.+)"(\s*[^<])"""
"""The library's pattern takes time by the square of a row of dots."""
DOTS = re.compile(r"""\.+(?:"(\s*[^<]))?""")


def quote_first(dots: re.Match[str]) -> str:
    """Put a quote that follows dots before them, as `DOTS_BEFORE_QUOTE` does."""
    whole, after = dots.group(), dots.group(1)
    return whole if after is None else f'"{whole[: -len(after) - 1]}{after}'


def normalizer(language: str) -> MosesPunctNormalizer:
    """Return Moses' normalisation of punctuation for a language, in time proportional to the text."""
    found = MosesPunctNormalizer(language, perl_parity=True)
    found.substitutions = [
        (DOTS, quote_first) if pattern == DOTS_BEFORE_QUOTE else (pattern, by) for pattern, by in found.substitutions
    ]
    return found


def tokenise(protocol: str, lines: Sequence[str], language: str) -> list[str]:
    """Apply the STEPS of a protocol to each line; tokens are between spaces.

    Args:
        protocol: a key of STEPS.
        lines: plain text.
        language: one of LANGUAGES.

    """
    punctuation, tokenizer = normalizer(language), Tokenizer(language)
    steps: dict[str, Callable[[str], str]] = {
        "case:lower": str.lower,
        # Moses reads a line with its end, so that a full stop and a quote change places there too.
        "punctuation:moses": lambda line: punctuation.normalize(f"{line}\n"),
        "tok:moses": partial(tokenizer.tokenize, escape=False, return_str=True),
    }

    def tokenise_line(line: str) -> str:
        for step in STEPS[protocol]:
            line = steps[step](line)
        return line

    return [tokenise_line(line) for line in lines]


def score(protocol: str, hypotheses: Lines, inputs: Inputs) -> Value:
    """Return the figure with its signature."""
    language = language_of(inputs)
    ours, theirs = (tokenise(protocol, lines, language) for lines in (hypotheses, inputs.references))
    more = tokenised_further(partial(tokenise, protocol, language=language), inputs)
    return Value(corpus_bleu(ours, theirs, more), signature(protocol, language, references=inputs.number_of_references))


def statistics(protocol: str, outputs: Sequence[Lines], inputs: Inputs, bar: str | None) -> Statistics:
    """Return the counts of lines."""
    language = language_of(inputs)
    tokenised = [tokenise(protocol, lines, language) for lines in (inputs.references, *outputs)]
    more = tokenised_further(partial(tokenise, protocol, language=language), inputs)
    signed_as = partial(signature, protocol, language, references=inputs.number_of_references)
    return statistics_of_tokens(tokenised[1:], tokenised[0], bar, signed_as, more)


def signature(protocol: str, language: str, *more: str, references: str = "1") -> str:
    """Return what the figure depends on, and `more`; `references` is how many a line has."""
    return signed(*more, f"lang:{language}", *STEPS[protocol], references=references)


def language_of(inputs: Inputs) -> str:
    """Return the code of the language by which Moses' rules are chosen."""
    return code_parts(inputs.language or "")[0]


def no_rules(outputs: Sequence[Lines], inputs: Inputs) -> str | None:  # noqa: ARG001  (one signature for all)
    """Return why Moses does not tokenise this language, or None."""
    if inputs.language is None:
        return "Moses has rules for each language, and none is given; give --language, such as de"
    if language_of(inputs) not in LANGUAGES or not has_spaces(inputs.language):
        return f'Moses has no rules for the language "{inputs.language}"'
    return None


MULTI30K_BLEU, IWSLT14_BLEU = (
    Scorer(partial(score, protocol), partial(statistics, protocol), no_rules) for protocol in STEPS
)
