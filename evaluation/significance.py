"""Whether one output is better than another, or only luckier: paired bootstrap tests by the sacrebleu library."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sacrebleu.metrics.base import Metric
from sacrebleu.significance import PairedTest

from .languages import choose, unfit_for_wmt14
from .metrics.sacrebleu.sacrebleu import metric_of, ter_left_out
from .metrics.wmt14_bleu import wmt14_bleu
from .scores import NAMES, LeftOut, check_lines

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
    ter: Comparison | LeftOut
    wmt14_bleu: Comparison | LeftOut


def compare(
    outputs: Sequence[Sequence[str]],
    references: Sequence[str],
    samples: int = SAMPLES,
    *,
    language: str | None = None,
) -> Comparisons:
    """Compare translations with the first of them, each against the same references, plain text all.

    Every score is resampled on the same lines, with sacrebleu's seed (`SACREBLEU_SEED`, 12345), so it can be repeated.
    The language decides what it does in `score`.

    Raises:
        ValueError: an output and the references differ in length, or there is nothing to score.

    """
    return Comparisons(**dict(each_comparison(outputs, references, samples, language=language)))  # type: ignore[arg-type]


def each_comparison(
    outputs: Sequence[Sequence[str]],
    references: Sequence[str],
    samples: int = SAMPLES,
    *,
    language: str | None = None,
) -> Iterator[tuple[str, Comparison | LeftOut]]:
    """Yield what `compare` returns, by name, each as soon as it is there.

    Raises:
        ValueError: as `compare` does.

    """
    for each in outputs:
        check_lines(each, references)
    language = choose(references, language).language
    for name, key in (("sacrebleu", "bleu"), ("chrf", "chrf"), ("ter", "ter")):
        too_long = ter_left_out(outputs, references, language) if key == "ter" else None
        if too_long is not None:
            yield name, LeftOut(NAMES[name], too_long)
        else:
            yield name, resample(NAMES[name], metric_of(key, language), outputs, references, samples)
    yield "wmt14_bleu", of_paper(outputs, references, samples, language)


def of_paper(
    outputs: Sequence[Sequence[str]], references: Sequence[str], samples: int, language: str | None
) -> Comparison | LeftOut:
    """Compare by the paper's BLEU, on its own tokens."""
    unfit = unfit_for_wmt14(references, language)
    if unfit is not None:
        return LeftOut(NAMES["wmt14_bleu"], unfit)
    tokenised = [wmt14_bleu.tokenise(each) for each in outputs]
    paper = resample("wmt14_bleu", wmt14_bleu.bleu(), tokenised, wmt14_bleu.tokenise(references), samples)
    drawn = [part for part in paper.signature.split("|") if part.startswith(("bs:", "seed:"))]
    return paper._replace(signature=wmt14_bleu.signature(*drawn))


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
