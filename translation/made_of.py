"""What the bytes of a translation depend on, besides the text: kept with one that can be gone on with."""

import argparse
import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

from vaswani.storage import sha256_of

from .models import EXPORTED_FILES, MODEL_FILES, SHORTLIST, Model

OPTIONS = (
    *("engine", "format", "n_best", "align", "target", "beams", "length_penalty", "tokens_per_batch", "max_tokens"),
    *("device", "dtype", "shard", "line_buffered", "sample", "temperature", "top_k", "seed"),
)
"""Flags of `vaswani translate` that change its output, if only by rounding."""
ENGINES = {"ctranslate2": ("ctranslate2",), "onnx": ("onnxruntime",)}
"""The packages that an engine's numbers come from, beside torch."""
BESIDE = ("generation_config.json", "shared_vocabulary.json", "vocab.json", "source.spm", "target.spm")
"""Files that a model may have, and that count where they are."""


def made_of(args: argparse.Namespace, models: Sequence[Model]) -> dict[str, Any]:
    """Return the models by their checksums, the options and the versions, by name."""
    glossary, language = getattr(args, "glossary", None), getattr(args, "split_sentences", None)
    packages = ["vaswani", "torch", *ENGINES.get(args.engine, ()), *([] if language is None else ["sentencex"])]
    return {
        "models": [checksum_of(each.folder, args.engine) for each in models],
        **{name: getattr(args, name) for name in OPTIONS},
        **({} if glossary is None else {"glossary": sha256_of(glossary), "direction": args.direction}),
        **({} if language is None else {"split_sentences": language}),
        **{package: version(package) for package in packages},
    }


def judged_by(model: Model) -> dict[str, Any]:
    """Return what the probabilities of a text by a model depend on, by name."""
    return {"model": checksum_of(model.folder, "torch"), **{name: version(name) for name in ("vaswani", "torch")}}


def checksum_of(folder: Path, engine: str) -> str:
    """Return the SHA-256 of the files of a model that translations depend on."""
    parts = EXPORTED_FILES.get(engine, MODEL_FILES)
    names = {*chain(*parts.values()), *BESIDE, *((SHORTLIST,) if engine == "ctranslate2" else ())}
    digest = hashlib.sha256()
    for path in sorted([*filter(Path.is_file, (folder / name for name in names)), *folder.glob("model-*.safetensors")]):
        digest.update(f"{path.name} {sha256_of(path)}\n".encode())
    return digest.hexdigest()
