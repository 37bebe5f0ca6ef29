"""BLEU of sentences of like length."""

from collections.abc import Sequence

from vaswani.plots import Bucket

from .languages import choose, lengths
from .metrics.sacrebleu.sacrebleu import metric_of
from .scores import check_lines
from .significance import SAMPLES

FEWEST = 20
"""Sentences of a bucket; the BLEU of fewer says little, so they join their neighbours."""


def lengths_in_buckets(lengths: Sequence[int], width: int) -> list[tuple[int, int]]:
    """Cut the range of lengths, in words, into buckets of `width`, joined until each holds FEWEST sentences.

    Returns:
        The shortest and the longest that each takes.

    """
    buckets: list[tuple[int, int]] = []
    shortest = 1 if min(lengths) else 0
    while shortest <= max(lengths):
        longest = ((shortest - 1) // width + 1) * width if shortest else width
        while longest < max(lengths) and sum(shortest <= each <= longest for each in lengths) < FEWEST:
            longest += width
        buckets.append((shortest, longest))
        shortest = longest + 1
    last = buckets[-1]
    if len(buckets) > 1 and sum(last[0] <= each <= last[1] for each in lengths) < FEWEST:
        buckets[-2:] = [(buckets[-2][0], last[1])]
    return buckets


def bleu_by_length(
    sources: Sequence[str],
    references: Sequence[str],
    output: Sequence[str],
    width: int,
    samples: int = SAMPLES,
    *,
    source_language: str | None = None,
    language: str | None = None,
) -> list[Bucket]:
    """Return sacreBLEU of each bucket of source lengths, with what resampling its sentences tells of its spread.

    Args:
        sources: plain text.
        references: likewise.
        output: the translations, likewise.
        width: words that lengths of a bucket span; characters where the sources are written without spaces (`lengths`).
        samples: resamples; sacrebleu's seed decides them.
        source_language: of the sources, as `lengths` takes it.
        language: of the others, as `score` takes it.

    Raises:
        ValueError: they differ in length, there is nothing to score, or the width cannot be.

    """
    if width < 1:
        raise ValueError(f"the width of a bucket is {width}; at least 1 word is needed")
    check_lines(output, references)
    if len(sources) != len(references):
        raise ValueError(f"{len(sources)} sources and {len(references)} references; they must be as many")
    words = lengths(sources, source_language).counts
    metric = metric_of("bleu", choose(references, language).language)
    found = []
    for shortest, longest in lengths_in_buckets(words, width):
        chosen = [place for place, each in enumerate(words) if shortest <= each <= longest]
        score = metric.corpus_score(
            [output[place] for place in chosen], [[references[place] for place in chosen]], n_bootstrap=samples
        )
        found.append(Bucket(shortest, longest, len(chosen), float(score.score), float(score._ci)))
    return found
