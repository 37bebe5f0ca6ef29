"""The choice of a run's weights among those that training left: the validation set decides, never the test set."""

from pathlib import Path
from typing import NamedTuple

from transformers import PreTrainedModel

from vaswani.training import VaswaniTrainer, average_weights
from vaswani.training.checkpointing.checkpoints import counted, first_whole
from vaswani.training.checkpointing.consolidation import load_weights
from vaswani.training.moving_average import FOLDER as MOVING_AVERAGE
from vaswani.training.validation_figures import called, figures_as_text, rank, shown

from .console import say
from .error_messages import exit_on_bad_input
from .main_process import on_main_process
from .validation import PairSet, SearchSettings, figures, translate_all


class Selection(NamedTuple):
    """The weights chosen for the run."""

    chosen: str
    chosen_by: str
    """The metric, or "loss" where other candidates have the same metric."""
    validation: dict[str, float]
    """Their figures."""
    candidates: dict[str, dict[str, float]]
    """Those of every candidate."""


def load_best(
    trainer: VaswaniTrainer, model: PreTrainedModel, pairs: PairSet, search: SearchSettings
) -> tuple[Selection, list[str]]:
    """Load the best checkpoint, the last, or an average: whichever is best by --metric_for_best_model.

    An average of checkpoints that are still far apart can be far worse than any of them, so it is chosen only if it is
    better.

    Returns:
        What was chosen; and the translations of `pairs` by it.

    """
    with exit_on_bad_input():
        candidates = on_main_process(lambda: candidates_of(trainer))
    scores: dict[str, dict[str, float]] = {}
    translations: dict[str, list[str]] = {}
    for name, paths in candidates.items():
        load_average(model, paths)
        what = f"the validation set by the {name}: {len(pairs.sources):,} sentences, {search.num_beams} beam(s)"
        say(f"Translating {what}")
        translations[name] = translate_all(model, pairs, search, progress=True)
        scores[name] = figures(model, pairs, translations[name])
        say(f"{name}: validation {figures_as_text(scores[name], trainer.metric)}")
    choice = choose(scores, trainer.metric)
    say(choice.as_text)
    load_average(model, candidates[choice.name])
    return Selection(choice.name, choice.by, scores[choice.name], scores), translations[choice.name]


class Choice(NamedTuple):
    """One of several candidates."""

    name: str
    by: str
    """The figure that decided."""
    as_text: str
    """A sentence that says so."""


def choose(scores: dict[str, dict[str, float]], metric: str) -> Choice:
    """Return the best by a metric, and by the loss among those that the metric cannot tell apart.

    Args:
        scores: validation figures of each candidate, by its name; of candidates that are equal in all, the first is
            taken.
        metric: `vaswani.training.validation_figures` knows its name.

    """
    ranks = {name: rank(figures, metric) for name, figures in scores.items()}
    best = max(ranks, key=lambda name: ranks[name])
    equal = [name for name in ranks if ranks[name].by_metric == ranks[best].by_metric]
    if len(equal) == 1:
        why = f"by {called(metric)}" if len(ranks) > 1 else "the only candidate"
        return Choice(best, metric, f"Chosen: {best}, {why}")
    figure = shown(metric, scores[best][metric])
    return Choice(best, "loss", f"Chosen: {best}, by its loss: {figure} is that of {', '.join(equal)} too")


def candidates_of(trainer: VaswaniTrainer) -> dict[str, list[Path]]:
    """Return the checkpoints of each candidate; damaged ones are skipped and reported.

    Raises:
        ValueError: none is complete.

    """
    run, best = Path(str(trainer.args.output_dir)), trainer.state.best_model_checkpoint
    # What is kept as the best, behind the last ones, may be from long before.
    number = min(trainer.args.average_checkpoints, trainer.keep or trainer.args.average_checkpoints)
    last, damaged = first_whole(reversed(counted(run)), number)
    if not last:
        raise ValueError(f"no checkpoint of {run} is complete any more: {damaged_as_text(damaged)}")
    candidates = {"last checkpoint": last[:1]}
    if best and Path(best).name != last[0].name:  # the same weights need no second look
        whole, damaged_too = first_whole([Path(best)], 1)
        damaged |= damaged_too
        if whole:
            candidates["best checkpoint while training"] = whole
    if len(last) > 1:
        candidates[f"average of the last {len(last)} checkpoints"] = last[::-1]
    if (average := last[0] / MOVING_AVERAGE).is_dir():
        candidates["moving average of the weights"] = [average]
    if damaged:
        say(f"Skipped: {damaged_as_text(damaged)}")
    return candidates


def damaged_as_text(damaged: dict[str, str]) -> str:
    """Return which checkpoints are damaged, and how."""
    return "; ".join(f"{name}, {reason}" for name, reason in damaged.items())


def load_average(model: PreTrainedModel, paths: list[Path]) -> None:
    """Load the mean of checkpoints."""
    load_weights(model, average_weights(paths))
    model.eval()
