"""A test set at the end of a run: scored, left in the run's folder, and shown."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from accelerate import PartialState

from vaswani.evaluation.scores import Score
from vaswani.storage import write_text

from .console import samples, say, spread
from .validation import PairSet

EXAMPLES = 3


class ScoredTestSet(NamedTuple):
    """What metrics.json holds of a test set."""

    scores: dict[str, Score]
    left_out: dict[str, str]
    """Scores that could not be computed, and why."""
    examples: list[dict[str, str]]


def write_test_set(folder: Path, split: str, pairs: PairSet, translations: Sequence[str]) -> ScoredTestSet:
    """Score the translations of a test set, write them and ten samples into the folder, and show the samples."""
    texts = pairs.sources, pairs.references, translations
    scores, files, left_out = pairs.task.judge(*texts)
    if PartialState().is_main_process:
        shown = samples(*texts)
        for ending, lines in {"translations.txt": translations, **files}.items():
            write_text(folder / f"{split}.{ending}", "".join(f"{line}\n" for line in lines))
        write_text(folder / f"{split}.samples.txt", shown)
        say(f"\nTen translations of {split}:\n\n{shown}")
    named = [dict(zip(("source", "reference", "translation"), each, strict=True)) for each in zip(*texts, strict=True)]
    return ScoredTestSet(scores, left_out, [named[i] for i in spread(len(named))[:EXAMPLES]])
