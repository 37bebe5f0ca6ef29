"""Successive halving: all trials train for a few steps, the best of them for longer, and so on to the last rung.

Jamieson and Talwalkar (2016); the inner loop of Hyperband (Li et al. 2017). Decisions are functions of the results
alone, so a sweep that was interrupted decides like one that was not.
"""

from collections.abc import Sequence
from itertools import pairwise

from vaswani.training.validation_figures import Rank, rank

from .record import ResultRecord, SweepRecord, TrialRecord


def rungs_of(max_steps: int, eta: int, halvings: int, interval: int) -> tuple[int, ...]:
    """Return the steps at the end of each rung: max_steps / eta^h, rounded up to a multiple of `interval`.

    Args:
        max_steps: of the last rung.
        eta: the share of trials that go on is 1 / eta.
        halvings: how often trials are left behind.
        interval: steps after which a run both validates and saves.

    Raises:
        ValueError: the numbers are out of range, or the interval is too long for so many rungs.

    """
    if eta < 2:
        raise ValueError(f"--eta is {eta}; give at least 2, so that the best 1 / eta of the trials go on")
    if halvings < 0:
        raise ValueError(f"--halvings is {halvings}; give 0, which trains all to the end, or more")
    lower = [-(-max_steps // (eta**left * interval)) * interval for left in range(halvings, 0, -1)]
    rungs = (*lower, max_steps)
    if any(later <= earlier for earlier, later in pairwise(rungs)):
        raise ValueError(
            f"--max_steps {max_steps:,} has no room for {halvings} halvings by {eta}: the first rung would end at "
            f"step {max_steps / eta**halvings:,.0f}, and a trial validates and saves together every {interval:,} "
            "steps. Give --eval_steps and --save_steps that divide it, fewer --halvings, or more --max_steps"
        )
    return rungs


def kept(trials: int, eta: int, rung: int) -> int:
    """Return how many trials a rung trains at most, the first rung being 0."""
    return max(1, trials // eta**rung)


def rank_of(result: ResultRecord, metric: str) -> Rank:
    """Return the rank of a result among others: the greatest is the best."""
    return rank({metric: result.value, "loss": result.loss}, metric)


def best(trials: Sequence[TrialRecord], rung: int, count: int, metric: str) -> list[TrialRecord]:
    """Return the best trials of those that have ended a rung, by its results; the earlier of equal ones."""
    ended = [trial for trial in trials if len(trial.results) > rung]
    in_order = sorted(ended, key=lambda trial: rank_of(trial.results[rung], metric), reverse=True)
    return in_order[:count]


def next_start(sweep: SweepRecord) -> tuple[TrialRecord, int] | None:
    """Return which trial to train next, and to the end of which rung; None where all is done.

    A rung is ended by all of its trials before the next one begins. A trial that failed is worse than all others and
    does not go on.
    """
    ahead = sorted(sweep.trials, key=lambda trial: trial.number)
    for rung in range(len(sweep.rungs)):
        for trial in ahead:
            if trial.failed is None and len(trial.results) <= rung:
                return trial, rung
        going_on = best(ahead, rung, kept(len(sweep.trials), sweep.eta, rung + 1), sweep.metric)
        ahead = sorted(going_on, key=lambda trial: trial.number)
    return None


def in_order(sweep: SweepRecord) -> list[TrialRecord]:
    """Return the trials by the rung that they reached and their metric there, the best first, failed ones last."""

    def place(trial: TrialRecord) -> tuple[bool, int, Rank]:
        reached = len(trial.results)
        return trial.failed is None, reached, rank_of(trial.results[-1], sweep.metric) if reached else Rank(0, 0)

    return sorted(sorted(sweep.trials, key=lambda trial: trial.number), key=place, reverse=True)
