"""Which word of the source each word of a translation comes from, as the attention of the decoder to its source tells.

The translation is read once more, all at once: what the decoder attended to while it was about to write a symbol is
what it wrote it from. Heads are averaged, the symbols of a word added up, and the source word with the most attention
is taken. The layer is the last where there are few, as measured (docs/decoding.md), and the last but one where there
are many, as Garg et al. 2019 found for six.

Shapes: B sentences, S source and T target symbols, n and m words.
"""

import re
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from .attention import attending, source_attention
from .search import positions

Align = Callable[[list[str], list[str]], list[str]]
"""From sources and their translations to alignments, a pair of word numbers i-j for each target word j, from 0.

Learned positions have an end: words that lie wholly beyond it have no pair.
"""


def by_attention(models: Sequence[PreTrainedModel], tokenizer: PreTrainedTokenizerBase) -> Align:
    """Return what aligns by the attention of a network, or by the mean of several.

    Raises:
        ValueError: a network's attention is not found.

    """
    layers = [layer(len(attending(model))) for model in models]

    def align(sources: list[str], targets: list[str]) -> list[str]:
        read = tokenizer(sources, return_offsets_mapping=True)
        written = tokenizer(targets, return_offsets_mapping=True)
        # What was cut off at the last position is, with its </s>, a symbol longer.
        longest = min(positions(model) for model in models)
        symbols = [each[:longest] for each in written.input_ids]
        seen = [
            source_attention(model, tokenizer, read.input_ids, symbols, number)
            for model, number in zip(models, layers, strict=True)
        ]
        mean = torch.stack(seen).mean(0)  # (B, T, S)
        return [
            pharaoh(
                each[: len(symbols[i]), : len(read.input_ids[i])],
                words(targets[i], written.offset_mapping[i])[:longest],
                words(sources[i], read.offset_mapping[i]),
            )
            for i, each in enumerate(mean)
        ]

    return align


def layer(layers: int) -> int:
    """Return the number, from 0, of the decoder layer that alignments are read from."""
    return layers - 1 if layers < 5 else layers - 2


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
