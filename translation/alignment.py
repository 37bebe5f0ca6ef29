"""Which word of the source each word of a translation comes from, by the decoder's attention to its source.

The decoder reads the translation once more, all at once: what it attends to just before it writes a token counts as the
origin of that token. Heads are averaged, the tokens of a word are added up, and the source word with the most attention
is taken. The layer is the last where there are few, as measured (docs/decoding.md), and the last but one where there
are many, as Garg et al. 2019 found for six.

Shapes: B sentences, S source and T target tokens, n and m words.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Protocol

import regex
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from vaswani.data.directions import tagged
from vaswani.data.scripts import WITHOUT_SPACES

from .attention import attending, source_attention
from .search import positions


class Align(Protocol):
    """What finds the source word of each word of a translation."""

    def __call__(self, sources: list[str], targets: list[str], tag: str = "") -> list[str]:
        """Return, for each pair of texts, word numbers i-j for each target word j, from 0.

        Words that lie wholly beyond the last learned position have no pair. The network reads the sources with the tag
        before them, which is no word.
        """


_OWN = "".join(rf"\p{{Script={script}}}" for script in WITHOUT_SPACES) + "\u3000-\u303f\u30fb\u30fc\uff00-\uffef"
_UNITS = regex.compile(rf"[{_OWN}]\p{{M}}*|[^{_OWN}]+")
"""A letter of a script without spaces or an East Asian punctuation mark, with its combining marks; or other text."""


def by_attention(
    models: Sequence[PreTrainedModel], tokenizer: PreTrainedTokenizerBase, *, letters_apart: bool = False
) -> Align:
    """Return a function that aligns by the attention of a network, or by the mean of several.

    Args:
        models: one or several that share the tokenizer.
        tokenizer: shows which characters a token stands for.
        letters_apart: treat each letter of a script without spaces, such as Han and Thai, as a word. Otherwise only
            white space separates words, and a Chinese sentence is one word.

    Raises:
        ValueError: a network's attention is not found, or the tokenizer does not tell where its tokens stand.

    """
    if not tokenizer.is_fast:
        raise ValueError(
            f"words cannot be aligned: a {type(tokenizer).__name__} does not tell which characters a token stands for; "
            "leave the alignment out"
        )
    layers = [layer(len(attending(model))) for model in models]

    @torch.inference_mode()
    def align(sources: list[str], targets: list[str], tag: str = "") -> list[str]:
        inputs = [tagged(source, tag) for source in sources]
        read = tokenizer(inputs, return_offsets_mapping=True)
        written = tokenizer(targets, return_offsets_mapping=True)
        # A translation that was cut off at the last position is, with its </s>, one token longer.
        longest = min(positions(model) for model in models)
        tokens = [each[:longest] for each in written.input_ids]
        seen = [
            source_attention(model, tokenizer, read.input_ids, tokens, number)
            for model, number in zip(models, layers, strict=True)
        ]
        mean = torch.stack(seen).mean(0)  # (B, T, S)
        return [
            pharaoh(
                each[: len(tokens[i]), : len(read.input_ids[i])],
                words(targets[i], written.offset_mapping[i], letters_apart)[:longest],
                without_first(words(inputs[i], read.offset_mapping[i], letters_apart), 1 if tag else 0),
            )
            for i, each in enumerate(mean)
        ]

    return align


def layer(layers: int) -> int:
    """Return the number, from 0, of the decoder layer that alignments are read from."""
    return layers - 1 if layers < 5 else layers - 2


def spans(text: str, letters_apart: bool) -> Iterator[tuple[int, int]]:
    """Yield where each word begins and ends."""
    for match in re.finditer(r"\S+", text):
        if letters_apart:
            yield from (unit.span() for unit in _UNITS.finditer(text, *match.span()))
        else:
            yield match.span()


def words(text: str, offsets: Sequence[tuple[int, int]], letters_apart: bool) -> list[list[int]]:
    """Return the numbers, from 0, of the words that each token belongs to; none for </s> and mere white space."""
    word_of = [-1] * len(text)
    for number, (start, end) in enumerate(spans(text, letters_apart)):
        word_of[start:end] = [number] * (end - start)
    return [[word for word in dict.fromkeys(word_of[start:end]) if word >= 0] for start, end in offsets]


def without_first(words: list[list[int]], number: int) -> list[list[int]]:
    """Return the words of each token without the first ones of a text, counted from 0 behind these."""
    return [[word - number for word in each if word >= number] for each in words]


def pharaoh(weights: Tensor, target_words: list[list[int]], source_words: list[list[int]]) -> str:
    """Return "i-j" for each target word j and its source word i, given (T, S) weights and the words of T and S.

    The attention of a token that belongs to several words is split evenly among them.
    """
    (wrote, j, _), (read, i, share) = (of_tokens(each) for each in (target_words, source_words))
    if not len(i) or not len(j):
        return ""
    of_words = weights.new_zeros(int(j.max()) + 1, int(i.max()) + 1)
    of_words.index_put_((j[:, None], i[None]), weights[wrote][:, read] * share.to(weights), accumulate=True)
    return " ".join(f"{best}-{word}" for word, best in enumerate(of_words.argmax(1).tolist()))


def of_tokens(words: list[list[int]]) -> tuple[Tensor, Tensor, Tensor]:
    """Return, for each link of a token and a word, the token, the word, and the word's share of the token."""
    links = [(token, word, 1 / len(each)) for token, each in enumerate(words) for word in each]
    tokens, numbers, shares = ([link[part] for link in links] for part in range(3))
    return torch.tensor(tokens, dtype=torch.long), torch.tensor(numbers, dtype=torch.long), torch.tensor(shares)
