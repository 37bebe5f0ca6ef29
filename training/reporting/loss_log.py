"""The mean training loss in a line of the log: over the steps since the last line, without the skipped ones."""

from collections.abc import Sequence

import torch
from accelerate import Accelerator
from torch import Tensor

from vaswani.training.checkpointing.resuming import SinceLog


class LossLog:
    """Adds up the losses of steps until the next line of the log, on the device and without waiting for it.

    The loss of a step is the sum of its micro-batches' losses, each a share of the step's mean over tokens.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        self._sum = torch.zeros((), device=accelerator.device)
        self._logged = 0  # the step of the last line
        self._steps = self._left_out = 0  # since that line
        self._of_lines = 0.0  # what the lines added up to, of all starts
        self._before = 0  # steps before this start whose losses are not known

    def add(self, losses: Sequence[Tensor]) -> None:
        """Add a step that was made.

        Args:
            losses: of this process's micro-batches, scalars.

        """
        for loss in losses:
            self._sum += loss
        self._steps += 1

    def leave_out(self) -> None:
        """Add a skipped step: it counts, but its losses do not."""
        self._steps += 1
        self._left_out += 1

    def line(self, step: int) -> dict[str, float]:
        """Return "loss" and "steps_left_out", if any, for a line after `step`; begin the next line."""
        total = self._accelerator.gather(self._sum.unsqueeze(0)).mean().item()
        made = self._steps - self._left_out
        figures: dict[str, float] = {"steps_left_out": self._left_out} if self._left_out else {}
        if made:
            figures["loss"] = total / made
        self._of_lines += total
        self._sum.zero_()
        self._logged, self._steps, self._left_out = step, 0, 0
        return figures

    def mean(self, step: int) -> float:
        """Return the mean loss of all steps up to `step`, also before a resume, as this process knows it.

        After a checkpoint of an older version, which lacks their sum, of the steps since its last line.
        """
        return (self._of_lines + self._sum.item()) / max(step - self._before, 0.001)

    def begin(self, step: int) -> None:
        """Begin after `step` with empty sums."""
        self._logged = step

    def since_log(self, losses: list[float]) -> SinceLog:
        """Return what a checkpoint keeps for the next line, given `losses`, the `own_sum` of each process."""
        return SinceLog(self._logged, tuple(losses), self._steps, self._left_out, self._of_lines)

    @property
    def own_sum(self) -> float:
        """The losses of this process since the last line."""
        return float(self._sum)

    def resume(self, since: SinceLog, process: int, processes: int) -> None:
        """Continue the line in which a checkpoint lies; on another number of processes each takes the mean."""
        is_same = len(since.losses) == processes
        self._sum += since.losses[process] if is_same else sum(since.losses) / len(since.losses)
        self._logged, self._steps, self._left_out = since.last, since.judged, since.lost
        self._of_lines, self._before = (0.0, since.last) if since.logged is None else (since.logged, 0)
