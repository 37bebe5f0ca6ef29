"""What each line adds to a corpus score: the counts that sacrebleu sums up over a corpus before it divides anything.

A score of any set of lines is that of their sum, so lines can be drawn again without a look at the text. The counts of
one output are `[lines, k]`: k = 10 for BLEU, 18 for chrF, 2 for TER. Only this file calls what sacrebleu keeps private.
It travels with the module beside it.
"""

import logging
from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.base import Metric
from tqdm import tqdm

Counts = NDArray[np.float64]
TOKENISED = 100
"""Lines of an output that seem to be tokenised before sacrebleu says so."""


def line_statistics(
    metric: Metric, outputs: Sequence[Sequence[str]], references: Sequence[str], bar: str | None = None
) -> Counts:
    """Count under one score, line after line: the n-grams of one reference are held at a time, and counted once.

    Args:
        metric: afterwards its `get_signature` can be asked.
        outputs: translations of the same lines, as many as the references.
        references: one a line, at least one.
        bar: what a bar on stderr is called; None for none.

    Returns:
        `[outputs, lines, k]`, whole numbers; float64 holds their sums exactly.

    """
    rows = [array("d") for _ in outputs]
    lines = zip(references, *outputs, strict=True)
    for reference, *translations in tqdm(lines, bar, len(references), leave=False, unit=" lines", disable=bar is None):
        (wanted,) = metric._cache_references([[reference]])
        counted: dict[str, list[int]] = {}  # good outputs have many lines in common
        for translation, row in zip(translations, rows, strict=True):
            if translation not in counted:
                plain = metric._preprocess_segment(translation)
                counted[translation] = metric._compute_segment_statistics(plain, wanted)
            row.extend(counted[translation])
    if not metric._force:
        for output in outputs:
            _warn_of_tokens(output)
    return np.stack([np.frombuffer(row).reshape(len(references), -1) for row in rows])


def _warn_of_tokens(lines: Sequence[str]) -> None:
    """Say, as sacrebleu does of a whole corpus, that text seems to be tokenised, which BLEU does by itself."""
    ends = sum(line.endswith(" .") for line in lines)
    if ends >= TOKENISED:
        logging.getLogger("sacrebleu").warning(
            "%d of %d lines end in a full stop after a space, as tokenised text does; BLEU of plain text is another",
            ends,
            len(lines),
        )


def corpus_scores(metric: Metric, sums: Counts) -> Counts:
    """Return the score of each sum of lines, `[n, k]` to `[n]`; it equals `corpus_score` of those lines."""
    return np.array([metric._compute_score_from_stats(each).score for each in sums.tolist()])
