"""What an unreadable file or folder is that a command was given, and the way out: inspected, never loaded."""

from collections.abc import Iterable
from pathlib import Path

from .files import file_kind
from .folders import config_of, folder_kind
from .kinds import TENSORFLOW, Kind

__all__ = ["Kind", "config_of", "recognise"]


def recognise(path: Path, names: Iterable[str] | None = None) -> Kind | None:
    """Return what is at a path, if the format is known and is not a model that this library loads.

    Args:
        path: of a file or a folder.
        names: of the files in the folder, if not all of them are on this machine.

    Raises:
        OSError: it cannot be read.

    """
    if path.is_dir() or names is not None:
        return folder_kind(path, names)
    if path.is_file():
        return file_kind(path)
    is_prefix = any(path.parent.glob(f"{path.name}.index"))  # as TensorFlow names its checkpoints
    return TENSORFLOW if is_prefix else None
