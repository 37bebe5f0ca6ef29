"""The learning rate of section 5.3, and a fall to 0 at the end of a run, which the paper has not."""

import math

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def inverse_square_root(step: int, warmup_steps: int) -> float:
    """Equation 3 over its own peak: step / warmup while warming up, then sqrt(warmup / step).

    Args:
        step: the step about to be made, from 1.
        warmup_steps: where the peak is, in steps; at least 1.

    """
    return min(step / warmup_steps, (warmup_steps / step) ** 0.5)


def peak_rate(d_model: int, warmup_steps: int) -> float:
    """Return the peak of equation 3: d_model^-0.5 * warmup_steps^-0.5."""
    return float((d_model * warmup_steps) ** -0.5)


def cooldown(step: int, cooldown_steps: int, max_steps: int) -> float:
    """Return the share of the rate that the end of a run leaves: 1, then down a straight line that meets 0 at its end.

    A cooldown as in Haegele et al. 2024; the last step still has a rate, 1 / (cooldown_steps + 1) of it.

    Args:
        step: the step about to be made, from 1.
        cooldown_steps: the number of last steps on the line; 0 for none.
        max_steps: of the run.

    """
    return min(1.0, max(0, max_steps + 1 - step) / (cooldown_steps + 1))


def steps_of_cooldown(given: float, max_steps: int) -> int:
    """Return the number of steps that --cooldown_steps means, which is a share of `max_steps` below 1."""
    return math.ceil(given * max_steps if given < 1 else given)


class InverseSquareRoot(LambdaLR):
    """Equation 3 for an optimizer whose rate is its peak; PyTorch counts steps from 0 and the paper from 1.

    Args:
        optimizer: its rates are peaks.
        warmup_steps: where the peak is, in steps.
        cooldown_steps: see `cooldown`.
        max_steps: of the run, by which the cooldown ends.

    """

    is_held = False
    """Whether the rate stays as it is after this step, which was skipped."""

    def __init__(self, optimizer: Optimizer, warmup_steps: int, cooldown_steps: int, max_steps: int) -> None:
        def share(done: int) -> float:
            return inverse_square_root(done + 1, warmup_steps) * cooldown(done + 1, cooldown_steps, max_steps)

        super().__init__(optimizer, share)

    def step(self, epoch: int | None = None) -> None:
        """Go on to the rate of the next step, unless this one was skipped."""
        if not self.is_held:
            super().step(epoch)

    def get_last_lr(self) -> list[float | Tensor]:
        """Return the optimizer's rates, even if they were set after a checkpoint was loaded."""
        return [group["lr"] for group in self.optimizer.param_groups]
