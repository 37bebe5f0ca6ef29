"""Load a model, for torch or as exported to another engine, into an object that translates lines."""

from pathlib import Path

from vaswani.translation.hypotheses import Tokenizer
from vaswani.translation.loaded import LoadedModel
from vaswani.translation.models import EXPORTED_FILES, Model
from vaswani.translation.plain_tokenizer import load_plain

from .engine import by_engine, engine_module
from .threads import threads


def load(found: Model, engine: str = "torch", *, device: str | None = None, dtype: str | None = None) -> LoadedModel:
    """Load a model that was found.

    Args:
        found: by `find_model` for this engine.
        engine: torch, or what `vaswani export` wrote the model for, a name of EXPORTED_FILES.
        device: cpu, cuda, cuda:1, ...; None: the accelerator if there is one that the engine finds.
        dtype: float32, bfloat16 or float16, for torch; None: as it was saved.

    Raises:
        ValueError: the model is damaged, the engine is not installed, or the device is not here.

    """
    check_engine(engine, dtype)
    if engine == "torch":
        from vaswani.translation.load import load as load_for_torch

        return load_for_torch(found, device, dtype)
    loaded = engine_module(engine).Engine(found.folder, device, threads())
    tokenizer = _tokenizer(found.folder)
    return LoadedModel(lambda beams, _: by_engine(loaded, tokenizer, beams), tokenizer, loaded.max_positions)


def check_engine(engine: str, dtype: str | None) -> None:
    """Raise ValueError if there is no such engine, or a dtype for one that is not torch."""
    if engine not in ("torch", *EXPORTED_FILES):
        raise ValueError(f"there is no engine {engine}; give torch, {' or '.join(EXPORTED_FILES)}")
    if engine != "torch" and dtype is not None:
        raise ValueError(f"dtype is {dtype}, and a model exported to {engine} computes in what it was exported in")


def _tokenizer(folder: Path) -> Tokenizer:
    """Return the tokenizer of a folder; raises as `load_tokenizer` does."""
    plain = load_plain(folder)
    if plain is not None:
        return plain

    from vaswani.translation.loading import load_tokenizer

    whole: Tokenizer = load_tokenizer(folder)
    return whole
