"""Which word of the source each word of a translation comes from, as the attention of the decoder to its source tells.

The translation is read once more, all at once: what the decoder attended to while it was about to write a symbol is
what it wrote it from. Heads are averaged, the symbols of a word added up, and the source word with the most attention
is taken. The layer is the last where there are few, as measured (docs/decoding.md), and the last but one where there
are many, as Garg et al. 2019 found for six.

Shapes: B sentences, S source and T target symbols, n and m words.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from vaswani.modeling.modeling_vaswani import shift_right

from .search import padded

Align = Callable[[list[str], list[str]], list[str]]
"""From sources and their translations to alignments, a pair of word numbers i-j for each target word j, from 0."""


def by_attention(models: Sequence[PreTrainedModel], tokenizer: PreTrainedTokenizerBase) -> Align:
    """Return what aligns by the attention of a network of this package, or by the mean of several."""

    def align(sources: list[str], targets: list[str]) -> list[str]:
        read = tokenizer(sources, return_offsets_mapping=True)
        written = tokenizer(targets, return_offsets_mapping=True)
        seen = [attention(model, tokenizer, read.input_ids, written.input_ids) for model in models]
        mean = torch.stack(seen).mean(0)  # (B, T, S)
        return [
            pharaoh(
                each[: len(written.input_ids[i]), : len(read.input_ids[i])],
                words(targets[i], written.offset_mapping[i]),
                words(sources[i], read.offset_mapping[i]),
            )
            for i, each in enumerate(mean)
        ]

    return align


def attention(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, sources: list[list[int]], targets: list[list[int]]
) -> Tensor:
    """Return the attention to the source before each target symbol, mean over heads: (B, T, S), float32."""
    weights = attention_of_layers(model, tokenizer, sources, targets)
    return weights[layer(len(weights))].float().mean(1).cpu()


def attention_of_layers(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, sources: list[list[int]], targets: list[list[int]]
) -> tuple[Tensor, ...]:
    """Return each layer's attention to the source before each target symbol, (B, heads, T, S); rows sum to 1."""
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
    weights: tuple[Tensor, ...] = output.cross_attentions
    return weights


def layer(layers: int) -> int:
    """Return the number, from 0, of the decoder layer that alignments are read from."""
    return layers - 1 if layers < 5 else layers - 2


@contextmanager
def weights_shown(model: PreTrainedModel) -> Iterator[None]:
    """Attend as written out inside, the one way that keeps the weights."""
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def words(text: str, offsets: Sequence[tuple[int, int]]) -> list[int]:
    """Return the number of the word, from 0, that each symbol belongs to; -1 for </s> and mere white space.

    Words stand between white space. A symbol belongs to the word of its last character, as a space belongs to the word
    after it.
    """
    word_of = [-1] * len(text)
    for number, match in enumerate(re.finditer(r"\S+", text)):
        word_of[match.start() : match.end()] = [number] * len(match[0])
    return [word_of[end - 1] if end > start else -1 for start, end in offsets]


def pharaoh(weights: Tensor, target_words: list[int], source_words: list[int]) -> str:
    """Return "i-j" for each target word j and its source word i, given (T, S) weights and the words of T and S."""
    n, m = max(source_words, default=-1) + 1, max(target_words, default=-1) + 1
    if not n or not m:
        return ""
    of_words = weights.new_zeros(m + 1, n + 1)  # one more for what is no word
    of_words.index_put_(
        (torch.tensor(target_words)[:, None], torch.tensor(source_words)[None]), weights, accumulate=True
    )
    best = of_words[:m, :n].argmax(1).tolist()
    return " ".join(f"{i}-{j}" for j, i in enumerate(best))
