"""BLEU of sentences of similar length."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sacrebleu.significance import estimate_ci

from .bucket import Bucket
from .languages import choose, lengths
from .metrics.sacrebleu.line_statistics import corpus_scores, line_statistics
from .metrics.sacrebleu.metric_of_language import metric_of
from .resampling import bootstrap, seed_asked_for
from .scores import check_lines
from .significance import SAMPLES

FEWEST = 20
"""The fewest sentences of a bucket; BLEU of fewer says little, so they are joined with a neighbour."""


def lengths_in_buckets(found: Sequence[int] | NDArray[np.int64], width: int) -> list[tuple[int, int]]:
    """Cut the range of lengths into buckets of `width`, joined until each holds FEWEST sentences.

    Returns:
        The shortest and the longest length of each.

    """
    counts = np.bincount(found)
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
    sources: Sequence[str],
    references: Sequence[str],
    output: Sequence[str],
    width: int,
    samples: int = SAMPLES,
    *,
    source_language: str | None = None,
    language: str | None = None,
) -> list[Bucket]:
    """Return sacreBLEU of each bucket of source lengths, with its spread over resamples of the sentences.

    Args:
        sources: plain text.
        references: likewise.
        output: the translations, likewise.
        width: words that a bucket spans; characters if the sources are written without spaces (`lengths`).
        samples: resamples; sacrebleu's seed decides them.
        source_language: of the sources, as `lengths` takes it.
        language: of the others, as `score` takes it.

    Raises:
        ValueError: they differ in length, there is nothing to score, the width is below 1, or `SACREBLEU_SEED` is no
            seed.

    """
    if width < 1:
        raise ValueError(f"the width of a bucket is {width}; at least 1 word is needed")
    check_lines(output, references)
    if len(sources) != len(references):
        raise ValueError(f"{len(sources)} sources and {len(references)} references; give the same number of both")
    seed, long = seed_asked_for(), np.array(lengths(sources, source_language).counts)
    metric = metric_of("bleu", choose(references, language).language)
    (statistics,) = line_statistics(metric, [output], references)
    found = []
    for shortest, longest in lengths_in_buckets(long, width):
        chosen = statistics[(shortest <= long) & (long <= longest)]
        (score,) = corpus_scores(metric, chosen.sum(axis=0, keepdims=True))
        _, interval = estimate_ci(corpus_scores(metric, bootstrap(chosen, samples, seed)))
        found.append(Bucket(shortest, longest, len(chosen), float(score), float(interval)))
    return found
