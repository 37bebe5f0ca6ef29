"""Recognise a file by its first bytes, by its contents if it is an archive, and otherwise by its name."""

import json
import pickletools
import re
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from . import kinds
from .kinds import Kind
from .marian import SETTINGS, is_marian_binary, marian

_BEGINNINGS = (
    (rb"GGUF|tjgg|lmgg|fmgg", kinds.GGUF),
    (rb"\x89HDF\r\n\x1a\n", kinds.KERAS),
    (rb"\x12\x01\0\0\0\0\0\0", kinds.SOCKEYE),  # MXNet's arrays, until version 3
    (rb"[\x01-\xff]\0\0\0..[A-Za-z0-9]+Spec\0", kinds.CTRANSLATE2),
    (rb"\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd", kinds.ARCHIVE),
)
_NAMES = (
    (r".*\.tar", kinds.ARCHIVE),
    (r".*\.onnx", kinds.ONNX),
    (r".*\.msgpack", kinds.FLAX),
    (
        r"saved_model\.pb|checkpoint|.*\.ckpt-?\d*\.(index|meta|data-\d+-of-\d+)|ckpt-\d+\.(index|data-.*)",
        kinds.TENSORFLOW,
    ),
    (r".*\.(spm|spm32k|vocab|bpe)|.*vocab.*\.(yml|yaml|json|txt)|dict\..*\.txt|tokenizer\.json", kinds.VOCABULARY),
)
_OLD_TORCH = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""How torch.save began before its version 1.6: a number, pickled."""


def file_kind(path: Path) -> Kind | None:
    """Return what a file is, if it is known."""
    with path.open("rb") as file:
        start = file.read(1024)
    for pattern, kind in _BEGINNINGS:
        if re.match(pattern, start, re.DOTALL):
            return kind
    if zipfile.is_zipfile(path):
        return _zipped(path)
    if is_marian_binary(path):
        return marian(path)
    if start.startswith(_OLD_TORCH):
        return _pickled(path, _words_of_old_torch(path))
    if path.suffix == ".safetensors":
        return _safetensors(path)
    return next((kind for pattern, kind in _NAMES if re.fullmatch(pattern, path.name)), None)


def _zipped(path: Path) -> Kind | None:
    """Distinguish an .npz, a file of torch.save, and any other archive; the loader reports a damaged one."""
    with suppress(zipfile.BadZipFile, ValueError), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if any(name.startswith(SETTINGS) for name in names):
            return marian(path)
        if all(name.endswith(".npy") for name in names):
            variables = any(re.search(r"/body/(en|de)coder/layer_\d+/", name) for name in names)
            return kinds.tensor2tensor(path) if variables else None
        if any(name.endswith("/constants.pkl") for name in names):
            return kinds.TORCHSCRIPT
        pickled = next((name for name in names if name.endswith("/data.pkl")), None)
        if pickled is None:
            return kinds.ARCHIVE
        with archive.open(pickled) as file:
            return _pickled(path, set(_words(file)))
    return None


def _pickled(path: Path, words: set[str]) -> Kind | None:
    """Recognise which program wrote a file of torch.save, by the strings in it, without loading it."""
    for needed, kind in (
        ({"vocab", "opt", "optim"}, kinds.OPENNMT),
        ({"model_state", "optimizer_state"}, kinds.JOEYNMT),
        ({"state_dict", "pytorch-lightning_version"}, kinds.LIGHTNING),
        ({"module", "ds_version"}, kinds.DEEPSPEED),
    ):
        if needed <= words:
            return kind
    if any(re.fullmatch(r"decoder\.layers\.\d+\.enc_attention\.ff_q\.weight", word) for word in words):
        return kinds.SOCKEYE
    if "model" in words and words & {"args", "cfg"}:
        return kinds.fairseq(path)
    if path.suffix == ".bin" or any(word.endswith((".weight", ".bias")) for word in words):
        return kinds.weights_alone(path, "a file of pickled weights without settings")
    return None


def _words(file: IO[bytes]) -> Iterator[str]:
    """Return each string of a pickle."""
    for operation, argument, _ in pickletools.genops(file):
        if operation.name in ("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"):
            yield str(argument)


def _words_of_old_torch(path: Path) -> set[str]:
    """Return the strings of the four pickles that such a file begins with; the last is the content."""
    with suppress(ValueError), path.open("rb") as file:
        return {word for _ in range(4) for word in _words(file)}
    return set()


def _safetensors(path: Path) -> Kind | None:
    """Recognise which program's weights they are."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            names = json.loads(file.read(length)) if length < path.stat().st_size else {}
        except ValueError:  # damaged, which its loader reports
            return None
    ours = " of a model of ours" if "model.tokens.weight" in names else ""
    return kinds.weights_alone(path, f"the weights alone{ours}")
