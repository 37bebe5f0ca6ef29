"""One batch of token ids in, the best translations of each sentence out, by `generate` of any encoder-decoder.

Shapes: B sentences, S source tokens, K beams.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel, PreTrainedTokenizerBase, StoppingCriteria, StoppingCriteriaList

from vaswani.modeling.generation_vaswani import UNBOUNDED, extra_tokens, length_limits

from .hypotheses import BatchSearch, BeamSettings, Hypothesis, one_line
from .settings import most_tokens


def by_generate(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, beams: BeamSettings, scores: bool = True, **more: Any
) -> BatchSearch:
    """Return a search with the model's own `generate`: for our network the paper's search.

    Args:
        model: any encoder-decoder.
        tokenizer: its own.
        beams: how to search.
        scores: whether to score the best hypothesis, which costs transformers' own search V numbers per beam and token.
        more: further arguments of `generate`.

    """
    generate: Any = model.generate
    asked = inspect.signature(generate).parameters.get("paper_search")  # its default, or what a partial has set
    is_paper = beams.number > 1 and asked is not None and bool(asked.default)
    settings = {"num_beams": beams.number, "do_sample": False, "return_dict_in_generate": True, **more}
    if beams.number > 1:
        # transformers' own search gives scores of whole hypotheses only together with those of every token.
        settings |= {"length_penalty": beams.length_penalty, "num_return_sequences": beams.n_best}
        settings["output_scores"] = not is_paper and (scores or beams.n_best > 1)

    @torch.inference_mode()
    def search(sources: list[list[int]]) -> list[list[Hypothesis]]:
        input_ids, mask = padded(sources, int(tokenizer.pad_token_id))
        limits = limits_of_batch(model, mask)
        output = generate(
            input_ids=input_ids.to(model.device),
            attention_mask=mask.to(model.device),
            max_new_tokens=int(limits.max()),
            # The paper's search knows each sentence's limit, and with criteria it could not drop finished sentences.
            stopping_criteria=StoppingCriteriaList([] if is_paper else [LengthLimit(limits.to(model.device))]),
            synced_gpus=False,  # or processes with ZeRO-3 would wait for each other
            **settings,
        )
        found = None if beams.number == 1 else output.sequences_scores
        values = None if found is None else found.view(len(sources), -1)
        return hypotheses(tokenizer, output.sequences.view(len(sources), beams.n_best, -1), values)

    return search


def padded(sources: list[list[int]], padding: int) -> tuple[Tensor, Tensor]:
    """Return B rows of ids and their mask, both (B, S)."""
    lengths = torch.tensor([len(source) for source in sources])
    input_ids = pad_sequence([torch.tensor(source) for source in sources], batch_first=True, padding_value=padding)
    return input_ids, (torch.arange(input_ids.shape[1]) < lengths[:, None]).long()


def hypotheses(tokenizer: PreTrainedTokenizerBase, tokens: Tensor, scores: Tensor | None) -> list[list[Hypothesis]]:
    """Turn the N best of B sentences, (B, N, L) tokens and (B, N) scores, into text; -inf means no hypothesis."""
    texts = tokenizer.batch_decode(tokens.flatten(0, 1), skip_special_tokens=True, clean_up_tokenization_spaces=False)
    n_best = tokens.shape[1]
    values: list[float | None] = [None] * len(texts) if scores is None else scores.flatten().tolist()
    found = [Hypothesis(one_line(text), value) for text, value in zip(texts, values, strict=True)]
    rows = [found[first : first + n_best] for first in range(0, len(found), n_best)]
    return [[row[0], *(each for each in row[1:] if each.score != float("-inf"))] for row in rows]


def positions(model: PreTrainedModel) -> int:
    """Return how many tokens a source or a translation may have: a position table is finite, sinusoids are not."""
    config: Any = model.config
    if getattr(config, "positions", None) == "sinusoidal":
        return UNBOUNDED
    return int(getattr(config, "max_positions", None) or getattr(config, "max_position_embeddings", None) or UNBOUNDED)


def limits_of_batch(model: PreTrainedModel, mask: Tensor) -> Tensor:
    """Return how many tokens the translation of each source may have, (B,), given the sources' (B, S) mask."""
    settings = model.generation_config
    return length_limits(mask.sum(1), extra_tokens(settings), min(positions(model), most_tokens(settings)))


class LengthLimit(StoppingCriteria):
    """Ends each sentence of a batch at its own number of tokens, whatever the number of beams."""

    def __init__(self, limits: Tensor):
        self.limits = limits  # (B,), without the start token

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Tensor:  # noqa: ARG002 - called by name
        """Return which of the B * beams rows have reached the limit of their sentence."""
        reached = input_ids.shape[1] - 1 >= self.limits  # (B,)
        return reached.repeat_interleave(len(input_ids) // len(reached))  # (B * beams,)


@contextmanager
def evaluating(*models: nn.Module) -> Iterator[None]:
    """Switch dropout off inside; afterwards each part has its earlier mode, also parts that the caller had frozen."""
    training = [module for model in models for module in model.modules() if module.training]
    for model in models:
        model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
