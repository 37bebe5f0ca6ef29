"""Averages of checkpoints (section 6.1)."""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor


def average_weights(checkpoints: Sequence[Path]) -> dict[str, Tensor]:
    """Return the mean of each stored tensor over `checkpoints`, summed in float32, in its own dtype.

    Tied weights are stored once, so they are averaged once. Raises ValueError if there are no checkpoints, or if two
    of them hold different tensors.
    """
    if not checkpoints:
        raise ValueError("there are no checkpoints to average")
    first = load_file(checkpoints[0] / "model.safetensors")
    sums = {name: tensor.to(torch.promote_types(tensor.dtype, torch.float32)) for name, tensor in first.items()}
    for checkpoint in checkpoints[1:]:
        weights = load_file(checkpoint / "model.safetensors")
        if weights.keys() != sums.keys():
            names = ", ".join(sorted(weights.keys() ^ sums.keys())[:3])
            raise ValueError(f"{checkpoint} and {checkpoints[0]} are not of the same model; they differ in {names}")
        for name, tensor in weights.items():
            sums[name] += tensor
    return {name: (total / len(checkpoints)).to(first[name].dtype) for name, total in sums.items()}
