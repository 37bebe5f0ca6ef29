"""Averages of checkpoints (section 6.1)."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from .consolidation import read_weights


def average_weights(checkpoints: Sequence[Path]) -> dict[str, Tensor]:
    """Return the mean of each stored tensor over `checkpoints`, summed in float32, in its own dtype.

    Tied weights are stored once, so they are averaged once. Raises ValueError if there are no checkpoints, or if two
    of them hold different tensors.
    """
    if not checkpoints:
        raise ValueError("there are no checkpoints to average")
    first = read_weights(checkpoints[0])
    sums = {name: tensor.to(torch.promote_types(tensor.dtype, torch.float32)) for name, tensor in first.items()}
    for checkpoint in checkpoints[1:]:
        weights = read_weights(checkpoint)
        if weights.keys() != sums.keys():
            names = ", ".join(sorted(weights.keys() ^ sums.keys())[:3])
            raise ValueError(f"{checkpoint} and {checkpoints[0]} are not of the same model; they differ in {names}")
        for name, tensor in weights.items():
            sums[name] += tensor
    return {name: (total / len(checkpoints)).to(first[name].dtype) for name, total in sums.items()}
