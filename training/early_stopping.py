"""Ending training that finds nothing better any more."""

from typing import Any

from transformers import TrainerCallback

from .best_validation import Best, find_best
from .validation_figures import shown


class EarlyStopping(TrainerCallback):
    """Ends training, its last step saved, after so many validations in a row without a better one.

    It counts in the log alone, which every checkpoint holds, so a run that goes on counts as one that never stopped.

    Args:
        limit: how many.
        metric: what is better, by its name without eval_; where it is the same, a lower loss is.

    """

    def __init__(self, limit: int, metric: str) -> None:
        self.limit = limit
        self.metric = metric

    def is_spent(self, best: Best) -> bool:
        """Tell whether training is at its end, by the best validation so far."""
        return best.without_gain >= self.limit

    def as_text(self, best: Best) -> str:
        """Say why training is at its end."""
        assert best.step is not None
        assert best.value is not None
        by_loss = "" if self.metric == "loss" else ", nor, where it is the same, a lower loss"
        last = "the last validation" if best.without_gain == 1 else f"the last {best.without_gain} validations"
        return (
            f"{last} found nothing better than {shown(self.metric, best.value)} of "
            f"step {best.step:,}{by_loss} (--patience {self.limit})"
        )

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002  (called by name)
        """Stop where patience is spent, and save what was reached: who raises --patience goes on from there."""
        if self.is_spent(find_best(state.log_history, self.metric)):
            control.should_training_stop = control.should_save = True
