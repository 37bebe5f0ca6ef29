"""Which files go to the Hub where a model is pushed as a class of transformers' own too, or instead."""

from pathlib import Path
from typing import NamedTuple

from .files_to_push import HISTORY
from .native_record import NATIVE
from .native_section import FOLDER, INSTEAD

PICTURE = "curve.png"


class Content(NamedTuple):
    """What one commit brings."""

    files: list[Path]
    """To the top of the repository."""
    folders: dict[str, Path]
    """Beneath it, by the name that they get there."""


def with_native(files: list[Path], native: Path, place: str) -> Content:
    """Return what is pushed.

    Args:
        files: of the model in its own form.
        native: the folder of the other form; its native.json, which the card tells, is taken out of it.
        place: BESIDE or INSTEAD.

    """
    (native / NATIVE).unlink()
    if place != INSTEAD:
        return Content(files, {FOLDER: native})
    shown = [path for path in files if path.name in (PICTURE, HISTORY)]
    return Content(sorted([*(path for path in native.iterdir() if path.is_file()), *shown]), {})
