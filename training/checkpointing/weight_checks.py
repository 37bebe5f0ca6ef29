"""Weights have to be finite floating-point numbers: all that loads a model, or passes one on, asks here.

PyTorch copies whole, complex and boolean numbers into a float weight without a word, and a network with a single NaN
still translates, to nonsense.
"""

import math
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers import PreTrainedModel
from transformers.utils import SAFE_WEIGHTS_NAME, WEIGHTS_NAME


def check_weights(weights: Iterable[tuple[str, Tensor]], where: Path) -> None:
    """Raise ValueError, by name, unless all weights are finite floating-point numbers.

    Args:
        weights: with their names.
        where: their file or folder, for the message.

    """
    for name, weight in weights:
        _check_kind(name, weight.dtype, where)
        if fault := _fault(weight):
            raise ValueError(_refusal(name, f"holds {fault} in {_called(weight.dtype)}", where))


def check_loaded(model: PreTrainedModel, folder: Path) -> None:
    """Raise ValueError, by name, unless a loaded model and the files in its folder hold finite floating-point numbers.

    A file of another program may hold whole numbers beside the weights, such as the numbers of positions.
    """
    parameters, prefix = dict(model.named_parameters()), model.base_model_prefix
    for file in weight_files(folder):
        for name, dtype in _stored_kinds(file).items():
            if name in parameters or f"{prefix}.{name}" in parameters:
                _check_kind(name, dtype, file)
    check_weights(parameters.items(), folder)


def check_files(files: Iterable[Path]) -> None:
    """Raise ValueError, by name, unless files in safetensors are whole and hold finite floating-point numbers alone."""
    for file in files:
        try:
            with safe_open(file, "pt") as opened:
                check_weights(((name, opened.get_tensor(name)) for name in opened.keys()), file)  # noqa: SIM118
        except SafetensorError as error:
            raise ValueError(f"the weights in {file} are damaged ({error}); copy them again") from error


def weight_files(folder: Path) -> list[Path]:
    """Return the files of a model's weights, whole or in parts, as transformers chooses them: safetensors first."""
    found: list[Path] = []
    for pattern in (SAFE_WEIGHTS_NAME, "model-*.safetensors", WEIGHTS_NAME, "pytorch_model-*.bin"):
        found = found or sorted(folder.glob(pattern))
    return found


def _stored_kinds(file: Path) -> dict[str, torch.dtype]:
    """Return the type of each tensor of a file, without reading its numbers."""
    if file.suffix == ".safetensors":
        with safe_open(file, "pt") as opened:
            parts = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118
            return {
                name: (part[:0] if part.get_shape() else opened.get_tensor(name)).dtype for name, part in parts.items()
            }
    content = torch.load(file, map_location="meta", weights_only=True)
    return {name: each.dtype for name, each in content.items() if isinstance(each, Tensor)}


def _check_kind(name: str, dtype: torch.dtype, where: Path) -> None:
    if not dtype.is_floating_point:
        raise ValueError(_refusal(name, f"is of the type {_called(dtype)}", where))


def _fault(weight: Tensor) -> str | None:
    """Return what a weight holds that is no finite number; None if all are."""
    if weight.numel() == 0:
        return None
    if weight.dtype.itemsize == 1:  # float8, which has no minimum
        weight = weight.float()
    least, most = (float(each) for each in weight.detach().aminmax())  # ten times as fast as isfinite
    if math.isnan(least):
        return "NaN"
    return "infinite numbers" if math.isinf(least) or math.isinf(most) else None


def _called(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _refusal(name: str, what: str, where: Path) -> str:
    return (
        f"the weight {name} in {where} {what}; weights are finite floating-point numbers. Copy the model again, or "
        "take another checkpoint of its run"
    )
