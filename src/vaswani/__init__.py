"""The Transformer of "Attention Is All You Need" (Vaswani et al. 2017), for training across many machines."""

from os import PathLike, fspath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vaswani.translation.loaded import LoadedModel

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
    from vaswani.engines.load import check_engine
    from vaswani.engines.load import load as load_found
    from vaswani.translation.models import find_model

    check_engine(engine, dtype)
    return load_found(find_model(fspath(model), engine), engine, device=device, dtype=dtype)


__all__ = ["__version__", "load"]
