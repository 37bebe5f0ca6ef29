"""How probable a given translation is to a network: for filtering text, and for judging it.

Shapes: B pairs, S source tokens, T target tokens, V tokens.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from .batches import batches, encode
from .longest_text import longest_token, most_characters
from .search import evaluating, padded, positions

MOST_TOKENS = 4096
"""Of a text: as `vaswani translate` allows by default."""


class Judged(NamedTuple):
    """The probability of one translation."""

    log_p: float
    """Natural logarithm of its probability, its end included."""
    tokens: int
    """Of the translation, with </s>."""

    @property
    def cross_entropy(self) -> float:
        """-log P a token, in nats."""
        return -self.log_p / self.tokens


def judge_pairs(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    sources: Sequence[str],
    targets: Sequence[str],
    tokens_per_batch: int = 2048,
) -> list[Judged | None]:
    """Return the probability of each target given its source, in their order.

    None stands for a pair that was not judged: its source is blank, or one of its texts is longer than MOST_TOKENS, or
    than the network can read.

    Args:
        model: any encoder-decoder, on any device, in either mode, which is restored.
        tokenizer: its own; closes a sentence with </s> by itself.
        sources: a line each.
        targets: as many lines; a blank one is an end alone.
        tokens_per_batch: most tokens in a batch on the longer side, padding counted; a longer pair goes alone.

    """
    most = most_tokens(model)
    characters = most_characters(longest_token(tokenizer), most)
    fit = [max(map(len, pair)) <= characters for pair in zip(sources, targets, strict=True)]
    ids = encode(tokenizer, [text if fits else "" for text, fits in zip(sources, fit, strict=True)])
    texts = [text if fits else "" for text, fits in zip(targets, fit, strict=True)]
    labels = tokenizer(text_target=texts).input_ids if texts else []
    longer = [max(len(source), len(label)) if source else 0 for source, label in zip(ids, labels, strict=True)]
    lengths = [length if length <= most else 0 for length in longer]
    found: list[Judged | None] = [None] * len(ids)
    with evaluating(model), torch.inference_mode():
        for places in batches(lengths, tokens_per_batch):
            log_p = log_probabilities(model, tokenizer, [ids[at] for at in places], [labels[at] for at in places])
            for place, value in zip(places, log_p.tolist(), strict=True):
                found[place] = Judged(value, len(labels[place]))
    return found


def most_tokens(model: PreTrainedModel) -> int:
    """Return how many tokens a text may have that is judged."""
    return min(MOST_TOKENS, positions(model))


def log_probabilities(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, sources: list[list[int]], targets: list[list[int]]
) -> Tensor:
    """Return log P of each target, (B,), in float32 at least."""
    input_ids, mask = (each.to(model.device) for each in padded(sources, int(tokenizer.pad_token_id)))
    labels = pad_sequence([torch.tensor(each) for each in targets], batch_first=True, padding_value=-100)
    labels = labels.to(model.device)
    network: Any = model
    logits = network(input_ids=input_ids, attention_mask=mask, labels=labels).logits  # (B, T, V)
    exact = torch.promote_types(logits.dtype, torch.float32)
    of_labels = logits.log_softmax(-1, dtype=exact).gather(2, labels.clamp(min=0)[..., None])[..., 0]
    return of_labels.masked_fill(labels == -100, 0).sum(1)
