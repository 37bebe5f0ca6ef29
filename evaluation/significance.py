"""Whether one output is better than another, or only luckier: paired approximate randomisation (Noreen 1989).

If two outputs are equally good, it is chance which of them a line came from. So each line changes sides by the toss of
a coin, many times, and p is the share of tosses that part the two sides at least as far as the outputs are parted. It
is two-sided, the same whichever output comes first, and under that hypothesis P(p <= a) <= a for every a and number of
lines. Riezler and Maxwell (2005) recommend it for scores of translations over the bootstrap test (Koehn 2004), which
takes a sample for the population and so finds differences that are not there. The spread of one output's score is not
a test, and stays the bootstrap's.

sacrebleu's own bootstrap test is not used: it centres absolute differences, not differences, on their mean, and its p
is less than half of what two sides hold. Scores, draws and intervals are sacrebleu's.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from sacrebleu.metrics.base import Metric
from sacrebleu.significance import estimate_ci

from .languages import choose, unfit_for_wmt14
from .metrics.sacrebleu.line_statistics import Counts, corpus_scores, line_statistics
from .metrics.sacrebleu.sacrebleu import metric_of, ter_left_out
from .metrics.wmt14_bleu import wmt14_bleu
from .resampling import bar, bootstrap, halves, seed_asked_for
from .scores import NAMES, LeftOut, check_lines

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
    ter: Comparison | LeftOut
    wmt14_bleu: Comparison | LeftOut


class Draws(NamedTuple):
    """How often lines are drawn."""

    samples: int
    """With replacement, for means and intervals."""
    trials: int
    """Of sides changed, for p."""
    seed: int | None
    """Of both; None for other draws each time."""


def compare(
    outputs: Sequence[Sequence[str]],
    references: Sequence[str],
    samples: int = SAMPLES,
    trials: int = TRIALS,
    *,
    language: str | None = None,
    progress: bool = False,
) -> Comparisons:
    """Compare translations with the first of them, each against the same references, plain text all.

    The draws are decided by sacrebleu's seed (`SACREBLEU_SEED`, 12345) and the number of lines alone, so a comparison
    can be repeated and does not depend on the other outputs. The language decides what it does in `score`.

    Args:
        outputs: a line for each reference.
        references: one a line.
        samples: for means and intervals.
        trials: for p.
        language: of outputs and references, as `score` takes it.
        progress: draw bars on stderr.

    Raises:
        ValueError: an output and the references differ in length, there is nothing to score, or `SACREBLEU_SEED` is
            no seed.

    """
    found = each_comparison(outputs, references, samples, trials, language=language, progress=progress)
    return Comparisons(**dict(found))  # type: ignore[arg-type]


def each_comparison(
    outputs: Sequence[Sequence[str]],
    references: Sequence[str],
    samples: int = SAMPLES,
    trials: int = TRIALS,
    *,
    language: str | None = None,
    progress: bool = False,
) -> Iterator[tuple[str, Comparison | LeftOut]]:
    """Yield what `compare` returns, by name, each as soon as it is there.

    Raises:
        ValueError: as `compare` does.

    """
    for each in outputs:
        check_lines(each, references)
    draws = Draws(samples, trials, seed_asked_for())
    language = choose(references, language).language
    for name, key in (("sacrebleu", "bleu"), ("chrf", "chrf")):
        yield name, under(NAMES[name], metric_of(key, language), outputs, references, draws, progress)
    unfit = unfit_for_wmt14(references, language)
    yield "wmt14_bleu", LeftOut(NAMES["wmt14_bleu"], unfit) if unfit else of_paper(outputs, references, draws, progress)
    too_long = ter_left_out(outputs, references, language)  # what takes the longest comes last
    if too_long is not None:
        yield "ter", LeftOut(NAMES["ter"], too_long)
    else:
        yield "ter", under(NAMES["ter"], metric_of("ter", language), outputs, references, draws, progress)


def of_paper(
    outputs: Sequence[Sequence[str]], references: Sequence[str], draws: Draws, progress: bool = False
) -> Comparison:
    """Compare by the paper's BLEU, on its own tokens."""
    tokenised = [wmt14_bleu.tokenise(each) for each in outputs]
    paper = under(NAMES["wmt14_bleu"], wmt14_bleu.bleu(), tokenised, wmt14_bleu.tokenise(references), draws, progress)
    drawn = [part for part in paper.signature.split("|") if part.startswith(("bs:", "ar:", "seed:"))]
    return paper._replace(signature=wmt14_bleu.signature(*drawn))


def under(
    name: str,
    metric: Metric,
    outputs: Sequence[Sequence[str]],
    references: Sequence[str],
    draws: Draws,
    progress: bool = False,
) -> Comparison:
    """Compare outputs with the first under one score; its signature has the draws as those of sacrebleu's tests do."""
    statistics = line_statistics(metric, outputs, references, name if progress else None)
    found = resample(metric, statistics, draws, progress)
    signature = metric.get_signature()
    for key, drawn in (("bs", draws.samples), ("ar", draws.trials), ("seed", str(draws.seed).lower())):
        signature.update(key, drawn)
    return Comparison(name, str(signature), found)


def resample(metric: Metric, statistics: Counts, draws: Draws, progress: bool = False) -> list[Resampled]:
    """Compare outputs with the first under one score, from what each line counts.

    Args:
        metric: the score.
        statistics: `[outputs, lines, k]`, by `line_statistics`.
        draws: how often, and from which seed.
        progress: draw a bar on stderr.

    """
    outputs, _, width = statistics.shape
    beside = np.concatenate(list(statistics), axis=1)
    with bar(draws.samples + draws.trials, progress) as shown:
        resampled = bootstrap(beside, draws.samples, draws.seed, shown.update).reshape(-1, outputs, width)
        taken = halves(beside, draws.trials, draws.seed, shown.update).reshape(-1, outputs, width)
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
