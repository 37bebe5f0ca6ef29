"""What each line adds to a corpus score: the counts that sacrebleu sums up over a corpus before it divides anything.

A score of any set of lines is that of their sum, so lines can be drawn again without a look at the text. The counts of
one output are `[lines, k]`: k = 10 for BLEU, 18 for chrF, 2 for TER. Only this file calls what sacrebleu keeps private.
"""

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.base import Metric
from tqdm import tqdm

Counts = NDArray[np.float64]


def line_statistics(
    metric: Metric, outputs: Sequence[Sequence[str]], references: Sequence[str], progress: bool = False
) -> Counts:
    """Count under one score, line after line: the n-grams of one reference are held at a time, and counted once.

    Args:
        metric: afterwards its `get_signature` can be asked.
        outputs: translations of the same lines, as many as the references.
        references: one a line, at least one.
        progress: draw a bar on stderr.

    Returns:
        `[outputs, lines, k]`, whole numbers; float64 holds their sums exactly.

    """
    rows = [array("d") for _ in outputs]
    lines = zip(references, *outputs, strict=True)
    for reference, *translations in tqdm(
        lines, metric.__class__.__name__, len(references), unit=" lines", disable=not progress
    ):
        (wanted,) = metric._cache_references([[reference]])
        counted: dict[str, list[int]] = {}  # good outputs have many lines in common
        for translation, row in zip(translations, rows, strict=True):
            if translation not in counted:
                plain = metric._preprocess_segment(translation)
                counted[translation] = metric._compute_segment_statistics(plain, wanted)
            row.extend(counted[translation])
    return np.stack([np.frombuffer(row).reshape(len(references), -1) for row in rows])


def corpus_scores(metric: Metric, sums: Counts) -> Counts:
    """Return the score of each sum of lines, `[n, k]` to `[n]`; it equals `corpus_score` of those lines."""
    return np.array([metric._compute_score_from_stats(each).score for each in sums.tolist()])
