"""Write a trained model for another engine: the folder is written completely or not at all."""

from pathlib import Path

import torch

from vaswani.data.file_names import check_name
from vaswani.modeling import VaswaniForConditionalGeneration
from vaswani.storage import atomic_folder
from vaswani.translation.loading import load_tokenizer, load_whole
from vaswani.translation.settings import generation_settings

from .engine import engine_module


def export(source: Path, folder: Path, engine: str, quantization: str = "float32") -> None:
    """Export the model in `source` to `folder`, which must be new or empty.

    Args:
        source: what `save_pretrained` left of model and tokenizer.
        folder: what the engine loads.
        engine: the name of a module beside this one, and of an extra of this package.
        quantization: how the weights are stored; each engine has its own kinds.

    Raises:
        ValueError: the model is not ours, is incomplete or has settings that only `generate` supports, the folder is
            not empty, or the engine is not installed or has no such quantization.

    """
    module = engine_module(engine)
    if quantization not in module.QUANTIZATIONS:
        raise ValueError(f"{engine} has no quantization {quantization}; it has {', '.join(module.QUANTIZATIONS)}")
    check_name(folder.resolve(), "the folder")
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise ValueError(f"{folder} exists already; name a new folder")
    model = load_whole(source, dtype=torch.float32)
    if not isinstance(model, VaswaniForConditionalGeneration):
        raise ValueError(f"{source} holds a {type(model).__name__}; only networks of this package are exported")
    generation_settings(model.generation_config, source)
    with atomic_folder(folder) as draft:
        module.export(model.eval(), load_tokenizer(source), draft, quantization)
