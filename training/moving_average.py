"""The exponential moving average of a network's weights over the steps of its training.

After step t, average = d * average + (1 - d) * weights with d = min(decay, (1 + t) / (10 + t)), so that the random
weights of the start are soon forgotten (as tensorflow's ExponentialMovingAverage with num_updates). What is averaged
are the optimizer's float32 weights; nothing else in training reads the average.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers.utils import SAFE_WEIGHTS_NAME

from vaswani.storage import atomic_folder

from .exceptions import StartupError

FOLDER = "moving_average"
"""Where a checkpoint holds it, as weights by name."""


class MovingAverage:
    """The average over steps, kept beside a network that is trained.

    Args:
        decay: how much of the average stays at each step, at most; between 0 and 1.

    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self._average: dict[str, Tensor] = {}

    @torch.no_grad()
    def begin(self, model: nn.Module, checkpoint: Path | None) -> None:
        """Begin with a network's weights, or with the average that a checkpoint holds.

        Raises:
            StartupError: that has none.

        """
        self._average = {name: weight.detach().float().clone() for name, weight in model.named_parameters()}
        if checkpoint is None:
            return
        file = checkpoint / FOLDER / SAFE_WEIGHTS_NAME
        if not file.exists():
            raise StartupError(
                f"{checkpoint} holds no moving average: its run began without --ema_decay. Resume without it, or start "
                "anew in another --output_dir"
            )
        for name, weight in load_file(file).items():
            self._average[name].copy_(weight)

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Add the weights after a step, counted from 1."""
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        for average, weight in zip(self._average.values(), model.parameters(), strict=True):
            average.lerp_(weight, share)

    def save(self, checkpoint: Path) -> None:
        """Write the average into a checkpoint in the making."""
        with atomic_folder(checkpoint / FOLDER) as draft:
            save_file({name: weight.cpu() for name, weight in self._average.items()}, draft / SAFE_WEIGHTS_NAME)
