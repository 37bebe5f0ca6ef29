"""Steps whose loss or gradient is not finite: they are skipped and counted, and too many in a row end the run."""

import logging
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from accelerate import Accelerator, DistributedType
from accelerate.utils import gather_object
from torch import Tensor
from torch.distributed.tensor import DTensor

from .distribution.sharding import local_part
from .exceptions import NotANumberError

_log = logging.getLogger(__name__)

_LEAST_SCALE = 1.0
"""A loss scale of fp16 below which the scale is not the reason for overflowing gradients."""

_REMEDY = (
    "lower --peak_learning_rate or lengthen --warmup_steps and continue with --resume: the last checkpoint is from "
    "before. If the same rows are named each time, inspect them (vaswani inspect)"
)


class Place(Protocol):
    """Where a micro-batch came from."""

    number: int
    """Its number in the order of training."""
    rows: Any
    """The ids of its n pairs, `[n, 2]`: (row group, row in the group)."""


class NonFiniteGuard:
    """Checks every step between its gradients and the optimizer, and skips those that are not finite.

    All processes decide alike, from flags that they add up: one small reduction and one number read from the device per
    step. For a skipped step the optimizer gets no gradients and the schedule does not advance, so weights, moments and
    rate stay; the step counts, and its batches are not seen again in this epoch. The overflows with which fp16 finds
    its loss scale are left to the scaler and are not counted.

    Args:
        limit: the number of such steps in a row that ends the run.

    """

    def __init__(self, accelerator: Accelerator, limit: int) -> None:
        self.streak = 0
        """Skipped steps in a row, up to now."""
        self._accelerator = accelerator
        self._limit = limit

    def judge(
        self, step: int, losses: Sequence[Tensor], norm: Tensor | float, places: Sequence[Place], asked: bool
    ) -> tuple[bool, bool]:
        """Decide, alike on all processes, whether to skip the step whose gradients are ready.

        Args:
            step: its number, from 1.
            losses: of this process's micro-batches, scalars.
            norm: of the gradients that the optimizer would use.
            places: those of the micro-batches, in the order of `losses`.
            asked: whether this process was asked to end; it is sent along with the rest.

        Returns:
            Whether the step is skipped, and whether any process was asked to end.

        Raises:
            NotANumberError: it is the last one of `limit` in a row; on all processes.

        """
        if isinstance(norm, DTensor):
            norm = norm.full_tensor()
        of_losses = torch.stack([loss.detach().float() for loss in losses])
        found = torch.stack(
            [
                ~of_losses.isfinite().all(),
                ~torch.as_tensor(norm, device=of_losses.device).isfinite(),
                torch.tensor(asked, device=of_losses.device),
            ]
        )
        bad_losses, bad_norm, ending = self._accelerator.reduce(found.float(), "sum").tolist()
        if not (bad_losses or (bad_norm and not self._looking_for_scale())):
            self.streak = 0
            return False, bool(ending)
        self.streak += 1
        what = "loss" if bad_losses else "norm of the gradients"
        names = _names(of_losses.isfinite().tolist(), places)
        if self._accelerator.is_main_process:
            _log.warning(
                "Step %s is skipped, %s in a row: its %s is not a finite number. %s", step, self.streak, what, names
            )
        if self.streak >= self._limit:
            raise NotANumberError(
                f"the {what} is not a finite number at step {step}, the last of {self.streak} such steps in a row "
                f"(--max_bad_steps {self._limit}); {_REMEDY}"
            )
        if self._was_made():
            raise NotANumberError(
                f"the {what} is not a finite number at step {step}, but its gradients are, and DeepSpeed has made the "
                f"step with them; nothing is saved after it. {names} {_REMEDY.capitalize()}"
            )
        return True, bool(ending)

    def _was_made(self) -> bool:
        """Return whether DeepSpeed, which steps within the last backward pass, made the present step.

        By itself it skips steps with non-finite gradients, on all processes.
        """
        by_deepspeed = self._accelerator.distributed_type == DistributedType.DEEPSPEED
        return by_deepspeed and not self._accelerator.optimizer_step_was_skipped

    def _looking_for_scale(self) -> bool:
        scaler: torch.amp.GradScaler | None = getattr(self._accelerator, "scaler", None)
        return scaler is not None and scaler.get_scale() >= _LEAST_SCALE

    def check_end(self, step: int) -> None:
        """Raise NotANumberError if training ended within a streak: its weights cannot be trusted."""
        if self.streak:
            raise NotANumberError(
                f"training ended at step {step}, but the last {self.streak} had no finite loss or gradient, "
                f"so nothing was saved after them; {_REMEDY}, or train past them (--max_steps, --patience)"
            )

    def check_weights(self, model: torch.nn.Module, step: int) -> None:
        """Raise NotANumberError, on all processes, if weights about to be saved are not finite."""
        norm = torch.nn.utils.get_total_norm([local_part(weight).detach() for weight in model.parameters()])
        found = (~norm.isfinite()).float().to(self._accelerator.device)  # parts may be in main memory
        if self._accelerator.reduce(found, "sum").item():
            raise NotANumberError(
                f"weights are not finite numbers after step {step}, though its loss and gradients were; nothing is "
                f"saved. {_REMEDY.capitalize()}"
            )


def _names(finite: Sequence[bool], places: Sequence[Place]) -> str:
    """Name the micro-batches of all processes whose loss is at fault, or all of them if no single loss is."""
    mine = [(place.number, place.rows.tolist(), good) for good, place in zip(finite, places, strict=True)]
    all_of_step = sorted(gather_object(mine))
    at_fault = [each for each in all_of_step if not each[2]]
    return " ".join(f"Micro-batch {number}: {_rows(rows)}." for number, rows, _ in at_fault or all_of_step)


def _rows(ids: Sequence[tuple[int, int]]) -> str:
    """Write row ids by their groups: 'group 3, rows 4 17; group 5, row 2'."""
    groups: dict[int, list[int]] = {}
    for group, row in sorted(ids):
        groups.setdefault(group, []).append(row)
    return "; ".join(
        f"group {group}, row{'s' * (len(rows) > 1)} {' '.join(map(str, rows))}" for group, rows in groups.items()
    )
