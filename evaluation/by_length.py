"""BLEU of sentences of like length."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.significance import estimate_ci

from vaswani.plots import Bucket

from .line_statistics import corpus_scores, line_statistics
from .resampling import bootstrap, seed_asked_for
from .scores import check_lines
from .significance import SAMPLES

FEWEST = 20
"""Sentences of a bucket; the BLEU of fewer says little, so they join their neighbours."""


def lengths_in_buckets(lengths: Sequence[int] | NDArray[np.int64], width: int) -> list[tuple[int, int]]:
    """Cut the range of lengths, in words, into buckets of `width`, joined until each holds FEWEST sentences.

    Returns:
        The shortest and the longest that each takes.

    """
    counts = np.bincount(lengths)
    up_to = [0, *np.cumsum(counts).tolist()]  # sentences shorter than each length
    longest_of_all = len(counts) - 1

    def sentences(shortest: int, longest: int) -> int:
        return up_to[min(longest, longest_of_all) + 1] - up_to[shortest]

    buckets: list[tuple[int, int]] = []
    shortest = 0 if counts[0] else 1
    while shortest <= longest_of_all:
        longest = ((shortest - 1) // width + 1) * width if shortest else width
        while longest < longest_of_all and sentences(shortest, longest) < FEWEST:
            longest += width
        buckets.append((shortest, longest))
        shortest = longest + 1
    if len(buckets) > 1 and sentences(*buckets[-1]) < FEWEST:
        buckets[-2:] = [(buckets[-2][0], buckets[-1][1])]
    return buckets


def bleu_by_length(
    sources: Sequence[str], references: Sequence[str], output: Sequence[str], width: int, samples: int = SAMPLES
) -> list[Bucket]:
    """Return sacreBLEU of each bucket of source lengths, with what resampling its sentences tells of its spread.

    Args:
        sources: plain text.
        references: likewise.
        output: the translations, likewise.
        width: words that lengths of a bucket span.
        samples: resamples; sacrebleu's seed decides them.

    Raises:
        ValueError: they differ in length, there is nothing to score, or the width cannot be.

    """
    if width < 1:
        raise ValueError(f"the width of a bucket is {width}; at least 1 word is needed")
    check_lines(output, references)
    if len(sources) != len(references):
        raise ValueError(f"{len(sources)} sources and {len(references)} references; they must be as many")
    words = np.array([len(source.split()) for source in sources])
    metric, seed = BLEU(), seed_asked_for()
    (statistics,) = line_statistics(metric, [output], references)
    found = []
    for shortest, longest in lengths_in_buckets(words, width):
        chosen = statistics[(shortest <= words) & (words <= longest)]
        (score,) = corpus_scores(metric, chosen.sum(axis=0, keepdims=True))
        _, interval = estimate_ci(corpus_scores(metric, bootstrap(chosen, samples, seed)))
        found.append(Bucket(shortest, longest, len(chosen), float(score), float(interval)))
    return found
