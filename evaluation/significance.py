"""Whether one output is better than another, or only luckier: paired bootstrap tests by the sacrebleu library."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER
from sacrebleu.significance import PairedTest

from .metrics.wmt14_bleu import wmt14_bleu
from .scores import check_lines

SAMPLES = 1000
"""Resamples of the test set, sacrebleu's own default."""


class Resampled(NamedTuple):
    """One output under one score."""

    value: float
    """On the test set as it is."""
    mean: float
    """Over the resamples."""
    interval: float
    """Half the width of what holds 95% of the resamples."""
    p_value: float | None
    """How often chance alone would part it so far from the first output; None for the first."""


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


def compare(outputs: Sequence[Sequence[str]], references: Sequence[str], samples: int = SAMPLES) -> Comparisons:
    """Compare translations with the first of them, each against the same references, plain text all.

    Every score is resampled on the same lines, with sacrebleu's seed (`SACREBLEU_SEED`, 12345), so it can be repeated.

    Raises:
        ValueError: an output and the references differ in length, or there is nothing to score.

    """
    for each in outputs:
        check_lines(each, references)
    plain = {"sacreBLEU": BLEU(), "chrF": CHRF(), "TER": TER()}
    bleu, chrf, ter = (resample(name, metric, outputs, references, samples) for name, metric in plain.items())
    tokenised = [wmt14_bleu.tokenise(each) for each in outputs]
    paper = resample("wmt14_bleu", wmt14_bleu.bleu(), tokenised, wmt14_bleu.tokenise(references), samples)
    drawn = [part for part in paper.signature.split("|") if part.startswith(("bs:", "seed:"))]
    return Comparisons(bleu, chrf, ter, paper._replace(signature=wmt14_bleu.signature(*drawn)))


def resample(
    name: str, metric: Metric, outputs: Sequence[Sequence[str]], references: Sequence[str], samples: int
) -> Comparison:
    """Run sacrebleu's paired bootstrap test under one score."""
    named = [(str(number), each) for number, each in enumerate(outputs)]
    signatures, results = PairedTest(named, {name: metric}, [references], test_type="bs", n_samples=samples)()
    ((key, signature),) = signatures.items()
    rows: Any = results[key]
    found = []
    for result in rows:
        p_value = result.p_value
        if p_value is not None and math.isclose(result.score, rows[0].score, rel_tol=1e-12):
            p_value = 1.0  # sacrebleu has 1 / (samples + 1) where no resample differs either
        found.append(Resampled(float(result.score), float(result.mean), float(result.ci), p_value))
    return Comparison(name, str(signature), found)
