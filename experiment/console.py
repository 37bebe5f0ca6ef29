"""What a run prints, and the samples that it leaves for people to read."""

from collections.abc import Sequence
from pathlib import Path

from accelerate import PartialState

from vaswani.data import Drops
from vaswani.evaluation.metric_table import as_shown
from vaswani.publishing.metrics_record import MetricsRecord, PairsRecord
from vaswani.training.reporting.progress import print_line

SAMPLES = 10


def say(text: str) -> None:
    """Print once, however many processes there are."""
    if PartialState().is_main_process:
        print_line(text)


def samples(sources: Sequence[str], references: Sequence[str], translations: Sequence[str]) -> str:
    """Return ten translations, evenly spread over the set, with their sources and references."""
    return "\n".join(
        f"  source     {sources[i]}\n  reference  {references[i]}\n  ours       {translations[i]}\n"
        for i in spread(len(sources))
    )


def spread(sentences: int) -> list[int]:
    """Return the places of ten sentences, evenly spread over a set, or of all if there are no more."""
    return [i * sentences // SAMPLES for i in range(SAMPLES)] if sentences > SAMPLES else list(range(sentences))


def counted(drops: Drops) -> PairsRecord:
    """Return the record of a set's pairs for metrics.json."""
    return PairsRecord(drops.kept, dict(drops.dropped), drops.joined)


def summary(metrics: MetricsRecord, drops: Drops, folder: Path) -> str:
    """Return the figures of a run and where its files are."""
    lines = [
        f"Training: {drops.report()}",
        f"Trained to step {metrics.steps:,}; {metrics.training_seconds / 60:.1f} minutes since this start; "
        f"chosen by validation: {metrics.chosen}",
    ]
    for split, scores in metrics.test.items():
        lines.append(f"{split}:")
        lines += [f"  {each}" for each in metrics.not_scored.get(split, ())]
        lines += [f"  {each.name:<11} {as_shown(key, each.value):>6}  {each.signature}" for key, each in scores.items()]
        lines += [f"  {each}" for each in metrics.left_out.get(split, {}).values()]
        lines += [f"  {each}" for each in metrics.remarks.get(split, ())]
    for steps, before in metrics.earlier.items():
        figures = [
            f"{split} {each.name} {as_shown(key, each.value)}"
            for split, scores in before.test.items()
            for key, each in scores.items()
        ]
        lines.append(f"After {int(steps):,} steps: {', '.join(figures) or before.chosen}")
    lines.append(
        f"In {folder}: model, tokenizer, metrics.json, curve.png, and samples and translations of each test set"
    )
    return "\n".join(lines)
