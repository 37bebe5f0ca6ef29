"""Averages of checkpoints (section 6.1), and which checkpoints of a run to average."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from vaswani.evaluation.metric_table import DEFAULT, choices
from vaswani.training.validation_figures import rank

from .checkpoints import MANIFEST, checkpoint_fault, counted, sealed
from .consolidation import read_weights


def average_weights(checkpoints: Sequence[Path], shares: Sequence[float] | None = None) -> dict[str, Tensor]:
    """Return the mean of each stored tensor over `checkpoints`, summed in float32, in its own dtype.

    Tied weights are stored once, so they are averaged once.

    Args:
        checkpoints: folders with weights, whole or in parts.
        shares: the relative weight of each; equal if left out.

    Raises:
        ValueError: there are no checkpoints, or two of them hold different tensors.

    """
    if not checkpoints:
        raise ValueError("there are no checkpoints to average")
    shares = shares or [1.0] * len(checkpoints)
    sums: dict[str, Tensor] = {}
    dtypes: dict[str, torch.dtype] = {}
    for checkpoint, share in zip(checkpoints, shares, strict=True):
        weights = read_weights(checkpoint)
        if not sums:
            dtypes = {name: tensor.dtype for name, tensor in weights.items()}
            sums = {
                name: torch.zeros_like(tensor, dtype=torch.promote_types(tensor.dtype, torch.float32))
                for name, tensor in weights.items()
            }
        if _shapes(weights) != _shapes(sums):
            names = ", ".join(sorted(name for name, _ in _shapes(weights) ^ _shapes(sums))[:3])
            raise ValueError(f"{checkpoint} and {checkpoints[0]} are not of the same model; they differ in {names}")
        for name, tensor in weights.items():
            sums[name].add_(tensor, alpha=share)
    return {name: (total / sum(shares)).to(dtypes[name]) for name, total in sums.items()}


def _shapes(weights: dict[str, Tensor]) -> set[tuple[str, tuple[int, ...]]]:
    return {(name, tuple(tensor.shape)) for name, tensor in weights.items()}


def moving(number: int, decay: float) -> list[float]:
    """Return the shares of an exponential moving average over checkpoints, oldest first, bias-corrected as in Adam.

    Each counts `decay` times as much as the next one. It averages over saved checkpoints, not over every step: training
    itself would have to keep such an average.

    Raises:
        ValueError: `decay` is not between 0 and 1.

    """
    if not 0 < decay < 1:
        raise ValueError(f"the decay of the moving average is {decay}; give a number between 0 and 1, such as 0.7")
    return [decay ** (number - 1 - place) for place in range(number)]


def last_checkpoints(run: Path, number: int) -> list[Path]:
    """Return the last `number` checkpoints of a run, oldest first; ValueError if there are fewer, or one is damaged."""
    return check_whole(enough(counted(run), number, f"{run} has")[-number:])


def best_checkpoints(run: Path, number: int, metric: str = DEFAULT) -> dict[Path, float]:
    """Return the `number` checkpoints of a run that were best in validation, oldest first, with their figures.

    Args:
        run: the folder of a run.
        number: how many.
        metric: one of `metric_table.choices`, from the Trainer's trainer_state.json; among checkpoints with the same
            value the loss decides.

    Raises:
        ValueError: fewer were validated at their own step, or one is damaged.

    """
    folders = sealed(run)
    try:
        state = json.loads((folders[-1] / "trainer_state.json").read_text(encoding="utf-8")) if folders else {}
    except ValueError as error:
        raise ValueError(f"{folders[-1] / 'trainer_state.json'} is damaged ({error}); average others") from error
    history = [log for log in state.get("log_history", []) if f"eval_{metric}" in log]
    figures = {f"checkpoint-{log['step']}": float(log[f"eval_{metric}"]) for log in history}
    ranks = {f"checkpoint-{log['step']}": rank(log, metric, "eval_") for log in history}
    validated = [folder for folder in folders if folder.name in figures]
    if folders and not validated:
        known = [each for each in choices() if any(f"eval_{each}" in log for log in state.get("log_history", []))]
        raise ValueError(f"{run} measured no validation {metric}; it has {', '.join(known) or 'none at all'}")
    enough(validated, number, f"{run} has {len(folders)} checkpoint(s), and validation {metric} of")
    ranked = sorted(validated, key=lambda folder: ranks[folder.name], reverse=True)
    return {folder: figures[folder.name] for folder in check_whole([f for f in folders if f in ranked[:number]])}


def enough(folders: list[Path], number: int, what: str) -> list[Path]:
    """Return `folders`, or raise ValueError if they are fewer than `number`."""
    if not 1 <= number <= len(folders):
        raise ValueError(f"{what} {len(folders)}, and {number} cannot be averaged; choose from 1 to that number")
    return folders


def check_whole(folders: list[Path]) -> list[Path]:
    """Return `folders`, or raise ValueError if a checkpoint among them is damaged or incomplete."""
    for folder in folders:
        is_checkpoint = any((folder / name).exists() for name in (MANIFEST, "trainer_state.json"))
        if is_checkpoint and (reason := checkpoint_fault(folder)):
            raise ValueError(f"{folder} cannot be trusted: {reason}; average others")
    return folders
