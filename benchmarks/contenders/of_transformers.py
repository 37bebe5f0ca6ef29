"""What the contenders from transformers share: the sizes of their configurations, and the Trainer's smoothed loss."""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from transformers.trainer_pt_utils import LabelSmoother

from .stepping import Setting, batch


def sizes(setting: Setting) -> dict[str, Any]:
    """Return the fields in which configurations of Marian and BART say what a network of this setting is."""
    return {
        "vocab_size": setting.vocab_size,
        "d_model": setting.d_model,
        "encoder_layers": setting.layers,
        "decoder_layers": setting.layers,
        "encoder_attention_heads": setting.num_heads,
        "decoder_attention_heads": setting.num_heads,
        "encoder_ffn_dim": setting.d_ff,
        "decoder_ffn_dim": setting.d_ff,
        "activation_function": "relu",
        "scale_embedding": True,
        "dropout": setting.dropout,
        "attention_dropout": 0.0,
        "activation_dropout": 0.0,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "decoder_start_token_id": 0,
    }


def smoothed_loss(model: Any, setting: Setting) -> Callable[[], Tensor]:
    """Return how to take the loss that the stock Trainer gives a network with `label_smoothing_factor`."""
    sample = batch(setting.vocab_size, setting.sentences, setting.length)
    shifted = model.prepare_decoder_input_ids_from_labels(sample.labels)  # in the Trainer the collator's work
    smoother = LabelSmoother(setting.label_smoothing)

    def loss() -> Tensor:
        outputs = model(sample.input_ids, attention_mask=sample.attention_mask, decoder_input_ids=shifted)
        found: Tensor = smoother(outputs, sample.labels)
        return found

    return loss
