"""Ending training when validation no longer improves."""

from typing import Any

from transformers import TrainerCallback

from .best_validation import Best, find_best
from .validation_figures import shown


class EarlyStopping(TrainerCallback):
    """Ends training, its last step saved, after so many validations in a row without a better one.

    It counts only in the log, which every checkpoint holds, so a resumed run counts like one that never stopped.

    Args:
        limit: how many.
        metric: decides what is better, by its name without eval_; where it is equal, a lower loss is better.

    """

    def __init__(self, limit: int, metric: str) -> None:
        self.limit = limit
        self.metric = metric

    def is_spent(self, best: Best) -> bool:
        """Return whether training should end, given the best validation so far."""
        return best.without_gain >= self.limit

    def as_text(self, best: Best) -> str:
        """Return why training should end."""
        assert best.step is not None
        assert best.value is not None
        by_loss = "" if self.metric == "loss" else ", nor, where it is the same, a lower loss"
        last = "the last validation" if best.without_gain == 1 else f"the last {best.without_gain} validations"
        return (
            f"{last} found nothing better than {shown(self.metric, best.value)} of "
            f"step {best.step:,}{by_loss} (--patience {self.limit})"
        )

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002  (called by name)
        """Stop when patience is spent, and save the state: a run with a higher --patience resumes from there."""
        if self.is_spent(find_best(state.log_history, self.metric)):
            control.should_training_stop = control.should_save = True
