"""Our network, with all that the Trainer does to it and with parts of that."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.training.consistency import RDROP, SIMCUT, WEIGHTS, add_consistency
from vaswani.training.loss import fuse_loss
from vaswani.training.speed.bfloat16 import compute_in_bfloat16
from vaswani.training.speed.dropout import drop_by_bits
from vaswani.training.speed.fastest_attention import fastest_attention
from vaswani.training.speed.process_memory import reuse_freed_memory
from vaswani.training.speed.speedups import speed_up_training

from .stepping import DEVICE, Setting, Step, batch, serve, step


def config_of(setting: Setting) -> VaswaniConfig:
    """Return the configuration of the network."""
    return VaswaniConfig(
        vocab_size=setting.vocab_size,
        d_model=setting.d_model,
        d_ff=setting.d_ff,
        num_heads=setting.num_heads,
        encoder_layers=setting.layers,
        decoder_layers=setting.layers,
        dropout=setting.dropout,
        label_smoothing=setting.label_smoothing,
    )


def as_trained(model: Any) -> None:
    """Do what the Trainer does by autocast and in float32."""
    fuse_loss(model)
    speed_up_training(model, DEVICE, bf16_throughout=False)


def throughout(model: Any) -> None:
    """Do what the Trainer does with --bf16_throughout."""
    fuse_loss(model)
    speed_up_training(model, DEVICE, bf16_throughout=True)


def with_checkpointing(model: Any) -> None:
    """Do that, and compute layers again in the backward pass."""
    throughout(model)
    model.gradient_checkpointing_enable()


def with_two_passes(kind: str) -> Callable[[Any], None]:
    """Return what does that, and lets a step make two passes over its batch; half a step is to be compared."""

    def prepare(model: Any) -> None:
        speed_up_training(model, DEVICE, bf16_throughout=True)
        add_consistency(model, kind, WEIGHTS[kind], cut_share=0.05)

    return prepare


def with_torchs_dropout(model: Any) -> None:
    """Do the same but for dropout."""
    fuse_loss(model)
    compute_in_bfloat16(model)
    if DEVICE.type == "cpu":
        reuse_freed_memory()


def giving_memory_back(model: Any) -> None:
    """Do the same but for memory."""
    fuse_loss(model)
    drop_by_bits(model)
    compute_in_bfloat16(model)


def alone(_: Any) -> None:
    """Leave the network as it is."""


def way(attention: str, prepare: Callable[[Any], None], *, autocast: bool = False) -> Callable[[Setting], Step]:
    """Return how to make the step of a network that is prepared so."""

    def make(setting: Setting) -> Step:
        model: Any = VaswaniForConditionalGeneration(config_of(setting))
        model.set_attn_implementation(attention)
        prepare(model)
        sample = batch(setting.vocab_size, setting.sentences, setting.length)._asdict()

        def loss() -> Tensor:
            found: Tensor = model(**sample).loss
            return found

        return step(model, loss, autocast)

    return make


ATTENTION = fastest_attention(DEVICE, in_16_bits=True)
OTHER = "sdpa" if ATTENTION == "eager" else "eager"
WAYS = {
    "as --bf16_throughout trains": way(ATTENTION, throughout),
    "throughout, --gradient_checkpointing": way(ATTENTION, with_checkpointing),
    "throughout, --consistency rdrop": way(ATTENTION, with_two_passes(RDROP)),
    "throughout, --consistency simcut": way(ATTENTION, with_two_passes(SIMCUT)),
    "throughout, torch's dropout": way(ATTENTION, with_torchs_dropout),
    "throughout, memory given back": way(ATTENTION, giving_memory_back),
    f"throughout, {OTHER} attention": way(OTHER, throughout),
    "as --bf16 trains": way(ATTENTION, as_trained, autocast=True),
    "model alone, bf16": way(ATTENTION, alone, autocast=True),
    "model alone, sdpa, bf16": way("sdpa", alone, autocast=True),
    "as float32 trains": way(fastest_attention(DEVICE, in_16_bits=False), as_trained),
    "float32, eager attention": way("eager", as_trained),
    "model alone, sdpa, float32": way("sdpa", alone),
}

if __name__ == "__main__":
    serve(WAYS)
