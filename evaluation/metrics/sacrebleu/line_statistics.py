"""The contribution of each line to a corpus score: the counts that sacrebleu sums over a corpus before dividing.

The score of any set of lines follows from their sum, so lines can be resampled without the text. The counts of one
output are `[lines, k]`: k = 10 for BLEU, 18 for chrF, 2 for TER. Only this file calls private functions of sacrebleu.
It travels with the module beside it.
"""

import logging
from array import array
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.base import Metric
from tqdm import tqdm

Counts = NDArray[np.float64]
TOKENISED = 100
"""The number of apparently tokenised lines from which sacrebleu warns."""


def line_statistics(
    metric: Metric,
    outputs: Sequence[Sequence[str]],
    references: Sequence[str],
    bar: str | None = None,
    more_references: Sequence[Sequence[str | None]] = (),
) -> Counts:
    """Count for one score, line by line: only the n-grams of one line's references are held at a time.

    Args:
        metric: its `get_signature` can be called afterwards.
        outputs: translations of the same lines, as many as the references.
        references: one per line, at least one.
        bar: the label of a progress bar on stderr; None for no bar.
        more_references: further ones of all lines; None where one has no such line.

    Returns:
        `[outputs, lines, k]`, whole numbers; float64 holds their sums exactly.

    """
    rows = [array("d") for _ in outputs]
    lines = zip(references, *outputs, strict=True)
    further: Iterable[tuple[str | None, ...]] = zip(*more_references, strict=True) if more_references else repeat(())
    watched = tqdm(lines, bar, len(references), leave=False, unit=" lines", disable=bar is None)
    numbers = set()
    for (reference, *translations), others in zip(watched, further, strict=False):
        its: list[Any] = [[reference], *([other] for other in others)]  # sacrebleu's types know no None
        (wanted,) = metric._cache_references(its)
        numbers.add(metric.num_refs)
        counted: dict[str, list[int]] = {}  # good outputs have many lines in common
        for translation, row in zip(translations, rows, strict=True):
            if translation not in counted:
                plain = metric._preprocess_segment(translation)
                counted[translation] = metric._compute_segment_statistics(plain, wanted)
            row.extend(counted[translation])
    metric.num_refs = numbers.pop() if len(numbers) == 1 else -1  # what sacrebleu's signature calls "var"
    if not metric._force:
        for output in outputs:
            _warn_of_tokens(output)
    return np.stack([np.frombuffer(row).reshape(len(references), -1) for row in rows])


def _warn_of_tokens(lines: Sequence[str]) -> None:
    """Warn, as sacrebleu does for a whole corpus, that text seems to be tokenised, which BLEU does by itself."""
    ends = sum(line.endswith(" .") for line in lines)
    if ends >= TOKENISED:
        logging.getLogger("sacrebleu").warning(
            "%d of %d lines end in a full stop after a space, as in tokenised text; BLEU of plain text differs",
            ends,
            len(lines),
        )


def corpus_scores(metric: Metric, sums: Counts) -> Counts:
    """Return the score of each sum of lines, `[n, k]` to `[n]`; it equals `corpus_score` of those lines."""
    return np.array([metric._compute_score_from_stats(each).score for each in sums.tolist()])
