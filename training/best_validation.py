"""The best validation of a run, and the number of validations since then."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from .validation_figures import Rank, rank, shown


class Best(NamedTuple):
    """The best validation of a log."""

    step: int | None
    """None if there was no validation."""
    value: float | None
    """By the requested metric."""
    without_gain: int
    """Validations after it; none of them was better."""
    by_loss: bool
    """Whether another validation had the same metric, so that the loss decided."""

    def by(self, metric: str) -> str:
        """Return the figure that decided."""
        return "loss" if self.by_loss else metric

    def as_text(self, metric: str) -> str:
        """Return a phrase that says how good it was and what decided."""
        assert self.value is not None
        by_loss = (
            "; others had the same, and of these it has the lowest loss" if self.by_loss and metric != "loss" else ""
        )
        return shown(metric, self.value) + by_loss


def find_best(log: Sequence[Mapping[str, Any]], metric: str, steps: Collection[int] | None = None) -> Best:
    """Return the best validation, the first of those that are equal in all.

    Args:
        log: the Trainer's, one dictionary per line.
        metric: its name without eval_.
        steps: consider only these; None: all.

    """
    best, best_rank, without_gain = None, Rank(0.0, 0.0), 0
    by_metric = []
    for line in log:
        if f"eval_{metric}" not in line or (steps is not None and line["step"] not in steps):
            continue
        of_line = rank(line, metric, "eval_")
        by_metric.append(of_line.by_metric)
        if best is None or of_line > best_rank:
            best, best_rank, without_gain = line, of_line, 0
        else:
            without_gain += 1
    if best is None:
        return Best(None, None, 0, by_loss=False)
    return Best(int(best["step"]), best[f"eval_{metric}"], without_gain, by_metric.count(best_rank.by_metric) > 1)
