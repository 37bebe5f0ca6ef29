"""Write a trained model for another engine: the folder appears whole or not at all."""

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from vaswani.modeling import VaswaniForConditionalGeneration

from .engines import engine_module

ONLY_IN_GENERATE = (
    "min_length", "min_new_tokens", "repetition_penalty", "encoder_repetition_penalty", "no_repeat_ngram_size",
    "encoder_no_repeat_ngram_size", "exponential_decay_length_penalty", "diversity_penalty", "guidance_scale",
    "bad_words_ids", "suppress_tokens", "begin_suppress_tokens", "sequence_bias", "forced_bos_token_id",
    "forced_eos_token_id", "force_words_ids", "constraints", "stop_strings", "watermarking_config",
)  # fmt: skip
"""Settings that a model may be saved with and that change its translations, of which no engine knows."""

WITHOUT_EFFECT: tuple[Any, ...] = (None, 0, 1, [], {})


def export(source: Path, folder: Path, engine: str, quantization: str = "float32") -> None:
    """Export the model in `source` to `folder`, which must be new or empty.

    Args:
        source: what `save_pretrained` left of model and tokenizer.
        folder: what the engine loads.
        engine: the name of a module beside this one, and of an extra of this package.
        quantization: how the weights are stored; each engine has its own kinds.

    Raises:
        ValueError: the model is not ours or has settings that only `generate` knows, the folder holds something, or the
            engine is not installed or has no such quantization.

    """
    module = engine_module(engine)
    if quantization not in module.QUANTIZATIONS:
        raise ValueError(f"{engine} has no quantization {quantization}; it has {', '.join(module.QUANTIZATIONS)}")
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise ValueError(f"{folder} exists already; name a new folder")
    model = AutoModelForSeq2SeqLM.from_pretrained(source, dtype=torch.float32)
    if not isinstance(model, VaswaniForConditionalGeneration):
        raise ValueError(f"{source} holds a {type(model).__name__}; only networks of this package are exported")
    told = {name: getattr(model.generation_config, name, None) for name in ONLY_IN_GENERATE}
    if beyond := [f"{name}={value}" for name, value in told.items() if value not in WITHOUT_EFFECT]:
        raise ValueError(
            f"{source / 'generation_config.json'} sets {', '.join(beyond)}, which only generate does; take it out of "
            "there, or translate by torch"
        )
    aside = folder.resolve().with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        module.export(model.eval(), AutoTokenizer.from_pretrained(source), aside, quantization)
        aside.replace(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
