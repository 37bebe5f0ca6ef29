"""What a network attended to while it read a sentence and wrote its translation: every layer, every head, or one layer.

Shapes: B sentences, H heads, S source and T target tokens, D = d_model.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_outputs import BaseModelOutput

from vaswani.modeling.modeling_vaswani import shift_right

from .search import padded

CELLS = 1 << 20
"""Weights of a head that are computed at once if there are several translations: those of 8 heads take 32 MiB."""

SOURCE_ATTENTION = ("cross_attention", "encoder_attn")
"""The names of the attention to the source in decoder layers: ours, and that of Marian and similar models."""


class Attentions(NamedTuple):
    """For each layer, the weights of the three kinds of attention in section 3.2.3; rows sum to 1."""

    encoder: tuple[Tensor, ...]
    """(B, H, S, S): each source token to all of them."""
    decoder: tuple[Tensor, ...]
    """(B, H, T, T): each target token, just before it is written, to <s> and the tokens before it."""
    cross: tuple[Tensor, ...]
    """(B, H, T, S): each target token, just before it is written, to the source."""


def attentions(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, sources: list[list[int]], targets: list[list[int]]
) -> Attentions:
    """Read translations once more, all at once, and return the attention weights."""
    padding, config = int(tokenizer.pad_token_id), model.config
    (input_ids, mask), (labels, _) = padded(sources, padding), padded(targets, padding)
    network: Any = model.base_model  # without the projection to the vocabulary
    with weights_shown(model):
        output = network(
            input_ids=input_ids.to(model.device),
            attention_mask=mask.to(model.device),
            decoder_input_ids=shift_right(labels, int(config.decoder_start_token_id), padding).to(model.device),
            output_attentions=True,
            use_cache=False,
        )
    return Attentions(output.encoder_attentions, output.decoder_attentions, output.cross_attentions)


def source_attention(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    sources: list[list[int]],
    targets: list[list[int]],
    layer: int,
) -> Tensor:
    """Read translations once more and return one decoder layer's attention to their sources, averaged over heads.

    A source with several translations is read once, and weights of other layers are not kept.

    Args:
        model: on any device.
        tokenizer: its own.
        sources: of each translation.
        targets: the translations.
        layer: of the decoder, from 0.

    Returns:
        (B, T, S), float32, on the CPU.

    """
    padding, config = int(tokenizer.pad_token_id), model.config
    place = {source: number for number, source in enumerate(dict.fromkeys(map(tuple, sources)))}
    rows = torch.tensor([place[tuple(source)] for source in sources], device=model.device)
    input_ids, mask = (each.to(model.device) for each in padded([list(source) for source in place], padding))
    labels, _ = padded(targets, padding)
    tokens = shift_right(labels, int(config.decoder_start_token_id), padding).to(model.device)
    encoder: Any = model.get_encoder()
    network: Any = model.base_model
    encoded = encoder(input_ids, attention_mask=mask)[0]  # (different sources, S, D)
    together = max(1, CELLS // (labels.shape[1] * mask.shape[1]))
    found: list[Tensor] = []

    def take(module: Any, given: Any, output: tuple[Tensor, Tensor]) -> None:  # noqa: ARG001 - called by place
        found.append(output[1].mean(1, dtype=torch.float32).cpu())

    with weights_shown(model), attending(model)[layer].register_forward_hook(take):
        for first in range(0, len(rows), together):
            some = slice(first, first + together)
            network(
                encoder_outputs=BaseModelOutput(encoded[rows[some]]),
                attention_mask=mask[rows[some]],
                decoder_input_ids=tokens[some],
                use_cache=False,
            )
    return torch.cat(found)


def attending(model: PreTrainedModel) -> Sequence[Any]:
    """Return the attention to the source of each decoder layer; ValueError if it is not found."""
    decoder: Any = model.get_decoder()
    layers = getattr(decoder, "layers", [])
    found = [getattr(each, name) for each in layers for name in SOURCE_ATTENTION if hasattr(each, name)]
    if not found:
        raise ValueError(
            f"{model.name_or_path} is a {model.config.model_type} model, and its attention to the source was not "
            "found; translate without --align"
        )
    return found


@contextmanager
def weights_shown(model: PreTrainedModel) -> Iterator[None]:
    """Use the written-out attention inside, the only implementation that keeps the weights."""
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)
