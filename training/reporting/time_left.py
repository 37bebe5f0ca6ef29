"""How long a run still takes: what its steps, validations and checkpoints took so far, times how many there will be."""

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
    """What that takes."""

    seconds: float
    unmeasured: int
    """Validations that are not in `seconds`, since none was made yet by which to know what one takes."""


def remaining(step: int, state: Any, args: Any) -> Remaining:
    """Return what lies behind a step, by the flags.

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
    """Return how often something is done after `step` that is done every so many steps, and after the last one."""
    if step >= last:
        return 0
    return int(last // every - step // every) + (last % every != 0)


class Timer:
    """Takes the time of a start: of its steps but the first, which waits for workers and compilers, and of what else.

    Args:
        clock: returns seconds.

    """

    def __init__(self, clock: Any = time.monotonic) -> None:
        self._clock = clock
        self._since: float | None = None  # the end of the first step
        self._steps = 0  # since then
        self._validations, self._validating = 0, 0.0
        self._saves, self._saving = 0, 0.0
        self._aside = 0.0  # seconds since then that were no step's

    def step(self) -> None:
        """Take down that a step is done."""
        if self._since is None:
            self._since = self._clock()
        else:
            self._steps += 1

    @contextmanager
    def validation(self) -> Iterator[None]:
        """Take the time of a validation."""
        began = self._clock()
        yield
        seconds = self._clock() - began
        self._validations += 1
        self._validating += seconds
        self._set_aside(seconds)

    def saved(self, seconds: float) -> None:
        """Take down that a checkpoint is saved, and what it took."""
        self._saves += 1
        self._saving += seconds
        self._set_aside(seconds)

    def _set_aside(self, seconds: float) -> None:
        if self._since is not None:
            self._aside += seconds

    def left(self, ahead: Remaining) -> TimeLeft | None:
        """Return how long that takes if all goes on as before; None while there is nothing to tell by."""
        if self._since is None or (not self._steps and ahead.steps):
            return None
        of_steps = ahead.steps * (self._clock() - self._since - self._aside) / max(1, self._steps)
        of_validations = ahead.validations * self._validating / max(1, self._validations)
        of_saves = ahead.saves * self._saving / max(1, self._saves)
        return TimeLeft(of_steps + of_validations + of_saves, 0 if self._validations else ahead.validations)
