"""transformers' BART of the same sizes, with the smoothed loss that the stock Trainer gives it.

Beside the paper's network it has learned positions, biases in attention, and a norm after the embeddings.
"""

from collections.abc import Callable
from typing import Any

from contenders.stepping import Setting, Step, batch, serve, step
from torch import Tensor
from transformers import BartConfig, BartForConditionalGeneration
from transformers.trainer_pt_utils import LabelSmoother


def way(*, autocast: bool) -> Callable[[Setting], Step]:
    """Return how to make the step."""

    def make(setting: Setting) -> Step:
        model: Any = BartForConditionalGeneration._from_config(
            BartConfig(
                vocab_size=setting.vocab_size, d_model=setting.d_model, encoder_layers=setting.layers,
                decoder_layers=setting.layers, encoder_attention_heads=setting.num_heads,
                decoder_attention_heads=setting.num_heads, encoder_ffn_dim=setting.d_ff, decoder_ffn_dim=setting.d_ff,
                activation_function="relu", scale_embedding=True, dropout=setting.dropout, attention_dropout=0.0,
                activation_dropout=0.0, max_position_embeddings=setting.length, pad_token_id=0, eos_token_id=1,
                decoder_start_token_id=0,
            ),
            attn_implementation="sdpa",
        )  # fmt: skip
        sample = batch(setting.vocab_size, setting.sentences, setting.length)
        shifted = model.prepare_decoder_input_ids_from_labels(sample.labels)
        smoother = LabelSmoother(setting.label_smoothing)

        def loss() -> Tensor:
            outputs = model(sample.input_ids, attention_mask=sample.attention_mask, decoder_input_ids=shifted)
            found: Tensor = smoother(outputs, sample.labels)
            return found

        return step(model, loss, autocast)

    return make


WAYS = {"BART, bf16": way(autocast=True), "BART, float32": way(autocast=False)}

if __name__ == "__main__":
    serve(WAYS)
