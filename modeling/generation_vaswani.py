"""The search of section 6.1: beams with the length penalty of GNMT (Wu et al. 2016, equation 14), as functions.

`generate` of `VaswaniForConditionalGeneration` calls `paper_search` wherever it would search with beams. This file
travels with every saved model, so it imports nothing but torch and transformers.

What differs from the search of transformers: a hypothesis Y of |Y| symbols (its end symbol counted, the start symbol
not) scores log P(Y) / ((5 + |Y|) / 6)^alpha; a sentence of S source symbols may become S + 50 long, whatever stands
beside it; each of the best 2K continuations may end a hypothesis; hypotheses that the limit cut off count only where
none ended; and a sentence is done when no running hypothesis can overtake any more, not sooner and not later.

Shapes: B sentences, S source symbols, D = d_model, K beams, N hypotheses asked for of each sentence, P symbols of the
prompt, L of the longest hypothesis with its prompt, V = vocab_size.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers.cache_utils import EncoderDecoderCache
from transformers.generation.stopping_criteria import EosTokenCriteria, MaxLengthCriteria
from transformers.generation.utils import GenerateBeamEncoderDecoderOutput

EXTRA_SYMBOLS = 50
"""How much longer than its source a translation may be (section 6.1)."""

NEVER = float("-inf")


class Hypotheses(NamedTuple):
    """K hypotheses for each of B sentences, best first."""

    symbols: Tensor  # [B, K, L], the prompt first, padding after the end
    parents: Tensor  # [B, K, L], which of the K each symbol lengthened; -1 in the prompt and after the end
    scores: Tensor  # [B, K], -inf where there is none

    def select(self, which: Tensor) -> "Hypotheses":
        """Return the hypotheses `which` `[B, n]` of each sentence."""
        rows = which[:, :, None].expand(-1, -1, self.symbols.shape[2])
        return Hypotheses(self.symbols.gather(1, rows), self.parents.gather(1, rows), self.scores.gather(1, which))


class Search(NamedTuple):
    """The state of a search."""

    running: Hypotheses
    """Those that go on; their scores are log P, without penalty."""
    ended: Hypotheses
    """The best of those with an end symbol; their scores carry the penalty."""
    cut: Hypotheses
    """The best of those that a limit ended, likewise."""
    length: int
    """Symbols of a running hypothesis, the prompt not counted."""


def penalty(length: Tensor | int, alpha: float) -> Tensor:
    """Return ((5 + length) / 6)^alpha, by which log P is divided."""
    return ((5 + torch.as_tensor(length, dtype=torch.float64)) / 6) ** alpha


def start(prompt: Tensor, beams: int, longest: int, padding: int, dtype: torch.dtype) -> Search:
    """Return the search before its first step.

    Args:
        prompt: `[B * K, P]`, the start symbol, or what a translation has to begin with.
        beams: K.
        longest: symbols that a hypothesis may have after its prompt.
        padding: what stands where nothing was written.
        dtype: of the scores.

    """
    sentences, length = len(prompt) // beams, prompt.shape[1]
    symbols = prompt.new_full((sentences, beams, length + longest), padding)
    symbols[:, :, :length] = prompt.view(sentences, beams, length)
    none = torch.full((sentences, beams), NEVER, dtype=dtype, device=prompt.device)
    log_p = none.clone()
    log_p[:, 0] = 0.0  # the beams are still one and the same hypothesis
    parents = torch.full_like(symbols, -1)
    running, ended, cut = (Hypotheses(symbols, parents, scores) for scores in (log_p, none, none))
    return Search(running, ended, cut, length=0)


def step(search: Search, log_p: Tensor, prompt: int, ends: Tensor, alpha: float) -> Search:
    """Lengthen every running hypothesis by a symbol, and set those aside that ended.

    Args:
        search: the state so far.
        log_p: `[B, K, V]`, of each next symbol.
        prompt: P, its length.
        ends: `[E]`, the end symbols.
        alpha: of the penalty.

    """
    sentences, beams, symbols = log_p.shape
    # E end symbols can take E * K places among the best, and K others have to be left to go on with.
    candidates = min(max(2, 1 + len(ends)) * beams, beams * symbols)
    best, place = (search.running.scores[:, :, None] + log_p).flatten(1).topk(candidates, dim=1)
    parent, symbol = place // symbols, place % symbols
    grown = search.running.select(parent)
    grown.symbols[:, :, prompt + search.length] = symbol
    grown.parents[:, :, prompt + search.length] = parent
    length = search.length + 1
    is_end = torch.isin(symbol, ends)
    with_penalty = best / penalty(length, alpha).to(best)
    ended = merge(search.ended, grown._replace(scores=with_penalty.masked_fill(~is_end, NEVER)))
    going_on = best.masked_fill(is_end, NEVER)
    missing = beams - min(beams, candidates)
    if missing:  # a vocabulary smaller than the beam
        grown = grown.select(torch.arange(beams, device=best.device).clamp(max=candidates - 1).expand(sentences, -1))
        going_on = torch.nn.functional.pad(going_on, (0, missing), value=NEVER)
    scores, which = going_on.topk(beams, dim=1)
    return Search(grown.select(which)._replace(scores=scores), ended, search.cut, length)


def cut_off(search: Search, where: Tensor, alpha: float) -> Search:
    """Set running hypotheses aside as cut off where `where` `[B, K]` holds."""
    log_p = search.running.scores
    with_penalty = (log_p / penalty(search.length, alpha).to(log_p)).masked_fill(~where, NEVER)
    cut = merge(search.cut, search.running._replace(scores=with_penalty))
    return search._replace(running=search.running._replace(scores=log_p.masked_fill(where, NEVER)), cut=cut)


def merge(one: Hypotheses, other: Hypotheses) -> Hypotheses:
    """Return the best K of two sets, K those of the first."""
    both = Hypotheses(*(torch.cat(pair, dim=1) for pair in zip(one, other, strict=True)))
    return both.select(both.scores.topk(one.scores.shape[1], dim=1).indices)


def is_done(search: Search, wanted: int, limits: Tensor, alpha: float) -> Tensor:
    """Tell for each sentence `[B]` whether no running hypothesis can still come among the best `wanted` that ended.

    log P only falls, so what a hypothesis can still reach is its log P now, under the largest penalty on the way: that
    of its limit (`limits` `[B]`), or for a negative alpha that of the next step.
    """
    log_p = search.running.scores[:, 0]  # the best, as topk sorts
    furthest = torch.maximum(penalty(search.length + 1, alpha).to(limits.device), penalty(limits, alpha)).to(log_p)
    return (log_p == NEVER) | (search.ended.scores[:, wanted - 1] >= log_p / furthest)


def finish(search: Search, wanted: int) -> Hypotheses:
    """Return the best `wanted` hypotheses: those that ended, and only then those that were cut off."""
    both = Hypotheses(*(torch.cat(pair, dim=1) for pair in zip(search.ended, search.cut, strict=True)))
    beams = search.ended.scores.shape[1]
    ended = (search.ended.scores > NEVER).sum(1, keepdim=True)
    place = torch.arange(wanted, device=ended.device).expand(len(ended), -1)
    return both.select(torch.where(place < ended, place, beams + place - ended))


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
        logits_processor: applied to log P of the next symbols, as by the search of transformers.
        stopping_criteria: what they end is cut off: it counts only where nothing ended by an end symbol.
        generation_config: `num_beams`, `num_return_sequences`, `length_penalty` (alpha), `max_length`.
        synced_gpus: whether all processes must go on until the last is done (ZeRO-3, FSDP).
        **model_kwargs: `encoder_outputs` `[B * K, S, D]`, `attention_mask` `[B * K, S]`, the cache.

    Returns:
        Symbols `[B * N, <= L]`, best first, or with `return_dict_in_generate` the same with scores and the rest.

    Raises:
        ValueError: attentions or hidden states of the decoder are asked for.

    """
    config = generation_config
    if config.output_attentions or config.output_hidden_states:
        raise ValueError(
            "the paper's search does not keep attentions and hidden states; get them by a forward pass over the "
            "translation, or search with paper_search=False"
        )
    beams, wanted, alpha = config.num_beams, config.num_return_sequences, config.length_penalty
    prompt = input_ids.shape[1]
    mask, encoded = model_kwargs.get("attention_mask"), model_kwargs["encoder_outputs"][0]
    if mask is None:
        mask = torch.ones(encoded.shape[:2], dtype=torch.int64, device=encoded.device)
    source_lengths = mask.sum(-1)[::beams]
    limits = (source_lengths + EXTRA_SYMBOLS).clamp(max=config.max_length - prompt)  # [B]
    criteria = [each for each in stopping_criteria if not isinstance(each, MaxLengthCriteria | EosTokenCriteria)]
    ends = config._eos_token_tensor if config._eos_token_tensor is not None else input_ids.new_empty(0)
    padding = int(config._pad_token_tensor)
    log_p_of_steps: list[Tensor] = []
    logits_of_steps: list[Tensor] = []
    search: Search | None = None
    rows = input_ids
    done = False
    while model._has_unfinished_sequences(done, synced_gpus, device=input_ids.device):
        inputs = model.prepare_inputs_for_generation(
            rows, next_sequence_length=1 if search is not None and model_kwargs["use_cache"] else None,
            is_first_iteration=search is None, **model_kwargs,
        )  # fmt: skip
        outputs = model(**inputs, return_dict=True)
        model_kwargs = model._update_model_kwargs_for_generation(outputs, model_kwargs, is_encoder_decoder=True)
        if done:
            continue  # another process needs the forward passes of this one
        logits = outputs.logits[:, -1]
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        log_p = logits_processor(rows, logits.log_softmax(-1))
        if config.return_dict_in_generate and config.output_scores:
            log_p_of_steps.append(log_p)
        if config.return_dict_in_generate and config.output_logits:
            logits_of_steps.append(logits)

        search = search or start(input_ids, beams, int(limits.max()), padding, log_p.dtype)
        search = step(search, log_p.unflatten(0, (-1, beams)), prompt, ends, alpha)
        last = search.running.parents[:, :, prompt + search.length - 1]
        rows = search.running.symbols[:, :, : prompt + search.length].flatten(0, 1)
        where = (search.length >= limits)[:, None].expand(-1, beams)
        for each in criteria:
            where = where | each(rows, log_p_of_steps or None).view(-1, beams)
        search = cut_off(search, where, alpha)
        done = bool(is_done(search, wanted, limits, alpha).all())
        if model_kwargs.get("past_key_values") is not None:
            reorder(model_kwargs["past_key_values"], last)
    assert search is not None
    found = finish(search, wanted)
    length = prompt + int((found.parents[:, :, prompt:] >= 0).sum(-1).max())
    sequences = found.symbols[:, :, :length].flatten(0, 1)
    if not config.return_dict_in_generate:
        return sequences
    kept: dict[str, Any] = {"sequences": sequences, "past_key_values": model_kwargs.get("past_key_values")}
    if config.output_scores:
        kept["sequences_scores"] = found.scores.flatten()
        kept["beam_indices"] = rows_of(found, beams)[:, prompt:length]
    kept["scores"], kept["logits"] = tuple(log_p_of_steps) or None, tuple(logits_of_steps) or None
    return GenerateBeamEncoderDecoderOutput(**kept)


def arrange(default: Any, inputs: Tensor | None, asked: dict[str, Any], paper: bool) -> dict[str, Any]:
    """Return what `GenerationMixin.generate` has to be asked for, given what the user asked of ours.

    Args:
        default: the model's own generation config.
        inputs: the source, if it was given without a name.
        asked: every argument by name.
        paper: whether to search as the paper did where beams are asked for.

    """
    given = asked.get("generation_config")

    def setting(name: str) -> Any:
        found = asked.get(name), getattr(given, name, None), getattr(default, name, None)
        return next((value for value in found if value is not None), None)

    arranged = dict(asked)
    source = next((asked[name] for name in ("input_ids", "inputs_embeds") if asked.get(name) is not None), inputs)
    if source is None and asked.get("encoder_outputs") is not None:
        source = asked["encoder_outputs"][0]
    if source is not None and setting("max_new_tokens") is None and setting("max_length") is None:
        arranged["max_new_tokens"] = source.shape[1] + EXTRA_SYMBOLS
    elsewhere = ("do_sample", "assistant_model", "custom_generate", "constraints", "force_words_ids")
    with_beams = (setting("num_beams") or 1) > 1 and (setting("num_beam_groups") or 1) == 1
    if paper and with_beams and not any(setting(name) for name in elsewhere):
        arranged["custom_generate"] = paper_search
    return arranged


def reorder(cache: Any, parents: Tensor) -> None:
    """Give each running hypothesis the cache of its parent `[B, K]`; all beams of a sentence share its source."""
    sentences, beams = parents.shape
    first = torch.arange(sentences, device=parents.device)[:, None] * beams
    target: Any = cache.self_attention_cache if isinstance(cache, EncoderDecoderCache) else cache
    target.reorder_cache((first + parents).flatten())


def rows_of(found: Hypotheses, beams: int) -> Tensor:
    """Return `[B * N, L]`: the row of the batch that each symbol lengthened, -1 where there is none."""
    first = torch.arange(len(found.symbols), device=found.symbols.device)[:, None, None] * beams
    return torch.where(found.parents < 0, -1, found.parents + first).flatten(0, 1)


__all__ = ["arrange", "paper_search"]
