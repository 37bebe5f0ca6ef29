"""Several models as one: the paper's search over the mean of their probabilities.

It is the arithmetic mean, of probabilities and not of their logarithms, as in fairseq (Marian adds logarithms). So a
token that one member is sure of stays likely, whatever the others predict.

Shapes: B sentences, S source tokens, K beams, n hypotheses that run, V = vocab_size.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerFast
from transformers.cache_utils import EncoderDecoderCache

from vaswani.data.tokenizer import fingerprint
from vaswani.modeling import VaswaniConfig
from vaswani.modeling.generation_vaswani import length_limits
from vaswani.modeling.search_vaswani import CACHE, SearchState, beam_search, follow, start

from .hypotheses import BatchSearch, BeamSettings, Hypothesis
from .search import hypotheses, padded, positions
from .settings import GenerationSettings, generation_settings


def check_members(models: Sequence[PreTrainedModel], tokenizers: Sequence[PreTrainedTokenizerFast]) -> None:
    """Raise ValueError unless all models are networks of this package with the same vocabulary.

    A single model may be any.
    """
    kinds = [(model.name_or_path, model.config.model_type) for model in models if len(models) > 1]
    if foreign := [f"{name} is a {kind} model" for name, kind in kinds if kind != VaswaniConfig.model_type]:
        raise ValueError(
            f"{', '.join(foreign)}: an ensemble takes only networks of this package; leave it out, or translate with "
            "it alone"
        )
    for model, tokenizer in zip(models[1:], tokenizers[1:], strict=True):
        same_text = fingerprint(tokenizer) == fingerprint(tokenizers[0])
        if not same_text or model.config.vocab_size != models[0].config.vocab_size:
            raise ValueError(
                f"{model.name_or_path} has another vocabulary ({len(tokenizer):,} tokens) than "
                f"{models[0].name_or_path} ({len(tokenizers[0]):,}): an ensemble averages the probabilities of the "
                "same tokens, so train its members with one tokenizer.json"
            )


def by_ensemble(
    models: Sequence[PreTrainedModel], tokenizer: PreTrainedTokenizerFast, beams: BeamSettings
) -> BatchSearch:
    """Return the paper's search over the mean probability of several networks of this package.

    Raises:
        ValueError: greedy search is asked for, or the models are saved with different settings, or with some that only
            `generate` supports.

    """
    if beams.number == 1:
        raise ValueError("1 beam is greedy search, which takes one model; give an ensemble 2 beams or more")
    first, longest = settings_in_common(models)
    ends = torch.tensor(first.ends, device=models[0].device)

    @torch.inference_mode()
    def search(sources: list[list[int]]) -> list[list[Hypothesis]]:
        input_ids, mask = (each.to(models[0].device) for each in padded(sources, first.padding))
        kept = [inputs(model, input_ids, mask) for model in models]
        prompt = input_ids.new_full((len(sources), 1, 1), first.start)
        limits = length_limits(mask.sum(1), first.extra_tokens, longest)
        dtype = torch.promote_types(kept[0]["encoder_outputs"][0].dtype, torch.float32)
        begun = start(prompt, limits, beams.number, first.padding, dtype)
        found = beam_search(
            lambda state: first.obeyed(mean_log_p(models, kept, state), state),
            begun,
            1,
            ends,
            beams.length_penalty,
            beams.n_best,
        )
        return hypotheses(tokenizer, found.tokens, found.scores)

    return search


def settings_in_common(models: Sequence[PreTrainedModel]) -> tuple[GenerationSettings, int]:
    """Return the settings that networks of this package translate with, and the most tokens of a translation.

    Raises:
        ValueError: they are saved with different settings, or with some that only `generate` supports.

    """
    first, *others = (generation_settings(model.generation_config, model.name_or_path) for model in models)
    for model, its in zip(models[1:], others, strict=True):
        if its != first:
            raise ValueError(
                f"{model.name_or_path} translates with {its} and {models[0].name_or_path} with {first}: an ensemble "
                "needs the same settings; make the generation_config.json of its members alike"
            )
    return first, min(first.most_tokens, *(positions(model) for model in models))


def inputs(model: PreTrainedModel, input_ids: Tensor, mask: Tensor) -> dict[str, Any]:
    """Return what one member keeps for a batch: its encoding of the (B, S) sources, and caches."""
    caches = EncoderDecoderCache(DynamicCache(config=model.config), DynamicCache(config=model.config))
    encoder: Any = model.get_encoder()
    return {"encoder_outputs": encoder(input_ids, mask), "attention_mask": mask, CACHE: caches}


def mean_log_p(models: Sequence[PreTrainedModel], kept: Sequence[dict[str, Any]], search: SearchState) -> Tensor:
    """Return the logarithm of the members' mean probability of each next token, (B, n, V)."""
    last = search.running.tokens[:, :, search.length].flatten()[:, None]
    log_p = []
    for model, each in zip(models, kept, strict=True):
        if search.length:
            follow(search, each)
        logits = model(decoder_input_ids=last, use_cache=True, **each).logits[:, -1]
        log_p.append(logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1))
    mean = torch.stack(log_p).logsumexp(0) - math.log(len(models))
    return mean.unflatten(0, search.rows.shape)
