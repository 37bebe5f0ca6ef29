"""Muon for the matrices of a network, Adam for the rest, as one optimizer (Jordan et al. 2024).

Muon steps along the momentum of a matrix with all singular values made about 1, by five Newton-Schulz iterations. Each
step is scaled by 0.2 * sqrt(max(rows, columns)), which makes it as large as one of Adam (Liu et al. 2025), so that one
learning rate serves both. Embeddings, which also give the logits, biases and norms are left to Adam.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim import Adam, Muon, Optimizer

ADAM, MUON = "adam", "muon"
OPTIMIZERS = (ADAM, MUON)
"""Values of --optimizer."""
OF_WHOLE_MATRICES = ("one process", "DDP")
"""The ways of sharing the work (estimates/memory_and_traffic.py) with which Muon runs: it needs whole matrices."""


class MuonWithAdam(Optimizer):
    """Two of torch's optimizers over one state, so that it is saved, loaded and scheduled like any other.

    Args:
        model: the network that is trained.
        lr: the learning rate of both.
        betas: of Adam.
        eps: of Adam.

    """

    def __init__(self, model: nn.Module, lr: float, betas: tuple[float, float], eps: float) -> None:
        matrices, others = split(model)
        muon = Muon(matrices, lr=lr, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
        adam = Adam(others, lr=lr, betas=betas, eps=eps)
        super().__init__([*muon.param_groups, *adam.param_groups], {})
        self._parts: list[Optimizer] = [muon, adam]
        self._share()

    def _share(self) -> None:
        """Let both parts work on this optimizer's groups and state."""
        for part, group in zip(self._parts, self.param_groups, strict=True):
            part.param_groups, part.state = [group], self.state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what `state_dict` gave."""
        super().load_state_dict(state_dict)
        self._share()

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one step with both parts."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self._parts:
            part.step()
        return loss


def split(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the matrices of a network's linear layers, and its other weights; tied ones and embeddings are others."""
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    is_matrix = [weight.ndim == 2 and id(weight) not in tables for weight in trained]
    matrices = [weight for weight, is_one in zip(trained, is_matrix, strict=True) if is_one]
    return matrices, [weight for weight, is_one in zip(trained, is_matrix, strict=True) if not is_one]


def bytes_of_moments(model: nn.Module) -> int:
    """Return what both parts keep of the gradients, in float32: one moment of each matrix, two of the rest."""
    matrices, others = split(model)
    return sum(4 * weight.numel() for weight in matrices) + sum(8 * weight.numel() for weight in others)
