"""Load an exported model from its folder into an object that translates lines."""

from typing import Any

import torch

from vaswani.translation.corpus import Translator
from vaswani.translation.load import LoadedModel
from vaswani.translation.loading import load_tokenizer
from vaswani.translation.models import Model, find_model
from vaswani.translation.search import BeamSettings

from .engine import by_engine, engine_module


def load_exported(model: str, engine: str, *, device: str | None = None) -> LoadedModel:
    """Load a model that `vaswani export` wrote.

    Args:
        model: its folder, or OWNER/NAME on the Hub.
        engine: what it was exported to, a name of `translation.models.EXPORTED_FILES`.
        device: cpu, cuda, ...; None: the accelerator if the engine finds one.

    Raises:
        ValueError: there is no such model, it lacks a part, or the engine is not installed.

    """
    loaded, tokenizer = _load(find_model(model, engine), engine, device)
    return LoadedModel(lambda beams, _: by_engine(loaded, tokenizer, beams), tokenizer, loaded.max_positions)


def load_exported_translator(
    found: Model, engine: str, beams: BeamSettings, *, device: str | None, tokens_per_batch: int, max_tokens: int
) -> Translator:
    """Load an exported model for corpora of any size; arguments and errors as in `load_translator`."""
    loaded, tokenizer = _load(found, engine, device)
    return Translator(
        tokenizer,
        by_engine(loaded, tokenizer, beams),
        tokens_per_batch // beams.number,
        min(max_tokens, loaded.max_positions),
        positions=loaded.max_positions,
    )


def _load(found: Model, engine: str, device: str | None) -> tuple[Any, Any]:
    return engine_module(engine).Engine(found.folder, device, torch.get_num_threads()), load_tokenizer(found.folder)
