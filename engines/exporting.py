"""What every exported folder holds besides the network."""

from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase


def save_beside(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write what a translation needs besides the network: the vocabulary, and the model's settings."""
    tokenizer.save_pretrained(folder)
    assert model.generation_config is not None
    model.generation_config.save_pretrained(folder)
