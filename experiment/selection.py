"""Which of the weights that training left are the run's: the validation set decides, never the test set."""

from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from vaswani.training import VaswaniTrainer, average_weights
from vaswani.training.checkpoints import sealed
from vaswani.training.consolidation import load_weights
from vaswani.training.quality import quality_of

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
    last = sealed(Path(str(trainer.args.output_dir)))
    candidates = {"last checkpoint": last[-1:]}
    best_path = trainer.state.best_model_checkpoint
    if best_path and Path(best_path).name != last[-1].name:  # the same weights need no second look
        candidates["best checkpoint while training"] = [Path(best_path)]
    number = min(trainer.args.average_checkpoints, len(last))
    if number > 1:
        candidates[f"average of the last {number} checkpoints"] = last[-number:]
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


def load_average(model: PreTrainedModel, paths: list[Path]) -> None:
    """Load the mean of checkpoints."""
    load_weights(model, average_weights(paths))
    model.eval()
