"""What a file or folder is that a command was given and cannot read, and the way out: looked at, never loaded."""

from collections.abc import Iterable
from pathlib import Path

from .files import file_kind
from .folders import config_of, folder_kind
from .kinds import TENSORFLOW, Kind

__all__ = ["Kind", "config_of", "recognise"]


def recognise(path: Path, names: Iterable[str] | None = None) -> Kind | None:
    """Return what lies at a path, if it is known and no model that the library loads.

    Args:
        path: of a file or a folder.
        names: of what the folder holds, where not all of it is on this machine.

    Raises:
        OSError: it cannot be read.

    """
    if path.is_dir() or names is not None:
        return folder_kind(path, names)
    if path.is_file():
        return file_kind(path)
    is_prefix = any(path.parent.glob(f"{path.name}.index"))  # as TensorFlow names its checkpoints
    return TENSORFLOW if is_prefix else None
