"""transformers' Marian, with the smoothed loss that the stock Trainer gives it, or with its own.

As it comes, and as it would be if its freed memory stayed with the process as that of our Trainer does.
"""

from collections.abc import Callable
from typing import Any

from contenders.stepping import Setting, Step, batch, serve, step
from torch import Tensor
from transformers import MarianConfig, MarianMTModel
from transformers.trainer_pt_utils import LabelSmoother

from vaswani.training.memory import keep_freed_memory


def way(
    attention: str, *, autocast: bool, smoothed: bool = True, keeps_memory: bool = False
) -> Callable[[Setting], Step]:
    """Return how to make the step."""

    def make(setting: Setting) -> Step:
        model: Any = MarianMTModel._from_config(
            MarianConfig(
                vocab_size=setting.vocab_size, d_model=setting.d_model, encoder_layers=setting.layers,
                decoder_layers=setting.layers, encoder_attention_heads=setting.num_heads,
                decoder_attention_heads=setting.num_heads, encoder_ffn_dim=setting.d_ff, decoder_ffn_dim=setting.d_ff,
                activation_function="relu", scale_embedding=True, dropout=setting.dropout, attention_dropout=0.0,
                activation_dropout=0.0, pad_token_id=0, eos_token_id=1, decoder_start_token_id=0,
            ),
            attn_implementation=attention,
        )  # fmt: skip
        sample = batch(setting.vocab_size, setting.sentences, setting.length)
        smoother = LabelSmoother(setting.label_smoothing)
        if keeps_memory:
            keep_freed_memory()

        def loss() -> Tensor:
            if not smoothed:
                own: Tensor = model(**sample._asdict()).loss
                return own
            shifted = model.prepare_decoder_input_ids_from_labels(sample.labels)
            outputs = model(sample.input_ids, attention_mask=sample.attention_mask, decoder_input_ids=shifted)
            found: Tensor = smoother(outputs, sample.labels)
            return found

        return step(model, loss, autocast)

    return make


WAYS = {
    "Marian, bf16": way("sdpa", autocast=True),
    "Marian, eager attention, bf16": way("eager", autocast=True),
    "Marian, memory kept, bf16": way("sdpa", autocast=True, keeps_memory=True),
    "Marian, eager attention, memory kept, bf16": way("eager", autocast=True, keeps_memory=True),
    "Marian, not smoothed, bf16": way("sdpa", autocast=True, smoothed=False),
    "Marian, float32": way("sdpa", autocast=False),
    "Marian, memory kept, float32": way("sdpa", autocast=False, keeps_memory=True),
    "Marian, eager attention, float32": way("eager", autocast=False),
}

if __name__ == "__main__":
    serve(WAYS)
