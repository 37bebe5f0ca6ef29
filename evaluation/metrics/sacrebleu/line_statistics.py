"""The contribution of each line to a corpus score: the counts that sacrebleu sums over a corpus before dividing.

The score of any set of lines follows from their sum, so lines can be resampled without the text. The counts of one
output are `[lines, k]`: k = 10 for BLEU, 18 for chrF, 2 for TER. Only this file calls private functions of sacrebleu.
It travels with the module beside it.
"""

import logging
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from tqdm import tqdm

from .n_grams import n_grams, n_grams_in_common, of_characters, of_words

Counts = NDArray[np.float64]
Count = Callable[[Any, Sequence[Sequence[str]], Sequence[str]], Counts]
"""Takes a metric, outputs and references, all as the metric reads them."""
CHARACTERS = 50_000
"""Lines of so many characters are counted at a time: the numbers of their n-grams stay in the CPU's cache."""
TOKENISED = 100
"""The number of apparently tokenised lines from which sacrebleu warns."""


def line_statistics(
    metric: Metric,
    outputs: Sequence[Sequence[str]],
    references: Sequence[str],
    bar: str | None = None,
    more_references: Sequence[Sequence[str | None]] = (),
) -> Counts:
    """Count for one score, line by line, with few n-grams held at a time.

    Args:
        metric: its `get_signature` can be called afterwards.
        outputs: translations of the same lines, as many as the references.
        references: one per line, at least one.
        bar: the label of a progress bar on stderr; None for no bar.
        more_references: further ones of all lines; None where one has no such line.

    Returns:
        `[outputs, lines, k]`, whole numbers; float64 holds their sums exactly.

    """
    with tqdm(desc=bar, total=len(references), leave=False, unit=" lines", disable=bar is None) as shown:
        if more_references:
            found = _against_several(metric, outputs, [references, *more_references], shown)
        else:
            found = _against_one(metric, outputs, references, shown)
    if not metric._force:
        for output in outputs:
            _warn_of_tokens(output)
    return found


def _against_one(
    metric: Metric, outputs: Sequence[Sequence[str]], references: Sequence[str], shown: "tqdm[None]"
) -> Counts:
    """Return the counts with one reference a line, many lines at a time: `[outputs, lines, k]`."""
    metric._cache_references([[""]])  # one reference a line, which the signature names
    count, characters = counting(metric)
    found = []
    for block in blocks([references, *outputs], characters):
        wanted = [metric._preprocess_segment(line) for line in references[block]]
        given = [[metric._preprocess_segment(line) for line in output[block]] for output in outputs]
        found.append(count(metric, given, wanted))
        shown.update(len(wanted))
    return np.concatenate(found, axis=1)


def _against_several(
    metric: Metric, outputs: Sequence[Sequence[str]], sides: Sequence[Sequence[str | None]], shown: "tqdm[None]"
) -> Counts:
    """Return what sacrebleu counts with several references a line, or with gaps, line by line."""
    rows = [array("d") for _ in outputs]
    numbers = set()
    for references, *translations in zip(zip(*sides, strict=True), *outputs, strict=True):
        its: list[Any] = [[each] for each in references]  # sacrebleu's types know no None
        (wanted,) = metric._cache_references(its)
        numbers.add(metric.num_refs)
        plain = [metric._preprocess_segment(line) for line in translations]
        _add_counts(metric, plain, wanted, rows)
        shown.update()
    metric.num_refs = numbers.pop() if len(numbers) == 1 else -1  # what sacrebleu's signature calls "var"
    return np.stack([np.frombuffer(row).reshape(len(sides[0]), -1) for row in rows])


def counting(metric: Metric) -> tuple[Count, int]:
    """Return how lines are counted for a metric, and how many characters at a time."""
    match metric:
        case BLEU():
            return _words_in_common, CHARACTERS
        case CHRF(word_order=0, whitespace=False):
            return _characters_in_common, CHARACTERS
    return _by_the_library, 1


def blocks(texts: Sequence[Sequence[str]], characters: int) -> Iterator[slice]:
    """Cut lines into blocks, each of which ends with the line that reaches so many characters of all texts."""
    first = held = 0
    for end, rows in enumerate(zip(*texts, strict=True), 1):
        held += sum(map(len, rows))
        if held >= characters or end == len(texts[0]):
            yield slice(first, end)
            first, held = end, 0


def _words_in_common(metric: BLEU, outputs: Sequence[Sequence[str]], references: Sequence[str]) -> Counts:
    """Return lengths of both sides, n-grams in common of each order, and those of the output: `[outputs, lines, k]`."""
    orders, numbers = metric.max_ngram_order, dict[str, int]()
    wanted = of_words(references, numbers)
    found = []
    for lines in outputs:
        given = of_words(lines, numbers)
        lengths = np.stack([given.lengths, wanted.lengths], axis=1)
        found.append([lengths, n_grams_in_common(given, wanted, orders), n_grams(given.lengths, orders)])
    return np.stack([np.concatenate(each, axis=1) for each in found]).astype(np.float64)


def _characters_in_common(metric: CHRF, outputs: Sequence[Sequence[str]], references: Sequence[str]) -> Counts:
    """Return n-grams of the output, of the reference and in common for each order in turn: `[outputs, lines, k]`."""
    orders = metric.char_order
    wanted, *texts = [of_characters(["".join(line.split()) for line in lines]) for lines in (references, *outputs)]
    of_references = n_grams(wanted.lengths, orders)
    found = []
    for given in texts:
        # As in sacrebleu, where the reference has no n-gram of an order, neither counts what the output has of it.
        of_output = np.where(of_references > 0, n_grams(given.lengths, orders), 0)
        found.append(np.stack([of_output, of_references, n_grams_in_common(given, wanted, orders)], axis=2))
    return np.stack([each.reshape(len(references), -1) for each in found]).astype(np.float64)


def _by_the_library(metric: Metric, outputs: Sequence[Sequence[str]], references: Sequence[str]) -> Counts:
    """Return what sacrebleu counts, line by line."""
    rows = [array("d") for _ in outputs]
    for reference, *translations in zip(references, *outputs, strict=True):
        _add_counts(metric, translations, metric._extract_reference_info([reference]), rows)
    return np.stack([np.frombuffer(row).reshape(len(references), -1) for row in rows])


def _add_counts(
    metric: Metric, translations: Sequence[str], wanted: dict[str, Any], rows: Sequence["array[float]"]
) -> None:
    """Add to the row of each output what sacrebleu counts in its translation of one line."""
    counted: dict[str, list[int]] = {}  # good outputs have many lines in common
    for translation, row in zip(translations, rows, strict=True):
        if translation not in counted:
            counted[translation] = metric._compute_segment_statistics(translation, wanted)
        row.extend(counted[translation])


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
