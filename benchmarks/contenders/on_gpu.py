"""Our network on a GPU: attention, loss, precision, compilation and layout, each alone and together.

What the Trainer does today is "as --bf16 trains", and with compilation "compiled". The others are candidates.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from vaswani.modeling import VaswaniForConditionalGeneration
from vaswani.training import loss as fused_loss
from vaswani.training.speed.speedups import speed_up_training

from .ours import config_of
from .packing import attend_by_sequences, count_positions_by_sentence, pack, padded_sequences
from .stepping import DEVICE, Setting, Step, batch, serve, step


def way(
    *,
    attention: str = "sdpa",
    layout: str = "padded",
    loss: str = "fused",
    throughout: bool = False,
    mode: str | None = None,
    checkpointing: bool = False,
) -> Callable[[Setting], Step]:
    """Return how to make the step.

    Args:
        attention: one that transformers knows, or "by sequences" (packing.py).
        layout: "padded"; "packed", without padding, by sequences; or "unmasked", where the source's padding is attended
            to, which is no training but bounds what masks cost: scaled_dot_product_attention is then flash attention.
        loss: "plain", "fused", or "fused, compiled", what is done to the logits being one kernel or two.
        throughout: bfloat16 throughout rather than autocast; with a fused loss.
        mode: of torch.compile; "reduce-overhead" takes CUDA graphs; None compiles nothing.
        checkpointing: layers are computed again in the backward pass.

    """

    def make(setting: Setting) -> Step:
        model: Any = VaswaniForConditionalGeneration(config_of(setting))
        model.to(DEVICE)
        sample = batch(setting.vocab_size, setting.sentences, setting.length)
        inputs: dict[str, Any] = sample._asdict()
        if layout == "packed":
            packed = pack(sample, model.config.decoder_start_token_id)
            count_positions_by_sentence(model, packed)
            names = ("input_ids", "decoder_input_ids", "labels", "source", "target")
            inputs = {name: getattr(packed, name) for name in names}
        elif attention == "by sequences":
            sides = {"source": sample.attention_mask.bool(), "target": sample.labels != -100}
            inputs |= {name: padded_sequences(there) for name, there in sides.items()}
        if layout == "unmasked":
            del inputs["attention_mask"]
        if layout == "packed" or attention == "by sequences":
            attend_by_sequences(model)
        else:
            model.set_attn_implementation(attention)
        if loss != "plain":
            fused_loss.fuse_loss(model)
            speed_up_training(model, DEVICE, throughout)
        if loss == "fused, compiled":
            fused_loss._turn_into_gradient = torch.compile(fused_loss._turn_into_gradient, dynamic=False)
        if checkpointing:
            model.gradient_checkpointing_enable()
        called = model if mode is None else torch.compile(model, mode=mode, dynamic=False)

        def loss_of_batch() -> Tensor:
            if mode == "reduce-overhead":
                torch.compiler.cudagraph_mark_step_begin()
            found: Tensor = called(**inputs, num_items_in_batch=tokens).loss
            return found

        tokens = (sample.labels != -100).sum()
        return step(model, loss_of_batch, autocast=not throughout)

    return make


GRAPHS = "reduce-overhead"
# Those that decide come first: what comes late may find no time.
WAYS = {
    "as --bf16 trains": way(),
    "loss compiled": way(loss="fused, compiled"),
    "varlen attention": way(attention="by sequences"),
    "packed": way(layout="packed"),
    "as --bf16_throughout trains": way(throughout=True),
    "compiled": way(mode="default"),
    "CUDA graphs": way(mode=GRAPHS),
    "all, padded": way(throughout=True, mode=GRAPHS, loss="fused, compiled"),
    "all, packed": way(throughout=True, mode=GRAPHS, loss="fused, compiled", layout="packed"),
    "compiled, plain loss": way(mode="default", loss="plain"),
    "all, packed, no graphs": way(throughout=True, mode="default", loss="fused, compiled", layout="packed"),
    "throughout, compiled": way(throughout=True, mode="default"),
    "all, varlen": way(throughout=True, mode=GRAPHS, loss="fused, compiled", attention="by sequences"),
    "plain loss": way(loss="plain"),
    "eager attention": way(attention="eager"),
    "flash attention, unmasked": way(layout="unmasked"),
    "checkpointing": way(checkpointing=True),
}

if __name__ == "__main__":
    serve(WAYS)
