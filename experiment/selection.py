"""Which of the weights that training left are the run's: the validation set decides, never the test set."""

from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from vaswani.training import VaswaniTrainer, average_weights
from vaswani.training.checkpoints import first_whole, sealed
from vaswani.training.consolidation import load_weights
from vaswani.training.quality import quality_of

from .agreement import by_main
from .errors import told_plainly
from .report import say
from .validation import PairSet, Search, figures, translate_all


def load_best(
    trainer: VaswaniTrainer, model: PreTrainedModel, pairs: PairSet, search: Search
) -> tuple[dict[str, Any], list[str]]:
    """Load the best, the last, or the average of the last checkpoints: that with the highest validation BLEU, or F1.

    An average of checkpoints that are still far apart can be far worse than any of them, so it has to prove itself.

    Returns:
        "chosen", the figures of it under "validation", and those of every candidate under "candidates"; and the
        translations of `pairs` by the chosen one.

    """
    with told_plainly():
        candidates = by_main(lambda: candidates_of(trainer))
    scores: dict[str, dict[str, float]] = {}
    translations: dict[str, list[str]] = {}
    for name, paths in candidates.items():
        load_average(model, paths)
        translations[name] = translate_all(model, pairs, search)
        scores[name] = figures(model, pairs, translations[name])
        quality = quality_of(scores[name])
        say(f"{name}: validation perplexity {scores[name]['perplexity']:.3f}, {quality.name} {quality.value:.2f}")
    best = max(scores, key=lambda name: quality_of(scores[name]).value)
    load_average(model, candidates[best])
    return {"chosen": best, "validation": scores[best], "candidates": scores}, translations[best]


def candidates_of(trainer: VaswaniTrainer) -> dict[str, list[Path]]:
    """Return the checkpoints of each candidate; those that are damaged are passed over and said.

    Raises:
        ValueError: none is whole.

    """
    run, best = Path(str(trainer.args.output_dir)), trainer.state.best_model_checkpoint
    last, damaged = first_whole(reversed(sealed(run)), trainer.args.average_checkpoints)
    if not last:
        raise ValueError(f"no checkpoint of {run} is whole any more: {told(damaged)}")
    candidates = {"last checkpoint": last[:1]}
    if best and Path(best).name != last[0].name:  # the same weights need no second look
        whole, damaged_too = first_whole([Path(best)], 1)
        damaged |= damaged_too
        if whole:
            candidates["best checkpoint while training"] = whole
    if len(last) > 1:
        candidates[f"average of the last {len(last)} checkpoints"] = last[::-1]
    if damaged:
        say(f"Passed over: {told(damaged)}")
    return candidates


def told(damaged: dict[str, str]) -> str:
    """Return what is wrong with which checkpoint."""
    return "; ".join(f"{name}, {reason}" for name, reason in damaged.items())


def load_average(model: PreTrainedModel, paths: list[Path]) -> None:
    """Load the mean of checkpoints."""
    load_weights(model, average_weights(paths))
    model.eval()
