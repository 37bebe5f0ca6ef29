"""The learning rate of section 5.3."""

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


class InverseSquareRoot(LambdaLR):
    """Equation 3 for an optimizer whose rate is its peak; PyTorch counts steps from 0 and the paper from 1."""

    is_held = False
    """Whether the rate stays as it is after this step, which was skipped."""

    def __init__(self, optimizer: Optimizer, warmup_steps: int) -> None:
        super().__init__(optimizer, lambda done: inverse_square_root(done + 1, warmup_steps))

    def step(self, epoch: int | None = None) -> None:
        """Go on to the rate of the next step, unless this one was skipped."""
        if not self.is_held:
            super().step(epoch)

    def get_last_lr(self) -> list[float | Tensor]:
        """Return the optimizer's rates, even if they were set after a checkpoint was loaded."""
        return [group["lr"] for group in self.optimizer.param_groups]
