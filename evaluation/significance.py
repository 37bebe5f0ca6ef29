"""Whether one output is better than another, or only luckier: paired approximate randomisation (Noreen 1989).

If two outputs are equally good, it is chance which of them a line came from. So each line changes sides by the toss of
a coin, many times, and p is the share of tosses that part the two sides at least as far as the outputs are parted. It
is two-sided, the same whichever output comes first, and under that hypothesis P(p <= a) <= a for every a and number of
lines. Riezler and Maxwell (2005) recommend it for scores of translations over the bootstrap test (Koehn 2004), which
takes a sample for the population and so finds differences that are not there. The spread of one output's score is not
a test, and stays the bootstrap's.

sacrebleu's own bootstrap test is not used: it centres absolute differences, not differences, on their mean, and its p
is about half of what two sides hold. Scores, draws and intervals are sacrebleu's.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER
from sacrebleu.significance import estimate_ci

from .line_statistics import Counts, corpus_scores, line_statistics
from .metrics.wmt14_bleu import wmt14_bleu
from .resampling import bar, bootstrap, halves, seed_asked_for
from .scores import check_lines

SAMPLES = 1000
"""Of the test set, with replacement, for means and intervals; sacrebleu's own default."""
TRIALS = 10_000
"""Of sides changed, for p, which is therefore never below 1 / 10,001; sacrebleu's own default."""
EQUAL = 1e-9
"""Points of a score that are rounding: sides parted so little less than the outputs are parted as far."""


class Resampled(NamedTuple):
    """One output under one score."""

    value: float
    """On the test set as it is."""
    mean: float
    """Over the resamples."""
    interval: float
    """Half the width of what holds 95% of the resamples."""
    p_value: float | None
    """How often chance alone parts it at least so far from the first output, either way; None for the first."""


class Comparison(NamedTuple):
    """All outputs under one score."""

    name: str
    signature: str
    outputs: list[Resampled]


class Comparisons(NamedTuple):
    """What `compare` returns, by the names of `Scores`."""

    sacrebleu: Comparison
    chrf: Comparison
    ter: Comparison
    wmt14_bleu: Comparison


def compare(
    outputs: Sequence[Sequence[str]],
    references: Sequence[str],
    samples: int = SAMPLES,
    trials: int = TRIALS,
    *,
    progress: bool = False,
) -> Comparisons:
    """Compare translations with the first of them, each against the same references, plain text all.

    The draws are decided by sacrebleu's seed (`SACREBLEU_SEED`, 12345) and the number of lines alone, so a comparison
    can be repeated and does not depend on the other outputs.

    Args:
        outputs: a line for each reference.
        references: one a line.
        samples: for means and intervals.
        trials: for p.
        progress: draw bars on stderr.

    Raises:
        ValueError: an output and the references differ in length, there is nothing to score, or the seed is none.

    """
    for each in outputs:
        check_lines(each, references)
    seed = seed_asked_for()

    def under(name: str, metric: Metric, outputs: Sequence[Sequence[str]], references: Sequence[str]) -> Comparison:
        statistics = line_statistics(metric, outputs, references, progress)
        found = resample(metric, statistics, samples, trials, seed, progress)
        signature = metric.get_signature()
        for part in drawn.items():
            signature.update(*part)
        return Comparison(name, str(signature), found)

    drawn = {"bs": samples, "ar": trials, "seed": str(seed).lower()}
    plain = {"sacreBLEU": BLEU(), "chrF": CHRF(), "TER": TER()}
    bleu, chrf, ter = (under(name, metric, outputs, references) for name, metric in plain.items())
    tokenised = [wmt14_bleu.tokenise(each) for each in outputs]
    paper = under("wmt14_bleu", wmt14_bleu.bleu(), tokenised, wmt14_bleu.tokenise(references))
    signature = wmt14_bleu.signature(*(f"{key}:{value}" for key, value in drawn.items()))
    return Comparisons(bleu, chrf, ter, paper._replace(signature=signature))


def resample(
    metric: Metric, statistics: Counts, samples: int, trials: int, seed: int | None, progress: bool = False
) -> list[Resampled]:
    """Compare outputs with the first under one score, from what each line counts.

    Args:
        metric: the score.
        statistics: `[outputs, lines, k]`, by `line_statistics`.
        samples: for means and intervals.
        trials: for p.
        seed: of both.
        progress: draw a bar on stderr.

    """
    outputs, _, width = statistics.shape
    beside = np.concatenate(list(statistics), axis=1)
    with bar(samples + trials, progress) as shown:
        resampled = bootstrap(beside, samples, seed, shown.update).reshape(-1, outputs, width)
        taken = halves(beside, trials, seed, shown.update).reshape(-1, outputs, width)
    whole = statistics.sum(axis=1)
    found = []
    for number, value in enumerate(corpus_scores(metric, whole)):
        mean, interval = estimate_ci(corpus_scores(metric, resampled[:, number]))
        pair = [0, number]
        p_value = chance(metric, whole[pair], taken[:, pair]) if number else None
        found.append(Resampled(float(value), float(mean), float(interval), p_value))
    return found


def chance(metric: Metric, whole: Counts, taken: Counts) -> float:
    """Return p of two outputs: the share of trials that part their sides at least as far as they are parted themselves.

    The outputs as they are count as one more trial: they are one of the ways in which the tosses could have fallen.

    Args:
        metric: the score.
        whole: `[2, k]`, sums over all lines of both.
        taken: `[trials, 2, k]`, sums over the lines that stay on their side, the same of both.

    """
    sides = taken + (whole - taken)[:, ::-1]
    one, other = corpus_scores(metric, sides.reshape(-1, whole.shape[1])).reshape(-1, 2).T
    first, second = corpus_scores(metric, whole)
    as_far = np.abs(one - other) >= abs(first - second) - EQUAL
    return float(as_far.sum() + 1) / (len(taken) + 1)
