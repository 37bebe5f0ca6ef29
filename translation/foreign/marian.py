"""Marian's own models, .npz and .bin: recognised by the settings that they carry, "special:model.yml"."""

import mmap
import re
from pathlib import Path

from .kinds import Kind

SETTINGS = "special:model.yml"
_SHOWN = (
    "version",
    "type",
    "enc-depth",
    "dec-depth",
    "dim-emb",
    "transformer-heads",
    "transformer-dim-ffn",
    "transformer-ffn-activation",
    "transformer-preprocess",
    "transformer-postprocess",
    "tied-embeddings-all",
)
_VERSIONS = (1, 2)  # the second is encrypted


def is_marian_binary(path: Path) -> bool:
    """Return whether a file is a .bin of Marian's: it begins with version, sizes, and the names of its tensors."""
    with path.open("rb") as file:
        version = int.from_bytes(file.read(8), "little")
        return version in _VERSIONS and SETTINGS.encode() in file.read(1 << 20)


def marian(path: Path) -> Kind:
    """Return the format of one of Marian's own models, with its settings as far as they can be read."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = {name: re.search(rf"(?:^|[\n\0]){name}: *([^\n\0]*)".encode(), content) for name in _SHOWN}
        values = {name: match[1].decode(errors="replace").strip("\"' ") for name, match in found.items() if match}
    settings = ", ".join(f"{name} {value or 'none'}" for name, value in values.items()) or "its settings cannot be read"
    what = f"a model of Marian's own ({settings}), not the MarianMTModel that transformers makes of it"
    if path.suffix == ".bin":
        return Kind(what, "marian-decoder and pymarian run it; give vaswani import the .npz that it was made from")
    return Kind(what, f"vaswani import {path} OUT makes a model of it, if it computes what ours does", True)
