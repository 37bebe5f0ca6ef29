"""More steps for a finished run: whether it can continue, and its earlier scores, which are kept."""

from pathlib import Path

from transformers.trainer_callback import TrainerState

from vaswani.publishing.metrics_record import METRICS, EarlierRecord, MetricsRecord, as_earlier, read_metrics
from vaswani.publishing.run_record import TrainingRecord
from vaswani.training import VaswaniTrainingArguments
from vaswani.training.best_validation import find_best
from vaswani.training.checkpointing.checkpoints import newest_whole
from vaswani.training.checkpointing.resuming import log_without_final_validation
from vaswani.training.early_stopping import EarlyStopping
from vaswani.training.schedule import steps_of_cooldown

from .console import say

UNREADABLE = "metrics.unreadable.json"
SHARES = ("logging_steps", "eval_steps", "save_steps")
"""The flags that may be given as a share of --max_steps."""


def reason_to_stop(folder: Path, training: VaswaniTrainingArguments) -> str | None:
    """Return why a finished run does not train further with the present flags, or None if it does.

    Args:
        folder: of the run.
        training: --max_steps and --patience decide.

    Raises:
        ValueError: more steps are asked for, and there is no checkpoint to continue from.

    """
    steps = read_metrics(folder).steps
    if training.max_steps <= steps:
        return f"it has reached step {steps:,}; a higher --max_steps trains it further"
    checkpoint, damaged = newest_whole(folder)
    if checkpoint is None:
        lost = "; ".join(f"{name}: {reason}" for name, reason in damaged.items()) or "no checkpoint is left"
        raise ValueError(
            f"{folder} holds a run that has ended at step {steps:,}, and no checkpoint from which step {steps + 1:,} "
            f"could follow ({lost}). Restore checkpoint-{steps}, or train anew in another --output_dir"
        )
    state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    metric = str(training.metric_for_best_model).removeprefix("eval_")
    best = find_best(log_without_final_validation(state), metric)
    if training.patience is not None and (patience := EarlyStopping(training.patience, metric)).is_spent(best):
        return f"{patience.as_text(best)}; raise --patience, or leave it out, to train on from step {steps:,}"
    return None


def check_shares(training: VaswaniTrainingArguments, earlier: TrainingRecord) -> None:
    """Make sure that intervals given as a share of --max_steps stay the same when --max_steps changes.

    Args:
        training: the present flags.
        earlier: those from the start of the run.

    Raises:
        ValueError: a flag is a share of --max_steps, so that a resumed run would differ from one that never stopped.

    """
    before = earlier.max_steps
    for name in SHARES:
        share = getattr(training, name)
        if before != training.max_steps and share is not None and 0 < share < 1:
            steps = -int(-before * share // 1)
            raise ValueError(
                f"--{name} {share:g} is a share of --max_steps, which was {before:,} and is {training.max_steps:,}, so "
                f"that its steps would change; give steps, such as --{name} {steps}, as before"
            )


def remark_on_cooldown(training: VaswaniTrainingArguments, earlier: TrainingRecord, step: int) -> str | None:
    """Return a remark on steps that a resumed run had made while its rate fell towards an end that it no longer has.

    Args:
        training: the present flags.
        earlier: those from before.
        step: of the checkpoint that the run resumes from.

    """
    before = steps_of_cooldown(earlier.cooldown_steps, earlier.max_steps)
    began = earlier.max_steps - before
    if step <= began or (before, earlier.max_steps) == (training.steps_of_cooldown, training.max_steps):
        return None
    return (
        f"Note: steps {began + 1:,} to {step:,} were made in the cooldown of --max_steps {earlier.max_steps:,}, and "
        f"the rate rises again; a run of --max_steps {training.max_steps:,} from its start would resume from a "
        f"checkpoint up to step {began:,}"
    )


def metrics_if_readable(path: Path) -> MetricsRecord | None:
    """Return metrics.json of a run's folder, or under its later name; None where there is none that can be read."""
    try:
        return read_metrics(path)
    except (ValueError, FileNotFoundError):
        return None


def set_unreadable_aside(folder: Path) -> None:
    """Keep a metrics.json that cannot be read under another name: a run without one has not ended, and is scored."""
    metrics = folder / METRICS
    if metrics.exists() and metrics_if_readable(folder) is None:
        metrics.rename(folder / UNREADABLE)
        say(f"{metrics} cannot be read, and is now {UNREADABLE}; the run is scored, and writes it, again")


def set_scores_aside(folder: Path) -> None:
    """Keep the scores of a run that ended, under the number of its steps, before it trains further."""
    metrics = folder / METRICS
    if metrics.exists():
        metrics.rename(folder / f"metrics-{read_metrics(metrics).steps}.json")


def earlier_scores(folder: Path) -> dict[str, EarlierRecord]:
    """Return the scores of earlier ends of a run, by the number of its steps then, the fewest first."""
    read = [metrics_if_readable(path) for path in folder.glob("metrics-*.json")]
    found = sorted((each for each in read if each is not None), key=lambda each: each.steps)
    return {str(each.steps): as_earlier(each) for each in found}
