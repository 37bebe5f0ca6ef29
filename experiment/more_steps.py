"""A run that has ended and is asked for more steps: whether it goes on, and what it scored before, which stays."""

from pathlib import Path

from transformers.trainer_callback import TrainerState

from vaswani.publishing.metrics_record import METRICS, EarlierRecord, as_earlier, read_metrics
from vaswani.publishing.run_record import TrainingRecord
from vaswani.training import VaswaniTrainingArguments
from vaswani.training.best_validation import find_best
from vaswani.training.checkpointing.checkpoints import newest_whole
from vaswani.training.checkpointing.resuming import log_without_final_validation
from vaswani.training.early_stopping import EarlyStopping

SHARES = ("logging_steps", "eval_steps", "save_steps")
"""What may be given as a share of --max_steps."""


def reason_to_stop(folder: Path, training: VaswaniTrainingArguments) -> str | None:
    """Return why a run that has ended trains no more by the flags of now, or None if it is to go on.

    Args:
        folder: of the run.
        training: --max_steps and --patience decide.

    Raises:
        ValueError: more steps are asked for, and there is no checkpoint that they could follow.

    """
    steps = read_metrics(folder).steps
    if training.max_steps <= steps:
        return f"it stands at step {steps:,}, and --max_steps above that trains it longer"
    checkpoint, damaged = newest_whole(folder)
    if checkpoint is None:
        lost = "; ".join(f"{name}: {reason}" for name, reason in damaged.items()) or "no checkpoint is left"
        raise ValueError(
            f"{folder} holds a run that has ended at step {steps:,}, and nothing that step {steps + 1:,} could follow "
            f"({lost}). Restore checkpoint-{steps}, or train anew in another --output_dir"
        )
    state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    metric = str(training.metric_for_best_model).removeprefix("eval_")
    best = find_best(log_without_final_validation(state), metric)
    if training.patience is not None and (patience := EarlyStopping(training.patience, metric)).is_spent(best):
        return f"{patience.as_text(best)}; raise --patience, or leave it out, to train on from step {steps:,}"
    return None


def check_shares(training: VaswaniTrainingArguments, told: TrainingRecord) -> None:
    """Make sure that what is done every so many steps is done at those steps still, where --max_steps has changed.

    Args:
        training: the flags of now.
        told: the same of before.

    Raises:
        ValueError: a flag is a share of --max_steps, so that a run that goes on would not be one that never stopped.

    """
    before = told.max_steps
    for name in SHARES:
        share = getattr(training, name)
        if before != training.max_steps and share is not None and 0 < share < 1:
            steps = -int(-before * share // 1)
            raise ValueError(
                f"--{name} {share:g} is a share of --max_steps, which was {before:,} and is {training.max_steps:,}, so "
                f"that its steps would be others than before; give steps, as --{name} {steps}, which it was"
            )


def set_scores_aside(folder: Path) -> None:
    """Keep what a run scored when it ended, under the number of its steps, before it trains on."""
    metrics = folder / METRICS
    if metrics.exists():
        metrics.rename(folder / f"metrics-{read_metrics(metrics).steps}.json")


def earlier_scores(folder: Path) -> dict[str, EarlierRecord]:
    """Return what a run scored when it had ended before, by the number of its steps then, the fewest first."""
    found = sorted((read_metrics(path) for path in folder.glob("metrics-*.json")), key=lambda each: each.steps)
    return {str(each.steps): as_earlier(each) for each in found}
