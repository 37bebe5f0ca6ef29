"""The time left in a run: the mean time of steps, validations and checkpoints so far, times those to come."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from transformers.trainer_utils import IntervalStrategy, SaveStrategy


class Remaining(NamedTuple):
    """What a run still has to do."""

    steps: int
    validations: int
    saves: int


class TimeLeft(NamedTuple):
    """The time that this takes."""

    seconds: float
    unmeasured: int
    """Validations that are not in `seconds`, because none has been made yet to measure one."""


def remaining(step: int, state: Any, args: Any) -> Remaining:
    """Return what follows a step, by the flags.

    Args:
        step: done, with the validation and the checkpoint that were due after it.
        state: the Trainer's.
        args: the Trainer's.

    """
    last, validations, saves = state.max_steps, 0, 0
    if args.eval_strategy == IntervalStrategy.STEPS:
        validations = times_due(max(step, round(args.eval_delay) - 1), last, state.eval_steps)
    if args.save_strategy == SaveStrategy.STEPS:
        saves = times_due(step, last, state.save_steps)
    return Remaining(last - step, validations, saves)


def times_due(step: int, last: int, every: float) -> int:
    """Return how often something is still done that is done every `every` steps and after the last one."""
    if step >= last:
        return 0
    return int(last // every - step // every) + (last % every != 0)


class Timer:
    """Measures the time of steps (except the first, which waits for workers and compilers) and of other work.

    Args:
        clock: returns seconds.

    """

    def __init__(self, clock: Any = time.monotonic) -> None:
        self._clock = clock
        self._since: float | None = None  # the end of the first step
        self._steps = 0  # since then
        self._validations, self._validating = 0, 0.0
        self._saves, self._saving = 0, 0.0
        self._aside = 0.0  # seconds since then that were not spent on steps

    def step(self) -> None:
        """Record that a step is done."""
        if self._since is None:
            self._since = self._clock()
        else:
            self._steps += 1

    @contextmanager
    def validation(self) -> Iterator[None]:
        """Measure the time of a validation."""
        began = self._clock()
        yield
        seconds = self._clock() - began
        self._validations += 1
        self._validating += seconds
        self._set_aside(seconds)

    def saved(self, seconds: float) -> None:
        """Record that a checkpoint is saved, and its time."""
        self._saves += 1
        self._saving += seconds
        self._set_aside(seconds)

    def _set_aside(self, seconds: float) -> None:
        if self._since is not None:
            self._aside += seconds

    def left(self, ahead: Remaining) -> TimeLeft | None:
        """Return the time left if everything continues as before; None while nothing has been measured."""
        if self._since is None or (not self._steps and ahead.steps):
            return None
        of_steps = ahead.steps * (self._clock() - self._since - self._aside) / max(1, self._steps)
        of_validations = ahead.validations * self._validating / max(1, self._validations)
        of_saves = ahead.saves * self._saving / max(1, self._saves)
        return TimeLeft(of_steps + of_validations + of_saves, 0 if self._validations else ahead.validations)
