"""The files of a saved or exported model: whether they are what they should be, before they are read."""

from pathlib import Path

from vaswani.data.containers import refuse_no_text, refuse_packed
from vaswani.data.file_names import check_name

TEXTS = (
    "config.json",
    "generation_config.json",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "target_vocab.json",
    "shared_vocabulary.json",
)
WEIGHTS = (".safetensors", ".bin", ".onnx", ".spm")


def check_files(folder: Path) -> None:
    """Raise ValueError, with the way out, if a model's name is not UTF-8, or a file is compressed or in UTF-16."""
    check_name(folder, "the folder")
    for name in TEXTS:
        refuse_no_text(folder / name)
    for path in (each for ending in WEIGHTS for each in folder.glob(f"*{ending}")):
        refuse_packed(path)
