"""What a file of torch.save holds, read without running anything in it: objects of known libraries do nothing here."""

import argparse
import pickle
import re
from pathlib import Path
from typing import Any

import torch

from .to_vaswani import CannotConvertError


class Inert:
    """What stands for an object of another library: it keeps its state, and does nothing."""

    def __new__(cls, *_: Any) -> "Inert":
        """Take any arguments."""
        return super().__new__(cls)

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)


def read_torch_file(path: Path, inert: re.Pattern[str], way_out: str) -> Any:
    """Return the content of a file, with inert objects in the place of those of some libraries.

    Args:
        path: of the file.
        inert: fits the names of classes, with their modules, that become `Inert`.
        way_out: what to do where other objects are in the file, to follow the reason and a semicolon.

    Raises:
        CannotConvertError: it is no file, is damaged, or holds objects that could run code.

    """
    if not path.is_file():
        raise CannotConvertError(f"{path} is no file")
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except (ValueError, RuntimeError, OSError):  # of torch before 1.6, or damaged, which torch.load tells
        names = []
    known: list[Any] = [argparse.Namespace, (_empty_dict, "collections.defaultdict")]
    known += [(type(name, (Inert,), {}), name) for name in names if inert.fullmatch(name)]
    with torch.serialization.safe_globals(known):
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise CannotConvertError(
                f"{path} holds more than weights and settings, and loading that could run code "
                f"({str(error).splitlines()[0]}); {way_out}"
            ) from None
        except (RuntimeError, OSError, EOFError) as error:
            raise CannotConvertError(f"{path} is damaged ({str(error).splitlines()[0]}); was it cut off?") from None


def _empty_dict(*_: Any) -> dict[Any, Any]:
    """Stand for a defaultdict, whose factory is not called."""
    return {}
