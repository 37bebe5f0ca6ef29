"""The search of section 6.1: beams with the length penalty of GNMT (Wu et al. 2016, equation 14), as functions.

They need only a network's probabilities of the next token: `generation_vaswani.py` calls ours, for `generate`. This
file travels with every saved model, so it imports nothing but torch and transformers.

What differs from the search of transformers: a hypothesis Y of |Y| tokens (its end token counted, the start token
not) scores log P(Y) / ((5 + |Y|) / 6)^alpha; each sentence has its own limit, whatever else is in the batch; each of
the best 2K continuations may end a hypothesis; hypotheses that a limit (of length or time) cut off count only if none
ended; and a sentence is done exactly when no running hypothesis can overtake any more. It then leaves the batch, so
that no work is spent on it while others continue.

Shapes: B sentences, S source tokens, D = d_model, K beams, n hypotheses that run (1 before the first step, K after),
C hypotheses of whatever kind, N hypotheses asked for of each sentence, P tokens of the prompt, L of the longest
hypothesis with its prompt, V = vocab_size.
"""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput

CACHE = "cache" if "cache" in {field.name for field in fields(Seq2SeqLMOutput)} else "past_key_values"
"""The name of the cache in `generate` and in the outputs of networks; `past_key_values` until transformers 5.24."""
NEVER = float("-inf")
BLOCK = 128
"""Tokens of the vocabulary whose best one is sought first (`best_continuations`)."""


class Hypotheses(NamedTuple):
    """Some hypotheses for each of B sentences, best first."""

    tokens: Tensor  # [B, K, L], the prompt first, padding after the end
    parents: Tensor  # [B, K, L], the earlier hypothesis that each token extends; -1 in the prompt and after the end
    scores: Tensor  # [B, K], -inf where there is none

    def select(self, which: Tensor) -> "Hypotheses":
        """Return the hypotheses `which` `[B, m]` of each sentence."""
        rows = which[:, :, None].expand(-1, -1, self.tokens.shape[2])
        return Hypotheses(self.tokens.gather(1, rows), self.parents.gather(1, rows), self.scores.gather(1, which))

    def of(self, which: Tensor) -> "Hypotheses":
        """Return those of the sentences for which `which` `[B]` holds."""
        return Hypotheses(*(part[which] for part in self))


StopSignal = Callable[[Tensor], Tensor]
"""Returns a flag for each hypothesis, `[B, C]`, given their tokens `[B, C, L]`, the prompt first."""


class SearchState(NamedTuple):
    """The state of a search, for the sentences that are not done."""

    running: Hypotheses
    """The n that continue; their scores are log P, without penalty."""
    ended: Hypotheses
    """The best K of those with an end token; their scores carry the penalty."""
    cut: Hypotheses
    """The best K of those that a limit ended, with the penalty too."""
    rows: Tensor
    """`[B, n]`, the row, among the B * n of the step before, that each running hypothesis continues."""
    places: Tensor
    """`[B]`, the place of each sentence among those of the step before."""
    sentences: Tensor
    """`[B]`, its place in the whole batch."""
    limits: Tensor
    """`[B]`, how many tokens its translation may have, the prompt not counted."""
    length: int
    """Tokens of a running hypothesis, the prompt not counted."""

    def of(self, which: Tensor) -> "SearchState":
        """Return the search of the sentences for which `which` `[B]` holds."""
        running, ended, cut = (each.of(which) for each in (self.running, self.ended, self.cut))
        rows, places, sentences = (each[which] for each in (self.rows, self.places, self.sentences))
        return SearchState(running, ended, cut, rows, places, sentences, self.limits[which], self.length)


def penalty(length: Tensor | int, alpha: float) -> Tensor:
    """Return ((5 + length) / 6)^alpha, by which log P is divided; alpha is the setting `length_penalty`."""
    return ((5 + torch.as_tensor(length, dtype=torch.float64)) / 6) ** alpha


def start(prompt: Tensor, limits: Tensor, beams: int, padding: int, dtype: torch.dtype) -> SearchState:
    """Return the search before its first step.

    Args:
        prompt: `[B, n, P]`, the start token, or what a translation has to begin with, n times the same.
        limits: `[B]`, how many tokens may follow.
        beams: K.
        padding: the token where nothing was written.
        dtype: of the scores.

    """
    sentences, same, length = prompt.shape
    tokens = prompt.new_full((sentences, same, length + int(limits.max())), padding)
    tokens[:, :, :length] = prompt
    log_p = torch.full((sentences, same), NEVER, dtype=dtype, device=prompt.device)
    log_p[:, 0] = 0.0  # or the best of the first step would be the same continuation n times
    running = Hypotheses(tokens, torch.full_like(tokens, -1), log_p)
    none = running.select(tokens.new_zeros((sentences, beams)))
    none = none._replace(scores=torch.full_like(none.scores, NEVER))
    places = torch.arange(sentences, device=prompt.device)
    rows = torch.arange(sentences * same, device=prompt.device).view(sentences, same)
    return SearchState(running, none, none, rows, places, places, limits, length=0)


def step(
    search: SearchState, log_p: Tensor, prompt: int, ends: Tensor, alpha: float, is_ended: StopSignal | None = None
) -> SearchState:
    """Extend every running hypothesis by a token, and set aside those that ended.

    Args:
        search: the state so far.
        log_p: `[B, n, V]`, of each next token.
        prompt: P, its length.
        ends: `[E]`, the end tokens.
        alpha: of the penalty.
        is_ended: returns which hypotheses end for another reason.

    """
    beams, (sentences, running, vocab_size) = search.ended.scores.shape[1], log_p.shape
    # E end tokens can take E * K places among the best, and K others must remain to continue.
    reasons = len(ends) + (is_ended is not None)
    candidates = min(max(2, 1 + reasons) * beams, running * vocab_size)
    best, place = best_continuations(search.running.scores, log_p, candidates)
    parent, token = place // vocab_size, place % vocab_size
    grown = search.running.select(parent)
    grown.tokens[:, :, prompt + search.length] = token
    grown.parents[:, :, prompt + search.length] = parent
    length = search.length + 1
    is_end = torch.isin(token, ends)
    if is_ended is not None:
        is_end |= is_ended(grown.tokens[:, :, : prompt + length])
    with_penalty = best / penalty(length, alpha).to(best)
    ended = merge(search.ended, grown._replace(scores=with_penalty.masked_fill(~is_end, NEVER)))
    going_on = best.masked_fill(is_end, NEVER)
    missing = beams - min(beams, candidates)
    if missing:  # a vocabulary smaller than the beam
        grown = grown.select(torch.arange(beams, device=best.device).clamp(max=candidates - 1).expand(sentences, -1))
        going_on = torch.nn.functional.pad(going_on, (0, missing), value=NEVER)
    scores, which = going_on.topk(beams, dim=1)
    going = grown.select(which)._replace(scores=scores)
    places = torch.arange(sentences, device=best.device)
    rows = places[:, None] * running + going.parents[:, :, prompt + search.length]
    return search._replace(running=going, ended=ended, rows=rows, places=places, length=length)


def best_continuations(scores: Tensor, log_p: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """Return the largest sums of a hypothesis's score and a token's log P, `[B, number]`, and their places in n * V.

    The `number` best are in the `number` blocks of tokens with the best best one, so a sort sees a few thousand sums in
    place of n * V. Of equal sums any may be returned, as by `topk`.

    Args:
        scores: `[B, n]`.
        log_p: `[B, n, V]`.
        number: n * V at most.

    """
    vocab_size = log_p.shape[-1]
    whole = vocab_size - vocab_size % BLOCK
    of_blocks = log_p[..., :whole].unflatten(-1, (-1, BLOCK)).amax(-1)
    if whole < vocab_size:
        of_blocks = torch.cat([of_blocks, log_p[..., whole:].amax(-1, keepdim=True)], dim=-1)
    blocks = of_blocks.shape[-1]
    of_blocks = (scores[:, :, None] + of_blocks).flatten(1)
    chosen = of_blocks.topk(min(number, of_blocks.shape[1]), dim=1).indices[:, :, None]
    row, token = chosen // blocks, chosen % blocks * BLOCK + torch.arange(BLOCK, device=log_p.device)
    place = (row * vocab_size + token.clamp(max=vocab_size - 1)).flatten(1)
    sums = scores.gather(1, row.flatten(1)).repeat_interleave(BLOCK, 1) + log_p.flatten(1).gather(1, place)
    best, which = sums.masked_fill(token.flatten(1) >= vocab_size, NEVER).topk(number, dim=1)
    return best, place.gather(1, which)


def force_end(log_p: Tensor, search: SearchState, ends: Tensor) -> Tensor:
    """Return log P `[B, n, V]` where what has room for one token more writes an end, as if it were certain.

    Args:
        log_p: of each next token.
        search: before that token.
        ends: `[E]`, the end tokens.

    """
    certain = torch.full_like(log_p, NEVER).index_fill(-1, ends, 0.0)
    return torch.where((search.length + 1 >= search.limits)[:, None, None], certain, log_p)


def cut_off(search: SearchState, where: Tensor, alpha: float) -> SearchState:
    """Set running hypotheses aside as cut off where `where` `[B, K]` holds."""
    log_p = search.running.scores
    with_penalty = (log_p / penalty(search.length, alpha).to(log_p)).masked_fill(~where, NEVER)
    cut = merge(search.cut, search.running._replace(scores=with_penalty))
    return search._replace(running=search.running._replace(scores=log_p.masked_fill(where, NEVER)), cut=cut)


def merge(one: Hypotheses, other: Hypotheses) -> Hypotheses:
    """Return the best K of two sets, K those of the first."""
    both = Hypotheses(*(torch.cat(pair, dim=1) for pair in zip(one, other, strict=True)))
    return both.select(both.scores.topk(one.scores.shape[1], dim=1).indices)


def is_done(search: SearchState, wanted: int, alpha: float, early: bool = False) -> Tensor:
    """Return for each sentence `[B]` whether no running hypothesis can still get among the best `wanted` that ended.

    log P only falls, so what a hypothesis can still reach is its log P now, under the largest penalty on the way: that
    of its limit, or for a negative alpha that of the next step. With `early`, K that ended are enough, whatever could
    still follow.
    """
    log_p = search.running.scores[:, 0]  # the best, as topk sorts
    of_next = penalty(search.length + 1, alpha).to(search.limits.device)
    furthest = torch.maximum(of_next, penalty(search.limits, alpha)).to(log_p)
    enough = search.ended.scores[:, -1] > NEVER if early else search.ended.scores[:, wanted - 1] >= log_p / furthest
    return (log_p == NEVER) | enough


def finish(search: SearchState, wanted: int) -> Hypotheses:
    """Return the best `wanted` hypotheses: those that ended, and only then those that were cut off."""
    both = Hypotheses(*(torch.cat(pair, dim=1) for pair in zip(search.ended, search.cut, strict=True)))
    beams = search.ended.scores.shape[1]
    ended = (search.ended.scores > NEVER).sum(1, keepdim=True)
    place = torch.arange(wanted, device=ended.device).expand(len(ended), -1)
    return both.select(torch.where(place < ended, place, beams + place - ended))


def beam_search(
    read: Callable[[SearchState], Tensor],
    search: SearchState,
    prompt: int,
    ends: Tensor,
    alpha: float,
    wanted: int = 1,
    is_ended: StopSignal | None = None,
    is_cut: StopSignal | None = None,
    together: bool = False,
    early: bool = False,
) -> Hypotheses:
    """Search until every sentence is done, and return the best `wanted` hypotheses of each.

    Args:
        read: returns log P `[B, n, V]` of the tokens that may follow the running hypotheses of a search. Whatever it
            keeps between steps has to `follow` them.
        search: as it starts.
        prompt: P.
        ends: `[E]`, the end tokens.
        alpha: of the penalty.
        wanted: N.
        is_ended: returns which hypotheses end here, besides those with an end token.
        is_cut: returns which running hypotheses are cut off here, besides those that have reached their limit.
        together: keep finished sentences in the batch until all are finished.
        early: finish a sentence as soon as K of its hypotheses ended.

    """
    found = finish(search, wanted)  # nothing yet
    while len(search.sentences):
        search = step(search, read(search), prompt, ends, alpha, is_ended)
        cut = (search.length >= search.limits)[:, None].expand_as(search.running.scores)
        if is_cut is not None:
            cut = cut | is_cut(search.running.tokens[:, :, : prompt + search.length])
        search = cut_off(search, cut, alpha)
        done = is_done(search, wanted, alpha, early)
        if early:  # what is done stays as it is, however long the others take
            running = search.running.scores.masked_fill(done[:, None], NEVER)
            search = search._replace(running=search.running._replace(scores=running))
        if together:
            done = done.all().expand_as(done)
        if done.any():
            leaving = search.of(done)
            best = finish(leaving, wanted)
            found = Hypotheses(*(a.index_copy(0, leaving.sentences, b) for a, b in zip(found, best, strict=True)))
            search = search.of(~done)
    return found


def follow(search: SearchState, kwargs: dict[str, Any]) -> None:
    """Reorder a network's caches and sources to follow the running hypotheses.

    Args:
        search: after a step.
        kwargs: the cache, and of the B sentences of the step before `encoder_outputs`, `attention_mask`.

    """
    cache, left = kwargs.get(CACHE), len(search.places) < len(kwargs["attention_mask"])
    if cache is not None:
        cache.self_attention_cache.reorder_cache(search.rows.flatten())
    if left:
        if cache is not None:
            cache.cross_attention_cache.reorder_cache(search.places)
        kwargs["attention_mask"] = kwargs["attention_mask"][search.places]
        encoded = kwargs["encoder_outputs"][0]
        kwargs["encoder_outputs"] = BaseModelOutput(encoded[search.places.to(encoded.device)])
    if kwargs.get("decoder_attention_mask") is not None:
        kwargs["decoder_attention_mask"] = kwargs["decoder_attention_mask"][search.rows.flatten()]


__all__ = [
    "CACHE",
    "NEVER",
    "Hypotheses",
    "SearchState",
    "StopSignal",
    "beam_search",
    "follow",
    "force_end",
    "penalty",
    "start",
]
