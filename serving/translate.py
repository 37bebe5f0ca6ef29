"""Translate lines with any encoder-decoder that has `generate`.

Shapes: B sentences, S source tokens.
"""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase, StoppingCriteria, StoppingCriteriaList

from vaswani.modeling.generation_vaswani import extra_symbols


def translate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    lines: Sequence[str],
    *,
    num_beams: int = 4,
    length_penalty: float = 0.6,
    tokens_per_batch: int = 4096,
    progress: bool = False,
) -> list[str]:
    """Translate each line; the result has as many lines, in the same order, and none holds a line end.

    A blank line gives an empty one and never reaches the model. Every sentence has its own limit of input + 50 tokens
    (section 6.1, both counted with </s>), or as many more as the model's generation configuration has `extra_symbols`,
    so a translation does not depend on the lines beside it. The search is that of the model's `generate`: for our own
    network the paper's.

    Args:
        model: on any device, in either mode; it is left in the mode it came in.
        tokenizer: closes a sentence with </s> by itself.
        lines: one sentence or paragraph each, of any length that the model's positions allow.
        num_beams: 1 is greedy search.
        length_penalty: alpha; larger favours longer translations.
        tokens_per_batch: most source tokens in a batch, padding counted, times beams; a longer line goes alone.
        progress: draw a bar on stderr.

    Raises:
        ValueError: a count that is not positive.
    """
    if num_beams < 1 or tokens_per_batch < 1:
        raise ValueError(f"num_beams is {num_beams} and tokens_per_batch is {tokens_per_batch}: both are at least 1")
    full = [place for place, line in enumerate(lines) if line.strip()]
    sources: list[list[int]] = tokenizer([lines[place] for place in full]).input_ids if full else []
    search: dict[str, Any] = {"num_beams": num_beams, "do_sample": False}
    if num_beams > 1:
        search["length_penalty"] = length_penalty

    translations = [""] * len(lines)
    with evaluating(model), torch.inference_mode(), tqdm(total=len(full), unit=" lines", disable=not progress) as bar:
        for batch in batches([len(source) for source in sources], tokens_per_batch // num_beams):
            texts = generate(model, tokenizer, [sources[i] for i in batch], search)
            for i, text in zip(batch, texts, strict=True):
                translations[full[i]] = text.replace("\r", " ").replace("\n", " ")
            bar.update(len(batch))
    return translations


def generate(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, sources: list[list[int]], search: dict[str, Any]
) -> list[str]:
    """Translate one batch of token ids, B rows of their own lengths, into B texts."""
    lengths = torch.tensor([len(source) for source in sources])  # (B,)
    input_ids = pad_sequence(
        [torch.tensor(source) for source in sources], batch_first=True, padding_value=int(tokenizer.pad_token_id)
    )  # (B, S)
    attention_mask = (torch.arange(input_ids.shape[1]) < lengths[:, None]).long()  # (B, S)
    generate: Any = model.generate
    limits_itself = search["num_beams"] > 1 and "paper_search" in inspect.signature(generate).parameters
    more = extra_symbols(model.generation_config)
    own_limit = OwnLimit(lengths.to(model.device) + more)
    output = generate(
        input_ids=input_ids.to(model.device),
        attention_mask=attention_mask.to(model.device),
        max_new_tokens=int(lengths.max()) + more,
        stopping_criteria=StoppingCriteriaList([] if limits_itself else [own_limit]),
        synced_gpus=False,  # each process has a whole model and its own number of lines; ZeRO-3 would have them wait
        **search,
    )
    return tokenizer.batch_decode(output, skip_special_tokens=True, clean_up_tokenization_spaces=False)


class OwnLimit(StoppingCriteria):
    """Ends each sentence of a batch at its own number of tokens, whatever the number of beams."""

    def __init__(self, limits: Tensor):
        self.limits = limits  # (B,), without the start token

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Tensor:  # noqa: ARG002 - called by name
        """Say which of the B * beams rows have reached the limit of their sentence."""
        reached = input_ids.shape[1] - 1 >= self.limits  # (B,)
        return reached.repeat_interleave(len(input_ids) // len(reached))  # (B * beams,)


def batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Cut places into batches of like length, longest first, each within `budget` tokens once padded, or of one place.

    Longest first: if memory does not suffice, the first batch says so.
    """
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > budget:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Dropout off inside; afterwards each part is as it was, parts that the caller had frozen included."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
