"""What a network attended to while it read a sentence and wrote its translation: every layer, every head.

Shapes: B sentences, H heads, S source and T target symbols.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from vaswani.modeling.modeling_vaswani import shift_right

from .search import padded


class Attentions(NamedTuple):
    """Of each layer the weights of section 3.2.3's three kinds; rows sum to 1."""

    encoder: tuple[Tensor, ...]
    """(B, H, S, S): each source symbol to all of them."""
    decoder: tuple[Tensor, ...]
    """(B, H, T, T): each target symbol, while it was about to be written, to <s> and the symbols before it."""
    cross: tuple[Tensor, ...]
    """(B, H, T, S): each target symbol, while it was about to be written, to the source."""


def attentions(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, sources: list[list[int]], targets: list[list[int]]
) -> Attentions:
    """Read translations once more, all at once, and return what was attended to."""
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


@contextmanager
def weights_shown(model: PreTrainedModel) -> Iterator[None]:
    """Attend as written out inside, the one way that keeps the weights."""
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)
