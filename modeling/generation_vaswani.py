"""`generate` with the search of section 6.1: its arguments, and the calls of our network step by step.

`generate` of `VaswaniForConditionalGeneration` calls `paper_search` wherever it would search with beams. A translation
of S source tokens may have S + 50, whatever else is in the batch. This file travels with every saved model, so it
imports nothing but torch, transformers and its neighbours.

Shapes: B sentences, S source tokens, D = d_model, K beams, N hypotheses asked for of each sentence, P tokens of the
prompt, L of the longest hypothesis with its prompt, V = vocab_size.
"""

import copy
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers.generation.logits_process import ForcedEOSTokenLogitsProcessor, LogitsProcessorList
from transformers.generation.stopping_criteria import (
    EosTokenCriteria,
    MaxLengthCriteria,
    MaxTimeCriteria,
    StoppingCriteriaList,
    StopStringCriteria,
)
from transformers.generation.utils import GenerateBeamEncoderDecoderOutput
from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled
from transformers.integrations.fsdp import is_fsdp_managed_module
from transformers.modeling_outputs import BaseModelOutput

from .search_vaswani import NEVER, Hypotheses, SearchState, StopSignal, beam_search, follow, force_end, start

EXTRA_TOKENS = 50
"""How much longer than its source a translation may be (section 6.1), where `extra_tokens` does not say otherwise."""

LIMITS = ("extra_tokens", "extra_symbols")
"""The setting's name, and its name in models saved before 2026-11-29."""

UNBOUNDED = 2**62
"""Sinusoids have no last position."""

PROMPTS = ("decoder_input_ids", "decoder_inputs_embeds")

OF_ANOTHER_SEARCH = (
    "penalty_alpha",
    "dola_layers",
    "diversity_penalty",
    "prompt_lookup_num_tokens",
    "assistant_early_exit",
    "use_mtp",
)
"""Arguments for contrastive search, DoLa, groups of beams or speculation; the beam search of transformers ignores them
too, at most with a warning."""


@torch.no_grad()
def paper_search(
    model: Any,
    input_ids: Tensor,
    logits_processor: Any,
    stopping_criteria: Any,
    generation_config: Any,
    synced_gpus: bool = False,
    **model_kwargs: Any,
) -> Any:
    """Search as the paper did; called by `generate`, which prepares the arguments.

    Args:
        model: an encoder-decoder.
        input_ids: prompt of the decoder, `[B * K, P]`.
        logits_processor: applied to log P of the next tokens, as by the search of transformers; but a forced end
            (`forced_eos_token_id`) comes at each sentence's own limit, not at that of the longest.
        stopping_criteria: hypotheses that they end count as ended by an end token; those stopped by a time limit are
            cut off.
        generation_config: `num_beams`, `num_return_sequences`, `length_penalty` (alpha), `max_length`, and perhaps
            `extra_tokens`; `early_stopping=True` is done with a sentence as soon as K hypotheses ended, False and
            "never" when none that runs can overtake any more.
        synced_gpus: whether all processes must go on until the last is done (ZeRO-3, FSDP).
        **model_kwargs: `encoder_outputs` `[B * K, S, D]`, `attention_mask` `[B * K, S]`, the cache.

    Returns:
        Tokens `[B * N, <= L]`, best first, or with `return_dict_in_generate` the same with their scores (which are
        cheap, and need no `output_scores`) and what else was asked for; not the caches, since sentences left them.

    Raises:
        ValueError: attentions or hidden states of the decoder are asked for.

    """
    config = generation_config
    if config.output_attentions or config.output_hidden_states:
        raise ValueError(
            "the paper's search does not keep attentions and hidden states; get them by a forward pass over the "
            "translation, or search with paper_search=False"
        )
    beams, prompt, kwargs = config.num_beams, input_ids.shape[1], model_kwargs
    encoded, mask = kwargs["encoder_outputs"][0][::beams], kwargs.get("attention_mask")  # the beams share one source
    mask = encoded.new_ones(encoded.shape[:2], dtype=torch.int64) if mask is None else mask[::beams]
    kwargs |= {"encoder_outputs": BaseModelOutput(encoded), "attention_mask": mask}
    stopping = sort_out(stopping_criteria)
    least, longest = max(0, (config.min_length or 0) - prompt), min(stopping.longest - prompt, positions(model, prompt))
    limits = length_limits(mask.sum(-1), extra_tokens(config), longest, least).to(input_ids.device)
    ends = torch.tensor(stopping.ends, dtype=input_ids.dtype, device=input_ids.device)
    forced = next((each for each in logits_processor if isinstance(each, ForcedEOSTokenLogitsProcessor)), None)
    logits_processor = LogitsProcessorList([each for each in logits_processor if each is not forced])
    together = bool(stopping.ending or stopping.cutting or logits_processor)  # which may count on the batch's rows
    if not together and kwargs.get("decoder_attention_mask") is not None:
        kwargs["decoder_attention_mask"] = kwargs["decoder_attention_mask"][::beams]
    log_p_of_steps: list[Tensor] = []
    logits_of_steps: list[Tensor] = []

    def written(search: SearchState) -> Tensor:
        return search.running.tokens[:, :, : prompt + search.length].flatten(0, 1)

    def read(search: SearchState) -> Tensor:
        nonlocal kwargs
        if search.length:
            follow(search, kwargs)
        model._has_unfinished_sequences(False, synced_gpus, device=input_ids.device)  # tells the other processes
        inputs = model.prepare_inputs_for_generation(
            written(search),
            next_sequence_length=1 if search.length and kwargs["use_cache"] else None,
            is_first_iteration=not search.length,
            **kwargs,
        )
        outputs = model(**inputs, return_dict=True)
        kwargs = model._update_model_kwargs_for_generation(outputs, kwargs, is_encoder_decoder=True)
        logits = outputs.logits[:, -1]  # where weights are spread, on the last device
        logits = logits.to(input_ids.device, torch.promote_types(logits.dtype, torch.float32))
        log_p = logits_processor(written(search), logits.log_softmax(-1))
        if forced is not None:
            by_sentence = log_p.unflatten(0, search.rows.shape)
            log_p = force_end(by_sentence, search, forced.eos_token_id.to(log_p.device)).flatten(0, 1)
        if config.return_dict_in_generate and config.output_scores:
            log_p_of_steps.append(in_batch(log_p, search, len(encoded), beams))
        if config.return_dict_in_generate and config.output_logits:
            logits_of_steps.append(in_batch(logits, search, len(encoded), beams))
        return log_p.unflatten(0, search.rows.shape)

    def signal_of(criteria: list[Any]) -> StopSignal | None:
        def stopped(hypotheses: Tensor) -> Tensor:
            found = StoppingCriteriaList(criteria)(hypotheses.flatten(0, 1), log_p_of_steps or None)
            return found.view(hypotheses.shape[:2])

        return stopped if criteria else None

    search = start(
        input_ids.view(len(encoded), beams, prompt)[:, : beams if together else 1],
        limits,
        beams,
        int(config._pad_token_tensor),
        torch.promote_types(encoded.dtype, torch.float32),
    )
    wanted, alpha = config.num_return_sequences, config.length_penalty
    is_ended, is_cut, early = signal_of(stopping.ending), signal_of(stopping.cutting), config.early_stopping is True
    found = beam_search(read, search, prompt, ends, alpha, wanted, is_ended, is_cut, together, early)
    while synced_gpus and model._has_unfinished_sequences(True, True, device=input_ids.device):
        # Another process needs the forward passes of this one.
        model(decoder_input_ids=input_ids[:1], encoder_outputs=BaseModelOutput(encoded[:1]), use_cache=False)

    # Where fewer were allowed than asked for, the rest was made of what is forbidden.
    allowed = (found.scores > NEVER)[:, :, None] | (torch.arange(found.tokens.shape[2], device=ends.device) < prompt)
    found = found._replace(
        tokens=found.tokens.where(allowed, config._pad_token_tensor.to(found.tokens)),
        parents=found.parents.where(allowed, -1),
    )
    length = prompt + int((found.parents[:, :, prompt:] >= 0).sum(-1).max())
    sequences = found.tokens[:, :, :length].flatten(0, 1)
    if not config.return_dict_in_generate:
        return sequences
    kept: dict[str, Any] = {"scores": tuple(log_p_of_steps) or None, "logits": tuple(logits_of_steps) or None}
    kept |= {"sequences": sequences, "sequences_scores": found.scores.flatten()}
    kept["beam_indices"] = rows_of(found, beams)[:, prompt:length]
    return GenerateBeamEncoderDecoderOutput(**kept)


class Stopping(NamedTuple):
    """The stopping criteria of `generate`, by their effect on this search."""

    longest: int
    """Most tokens, including the prompt."""
    ends: list[int]
    """The end tokens."""
    ending: list[Any]
    """Those that end a hypothesis because of its contents."""
    cutting: list[Any]
    """Those that cut it off because of time."""


def sort_out(criteria: Any) -> Stopping:
    """Sort stopping criteria; the user's own replace those of the configuration."""
    longest = min(each.max_length for each in criteria if isinstance(each, MaxLengthCriteria))
    ends = [end for each in criteria if isinstance(each, EosTokenCriteria) for end in each.eos_token_id.tolist()]
    cutting = [each for each in criteria if isinstance(each, MaxTimeCriteria)]
    known = MaxLengthCriteria | EosTokenCriteria | MaxTimeCriteria
    return Stopping(longest, ends, [each for each in criteria if not isinstance(each, known)], cutting)


def prepare_generate(model: Any, inputs: Tensor | None, asked: dict[str, Any], paper: bool) -> dict[str, Any]:
    """Return the arguments for `GenerationMixin.generate`, given the user's arguments for ours.

    Args:
        model: the one that is to translate.
        inputs: the source, if it was given without a name.
        asked: every argument by name.
        paper: whether to search as the paper did where beams are asked for.

    """
    asked = name_limit(asked, model.generation_config)
    given = asked.get("generation_config")

    def setting(name: str) -> Any:
        found = asked.get(name), getattr(given, name, None), getattr(model.generation_config, name, None)
        return next((value for value in found if value is not None), None)

    arranged = dict(asked)
    source = next((asked[name] for name in ("input_ids", "inputs_embeds") if asked.get(name) is not None), inputs)
    if source is None and asked.get("encoder_outputs") is not None:
        source = asked["encoder_outputs"][0]
    check_padding(asked.get("attention_mask"), source, setting("pad_token_id"))
    check_prompt(asked.get("decoder_attention_mask"))
    prompt = next((asked[name].shape[1] for name in PROMPTS if asked.get(name) is not None), 1)
    if source is not None and setting("max_new_tokens") is None and setting("max_length") is None:
        least = max(setting("min_new_tokens") or 0, (setting("min_length") or 0) - prompt)
        more = next((value for value in map(setting, LIMITS) if value is not None), EXTRA_TOKENS)
        limit = length_limits(torch.tensor(source.shape[1]), more, positions(model, prompt), least)
        arranged["max_new_tokens"] = int(limit)
    elsewhere = ("do_sample", "assistant_model", "custom_generate", "constraints", "force_words_ids")
    with_beams = (setting("num_beams") or 1) > 1 and (setting("num_beam_groups") or 1) == 1
    if paper and with_beams and not any(setting(name) for name in elsewhere):
        for name, value in ((name, setting(name)) for name in OF_ANOTHER_SEARCH):
            if value:
                raise ValueError(
                    f"{name}={value!r} belongs to another search than the one with beams, which would ignore it: give "
                    "num_beams=1 with it, or leave it out"
                )
        # `generate` decides whether processes wait for each other, but does not tell a function that it is given.
        synced = asked.get("synced_gpus")
        if synced is None:
            spread = is_deepspeed_zero3_enabled() or is_fsdp_managed_module(model)
            synced = spread and torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1
        arranged["custom_generate"] = partial(paper_search, synced_gpus=synced)
        arranged |= prepare_stopping(model, arranged)
    return arranged


def prepare_stopping(model: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """Return replacements for some arguments: `generate` passes functions neither tokenizer nor streamer.

    Raises:
        ValueError: stop strings or a streamer are asked for in an unsupported way.

    """
    if asked.get("streamer") is not None:
        raise ValueError("a streamer cannot follow a search with beams, which may change its mind; use num_beams=1")
    if getattr(model.generation_config, "stop_strings", None) is not None:
        raise ValueError(
            "the model is saved with stop_strings, which the paper's search takes only from the call: set "
            "model.generation_config.stop_strings = None and call generate(stop_strings=..., tokenizer=...), or "
            "search with paper_search=False"
        )
    given, strings, tokenizer = (asked.get(name) for name in ("generation_config", "stop_strings", "tokenizer"))
    strings = strings if strings is not None else getattr(given, "stop_strings", None)
    if strings is None or tokenizer is None:  # without a tokenizer, `generate` says what to do
        return {}
    if given is not None:
        given = copy.copy(given)
        given.stop_strings = None
    criteria = StoppingCriteriaList(asked.get("stopping_criteria") or [])
    criteria.append(StopStringCriteria(stop_strings=strings, tokenizer=tokenizer))
    return {"generation_config": given, "stop_strings": None, "stopping_criteria": criteria}


def is_padded_left(mask: Tensor | None) -> bool:
    """Return whether a row of a mask `[B, T]` begins with padding, and is not all padding."""
    return mask is not None and mask.dim() == 2 and mask.shape[1] > 0 and bool((mask[:, 0] < mask.amax(1)).any())


def check_prompt(mask: Tensor | None) -> None:
    """Raise ValueError if a prompt of the decoder `[B, P]` is padded on its left."""
    if is_padded_left(mask):
        raise ValueError(
            "a prompt of the decoder is padded on its left, where positions are counted from (section 3.5); give "
            "prompts of one length together"
        )


def check_padding(mask: Tensor | None, source: Tensor | None, padding: int | None) -> None:
    """Raise ValueError if a source `[B, S]` is padded on its left.

    Args:
        mask: where it is not padding; None, then `generate` tells by the ids.
        source: ids, or embeddings, of which nothing can be told.
        padding: the id of padding.

    """
    if mask is None and source is not None and source.dim() == 2 and padding is not None:
        mask = (source != padding).long()
    if is_padded_left(mask):
        raise ValueError(
            "a source is padded on its left, where positions are counted from (section 3.5); pad on the right: "
            "tokenizer.padding_side = 'right'"
        )


def positions(model: Any, prompt: int) -> int:
    """Return how many tokens may follow a prompt: a position table is finite, sinusoids are not."""
    config = model.config
    # The last token that is written is not read again.
    return int(config.max_positions) + 1 - prompt if config.positions == "learned" else UNBOUNDED


def name_limit(asked: dict[str, Any], saved: Any) -> dict[str, Any]:
    """Return the arguments of `generate` with the limit under the name that it will look for.

    Args:
        asked: every argument by name.
        saved: the model's `generation_config`.

    """
    given = asked.get("generation_config")
    said = [asked[name] for name in LIMITS if asked.get(name) is not None]
    known = [name for name in LIMITS if hasattr(given, name) or hasattr(saved, name)]  # it takes no other arguments
    if said and not known:  # a configuration may hold what is no argument
        given = copy.copy(saved if given is None else given)
        setattr(given, LIMITS[0], said[0])
        return {name: value for name, value in asked.items() if name not in LIMITS} | {"generation_config": given}
    if said:
        return {name: value for name, value in asked.items() if name not in LIMITS} | dict.fromkeys(known, said[0])
    new, old = (getattr(given, name, None) for name in LIMITS)
    if new is None and old is not None:  # or the model's own under the new name would be taken
        given = copy.copy(given)
        setattr(given, LIMITS[0], old)
        return asked | {"generation_config": given}
    return asked


def length_limits(source_tokens: Tensor, more: int, longest: int, least: int = 0) -> Tensor:
    """Return the most tokens of translations, of the shape of `source_tokens`: S + 50 (section 6.1).

    Args:
        source_tokens: S of each source, with its end.
        more: than its source a translation may have, `extra_tokens`.
        longest: the most tokens, whatever the source.
        least: a shorter source counts as having this many.

    """
    return (source_tokens.clamp(min=least) + more).clamp(max=longest)


def extra_tokens(generation_config: Any) -> int:
    """Return how much longer than its source an output may be: 50, or the saved setting (trees: 300)."""
    found = (getattr(generation_config, name, None) for name in LIMITS)
    return int(next((value for value in found if value is not None), EXTRA_TOKENS))


def in_batch(values: Tensor, search: SearchState, sentences: int, beams: int) -> Tensor:
    """Put `[B * n, V]` of a step in its places in the whole batch, `[sentences * K, V]`, with 0 elsewhere."""
    rows = search.sentences[:, None] * beams + torch.arange(search.rows.shape[1], device=values.device)
    return values.new_zeros(sentences * beams, values.shape[1]).index_copy(0, rows.flatten(), values)


def rows_of(found: Hypotheses, beams: int) -> Tensor:
    """Return `[B * N, L]`: the row of the batch that each token lengthened, -1 where there is none."""
    first = torch.arange(len(found.tokens), device=found.tokens.device)[:, None, None] * beams
    return torch.where(found.parents < 0, -1, found.parents + first).flatten(0, 1)


__all__ = ["UNBOUNDED", "extra_tokens", "length_limits", "paper_search", "prepare_generate"]
