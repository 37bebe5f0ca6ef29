"""Our network, with all that the Trainer does to it and with parts of that."""

from collections.abc import Callable
from typing import Any

from contenders.stepping import DEVICE, Setting, Step, batch, serve, step
from torch import Tensor

from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.training.attention import fastest_attention
from vaswani.training.bfloat16 import compute_in_bfloat16
from vaswani.training.dropout import drop_by_bits
from vaswani.training.fused_loss import train_without_logits
from vaswani.training.memory import keep_freed_memory


def config_of(setting: Setting) -> VaswaniConfig:
    """Return the configuration of the network."""
    return VaswaniConfig(
        vocab_size=setting.vocab_size, d_model=setting.d_model, d_ff=setting.d_ff, num_heads=setting.num_heads,
        encoder_layers=setting.layers, decoder_layers=setting.layers, dropout=setting.dropout,
        label_smoothing=setting.label_smoothing,
    )  # fmt: skip


def way(
    attention: str,
    *,
    autocast: bool = False,
    fused_loss: bool = True,
    bits: bool = True,
    throughout: bool = False,
    keeps_memory: bool = True,
    checkpointing: bool = False,
) -> Callable[[Setting], Step]:
    """Return how to make the step with these parts."""

    def make(setting: Setting) -> Step:
        model: Any = VaswaniForConditionalGeneration(config_of(setting))
        model.set_attn_implementation(attention)
        if fused_loss:
            train_without_logits(model)
        if bits:
            drop_by_bits(model)
        if throughout:
            compute_in_bfloat16(model)
        if checkpointing:
            model.gradient_checkpointing_enable()
        if keeps_memory and DEVICE.type == "cpu":
            keep_freed_memory()
        sample = batch(setting.vocab_size, setting.sentences, setting.length)._asdict()

        def loss() -> Tensor:
            found: Tensor = model(**sample).loss
            return found

        return step(model, loss, autocast)

    return make


ATTENTION = fastest_attention(DEVICE, in_16_bits=True)
OTHER = "sdpa" if ATTENTION == "eager" else "eager"
BARE: dict[str, Any] = {"fused_loss": False, "bits": False, "keeps_memory": False}
WAYS = {
    "as --bf16_throughout trains": way(ATTENTION, throughout=True),
    "throughout, --gradient_checkpointing": way(ATTENTION, throughout=True, checkpointing=True),
    "throughout, torch's dropout": way(ATTENTION, throughout=True, bits=False),
    "throughout, memory given back": way(ATTENTION, throughout=True, keeps_memory=False),
    f"throughout, {OTHER} attention": way(OTHER, throughout=True),
    "as --bf16 trains": way(ATTENTION, autocast=True),
    "model alone, bf16": way(ATTENTION, autocast=True, **BARE),
    "model alone, sdpa, bf16": way("sdpa", autocast=True, **BARE),
    "as float32 trains": way(fastest_attention(DEVICE, in_16_bits=False)),
    "float32, eager attention": way("eager"),
    "model alone, sdpa, float32": way("sdpa", **BARE),
}

if __name__ == "__main__":
    serve(WAYS)
