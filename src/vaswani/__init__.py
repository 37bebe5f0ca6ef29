"""The Transformer of "Attention Is All You Need" (Vaswani et al. 2017), for training across many machines."""

from os import PathLike, fspath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vaswani.translation.load import LoadedModel

__version__ = "0.1.0"


def load(
    model: str | PathLike[str], *, engine: str = "torch", device: str | None = None, dtype: str | None = None
) -> "LoadedModel":
    """Load a trained model: `vaswani.load("runs/mine").translate(["A sentence."])`.

    Args:
        model: its folder, or OWNER/NAME (or OWNER/NAME@REVISION) on the Hub.
        engine: torch; or what `vaswani export` wrote the model for, such as onnx.
        device: cpu, cuda, cuda:1, ...; None: the accelerator if there is one.
        dtype: float32, bfloat16 or float16, for torch; None: as it was saved.

    Raises:
        ValueError: there is no such model, it lacks a part, the engine is not installed, or the device is not here.

    """
    given = fspath(model)
    if engine == "torch":
        from vaswani.translation.load import load as load_torch

        return load_torch(given, device=device, dtype=dtype)
    if dtype is not None:
        raise ValueError(f"dtype is {dtype}, and a model exported to {engine} computes in what it was exported in")
    from vaswani.engines.load import load_exported

    return load_exported(given, engine, device=device)


__all__ = ["__version__", "load"]
