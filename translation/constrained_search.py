"""The paper's search for translations that contain given phrases: each as often as its source asks for it.

The hypotheses of a sentence are kept in banks, by how many tokens of phrases they have written, and each bank keeps its
best (dynamic beam allocation, Post and Vilar 2018). So a hypothesis that begins a phrase, at whatever cost, competes
with those that have written as much of the phrases and not with those that put them off. None ends before it has all.
A sentence whose phrases have T tokens has K + T hypotheses in T + 1 banks; what is left over when each bank has its
share goes to the most probable. Scores, penalty, limits and the end of the search are the paper's
(`modeling/search_vaswani.py`).

A phrase is whole words: before its first token, and behind its last, no two characters of a word may meet. So "Datei"
is not written by "Dateien", which begins with the same token. A phrase may be spelled in several ways, with and without
a space before it or with a capital; any of them counts.

Shapes: B sentences, n hypotheses that run, X candidates, G terms of a sentence, R spellings of its terms, L tokens of
the longest, V = vocab_size, E end tokens.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from vaswani.modeling.search_vaswani import (
    NEVER,
    Hypotheses,
    SearchState,
    cut_off,
    finish,
    is_done,
    merge,
    penalty,
)

MOST_BANKS = 32
"""Of a sentence; where there are more tokens, several share a bank."""


class Spelling(NamedTuple):
    """One way to write a term."""

    tokens: tuple[int, ...]
    """At least one."""
    needs_left: bool = False
    """Whether it must not follow a character of a word."""
    needs_right: bool = False
    """Whether no character of a word may follow it."""

    @property
    def length(self) -> int:
        """Steps until it is known to be written: its tokens, and the one behind them where that decides."""
        return len(self.tokens) + self.needs_right


class Phrase(NamedTuple):
    """A term that a translation is to contain."""

    spellings: tuple[Spelling, ...]
    times: int = 1

    @property
    def length(self) -> int:
        """Steps that its longest spelling takes, once."""
        return max(each.length for each in self.spellings)


class Vocabulary(NamedTuple):
    """What the tokens of a vocabulary mean for the bounds of words."""

    begins: Tensor
    """`[V]`, whether a token continues a word: its first character is one of a word."""
    ends: Tensor
    """`[V]`, whether its last character is one of a word, which the next token may continue."""


class Wanted(NamedTuple):
    """The phrases of B sentences; where one has fewer than another, spellings of no tokens."""

    tokens: Tensor  # [B, R, L], -1 behind the last
    lengths: Tensor  # [B, R]
    borders: Tensor  # [B, R, L + 1, L], whether the first k tokens (last index) are the last k of the first j
    needs_left: Tensor  # [B, R]
    needs_right: Tensor  # [B, R]
    terms: Tensor  # [B, R], the term that each spells
    times: Tensor  # [B, G]
    weights: Tensor  # [B, G], what a term counts for when it is written
    totals: Tensor  # [B], T

    def of(self, which: Tensor) -> "Wanted":
        """Return the phrases of the sentences for which `which` `[B]` holds."""
        return Wanted(*(part[which] for part in self))


class Written(NamedTuple):
    """How far some hypotheses are with the phrases of their sentences."""

    at: Tensor  # [B, n, R], how many tokens of each spelling stand at their ends
    met: Tensor  # [B, n, G], how often each term is written

    def select(self, which: Tensor) -> "Written":
        """Return that of the hypotheses `which` `[B, m]` of each sentence."""
        return Written(*(part.gather(1, which[:, :, None].expand(-1, -1, part.shape[2])) for part in self))

    def of(self, which: Tensor) -> "Written":
        """Return that of the sentences for which `which` `[B]` holds."""
        return Written(*(part[which] for part in self))


def width(phrases: Sequence[Phrase], beams: int) -> int:
    """Return how many hypotheses the search for a sentence with these phrases keeps; `beams` is K."""
    return beams + min(MOST_BANKS, sum(each.length * each.times for each in phrases))


def wanted_by(sentences: Sequence[Sequence[Phrase]], device: torch.device) -> Wanted:
    """Return the phrases of B sentences as tensors."""
    spellings = [[each for phrase in phrases for each in phrase.spellings] for phrases in sentences]
    rows = max(1, *map(len, spellings))
    longest = max((len(each.tokens) for row in spellings for each in row), default=1)
    most = max(1, *map(len, sentences))
    tokens = torch.full((len(sentences), rows, longest), -1)
    lengths, terms = (torch.zeros((len(sentences), rows), dtype=torch.long) for _ in range(2))
    left, right = (torch.zeros((len(sentences), rows), dtype=torch.bool) for _ in range(2))
    borders = torch.zeros((len(sentences), rows, longest + 1, longest), dtype=torch.bool)
    times, weights = (torch.zeros((len(sentences), most), dtype=torch.long) for _ in range(2))
    for b, phrases in enumerate(sentences):
        of_rows = [term for term, phrase in enumerate(phrases) for _ in phrase.spellings]
        for g, phrase in enumerate(phrases):
            times[b, g], weights[b, g] = phrase.times, phrase.length
        for r, (term, spelling) in enumerate(zip(of_rows, spellings[b], strict=True)):
            ids = spelling.tokens
            tokens[b, r, : len(ids)] = torch.tensor(ids)
            lengths[b, r], terms[b, r], left[b, r], right[b, r] = len(ids), term, *spelling[1:]
            for j in range(len(ids) + 1):
                for k in range(min(j + 1, len(ids))):
                    borders[b, r, j, k] = ids[:k] == ids[j - k : j]
    totals = (times * weights).sum(1)
    return Wanted(*(each.to(device) for each in (tokens, lengths, borders, left, right, terms, times, weights, totals)))


def advance(wanted: Wanted, words: Vocabulary, before: Written, last: Tensor, token: Tensor, is_end: Tensor) -> Written:
    """Return how far hypotheses are when each has one token more.

    Args:
        wanted: the phrases.
        words: of the vocabulary.
        before: how far they were, X for each sentence.
        last: `[B, X]`, their last tokens before; -1 where there was none.
        token: `[B, X]`, the tokens that are added.
        is_end: `[B, X]`, whether these end them.

    """
    shape = (*before.at.shape, wanted.tokens.shape[2])
    same = wanted.tokens[:, None] == token[:, :, None, None]  # [B, X, R, L]
    at = before.at[..., None, None].expand(*shape[:3], 1, shape[3])
    fits = wanted.borders[:, None].expand(*shape[:3], -1, -1).gather(3, at)[..., 0, :]
    is_open = (last < 0) | ~words.ends[last.clamp(min=0)]
    may_begin = is_open[:, :, None] | ~wanted.needs_left[:, None]  # [B, X, R]
    is_bound = (is_end | ~words.begins[token])[:, :, None]
    lengths, needs_right = wanted.lengths[:, None], wanted.needs_right[:, None]
    terms = wanted.terms[:, None].expand_as(before.at)

    def of_terms(done: Tensor) -> Tensor:  # [B, X, R] of spellings to [B, X, G] of terms
        return torch.zeros_like(before.met).scatter_add(2, terms, done.long()) > 0

    # By the token before this one; what is begun of another spelling lies within it, unless this token begins it.
    written = of_terms((before.at == lengths) & needs_right & is_bound & (lengths > 0))
    place = torch.arange(shape[3], device=token.device)
    fits = fits & ~(written.gather(2, terms)[..., None] & (place > 0)) & (may_begin[..., None] | (place > 0))
    at = ((place + 1) * (fits & same)).amax(-1)
    written_now = of_terms((at == lengths) & ~needs_right & (lengths > 0))
    at = at.masked_fill(written_now.gather(2, terms), 0)
    met = before.met + (written | written_now).long()
    return Written(at, torch.minimum(met, wanted.times[:, None]))


def progress(wanted: Wanted, written: Written) -> Tensor:
    """Return `[B, n]`, how many tokens of the phrases are written, 0 to T: of whole ones, and of one that is begun."""
    whole = (written.met * wanted.weights[:, None]).sum(2)
    is_missing = (written.met < wanted.times[:, None]).gather(2, wanted.terms[:, None].expand_as(written.at))
    return whole + (written.at * is_missing).amax(2)


def allocate(scores: Tensor, banks: Tensor, shares: Tensor, widths: Tensor, most: int) -> Tensor:
    """Return which candidates run on, `[B, most]`, best first; -1 where a sentence has fewer.

    Args:
        scores: `[B, X]`, falling; -inf where there is none.
        banks: `[B, X]`, of each.
        shares: `[B]`, how many of each bank are kept before others.
        widths: `[B]`, how many of a sentence are kept.
        most: the largest of these.

    """
    is_there = scores > NEVER
    same = (banks[:, :, None] == banks[:, None]) & is_there[:, None]
    rank = same.tril(-1).sum(2)  # among those of its bank
    number = scores.shape[1]
    place = torch.arange(number, device=scores.device).expand_as(banks)
    order = place + number * (rank >= shares[:, None]) + 2 * number * ~is_there
    order = pad(order, (0, max(0, most - number)), value=3 * number)
    first = order.topk(most, dim=1, largest=False).values
    is_kept = (first < 2 * number) & (torch.arange(most, device=scores.device) < widths[:, None])
    places_kept = torch.where(is_kept, first % number, number).sort(1).values
    return torch.where(places_kept == number, -1, places_kept)


def constrained_step(
    search: SearchState, written: Written, wanted: Wanted, words: Vocabulary, log_p: Tensor, ends: Tensor, alpha: float
) -> tuple[SearchState, Written]:
    """Extend every running hypothesis by a token, and set aside those that ended with all their phrases.

    Args:
        search: the state so far; its prompt has one token.
        written: how far its running hypotheses are.
        wanted: the phrases.
        words: of the vocabulary.
        log_p: `[B, n, V]`, of each next token.
        ends: `[E]`, the end tokens.
        alpha: of the penalty.

    """
    sentences, running, vocab_size = log_p.shape
    beams = search.ended.scores.shape[1]
    banks = wanted.totals.clamp(max=MOST_BANKS)
    widths = beams + banks
    most = int(widths.max())
    total = (search.running.scores[:, :, None] + log_p).flatten(1)

    # The most probable of all, the best of each hypothesis, its end, and whatever goes on with a phrase or begins one.
    number = min(2 * most, total.shape[1])
    of_all = total.topk(number, dim=1).indices
    of_all = torch.where(torch.arange(number, device=of_all.device) < 2 * widths[:, None], of_all, of_all[:, :1])
    of_each = log_p.argmax(2, keepdim=True)
    following = pad(wanted.tokens, (0, 1), value=-1)[:, None].expand(-1, running, -1, -1)
    following = following.gather(3, written.at[..., None])[..., 0]  # [B, n, R]
    first = wanted.tokens[:, None, :, 0].expand(-1, running, -1)
    bound = log_p.masked_fill(words.begins, NEVER).argmax(2, keepdim=True)
    tokens = torch.cat([of_each, ends.expand(sentences, running, -1), following, first, bound], dim=2)
    tokens = torch.where(tokens < 0, of_each, tokens)
    of_phrases = torch.arange(running, device=tokens.device)[:, None] * vocab_size + tokens
    is_candidate = torch.zeros_like(total, dtype=torch.bool)
    is_candidate.scatter_(1, torch.cat([of_all, of_phrases.flatten(1)], dim=1), True)
    candidates = min(number + of_phrases[0].numel(), total.shape[1])
    scores, place = total.masked_fill(~is_candidate, NEVER).topk(candidates, dim=1)

    parent, token = place // vocab_size, place % vocab_size
    is_end = torch.isin(token, ends)
    grown = search.running.select(parent)
    last = grown.tokens[:, :, search.length] if search.length else torch.full_like(token, -1)
    now = advance(wanted, words, written.select(parent), last, token, is_end)
    grown.tokens[:, :, 1 + search.length] = token
    grown.parents[:, :, 1 + search.length] = parent
    length = search.length + 1
    is_whole = (now.met >= wanted.times[:, None]).all(2)
    with_penalty = scores / penalty(length, alpha).to(scores)
    ended = merge(search.ended, grown._replace(scores=with_penalty.masked_fill(~(is_end & is_whole), NEVER)))

    going_on = scores.masked_fill(is_end, NEVER)
    going_on, falling = going_on.sort(dim=1, descending=True, stable=True)
    reached = progress(wanted, now).gather(1, falling).masked_fill(going_on == NEVER, -1)
    bank = reached.clamp(min=0) * banks[:, None] // wanted.totals.clamp(min=1)[:, None]
    # Where tokens share a bank, what has written the most has one of its own, or it might never get further.
    bank = torch.where((reached == reached.amax(1, keepdim=True)) & (reached >= 0), banks[:, None] + 1, bank)
    kept = allocate(going_on, bank, widths // (banks + 1), widths, most)
    which = falling.gather(1, kept.clamp(min=0))
    best = going_on.gather(1, kept.clamp(min=0)).masked_fill(kept < 0, NEVER)
    going = grown.select(which)._replace(scores=best)
    places = torch.arange(sentences, device=best.device)
    rows = places[:, None] * running + going.parents[:, :, length]
    search = search._replace(running=going, ended=ended, rows=rows, places=places, length=length)
    return search, now.select(which)


def constrained_search(
    read: Callable[[SearchState], Tensor],
    search: SearchState,
    wanted: Wanted,
    words: Vocabulary,
    ends: Tensor,
    alpha: float,
    n_best: int = 1,
) -> Hypotheses:
    """Search until every sentence is done, and return the best hypotheses that contain its phrases.

    Where none that contains all ended within its limit, those count that were cut off with the most of them.

    Args:
        read: as of `beam_search` in search_vaswani.py.
        search: as it starts, with one token of prompt and one running hypothesis.
        wanted: the phrases of each sentence.
        words: of the vocabulary.
        ends: `[E]`, the end tokens.
        alpha: of the penalty.
        n_best: hypotheses asked for, at most K.

    """
    running = search.running.scores.shape[1]
    nothing = [search.limits.new_zeros((len(search.sentences), running, part.shape[1])) for part in wanted[5:7]]
    written = Written(*nothing)
    found = finish(search, n_best)  # nothing yet
    while len(search.sentences):
        search, written = constrained_step(search, written, wanted, words, read(search), ends, alpha)
        is_over = (search.length >= search.limits)[:, None].expand_as(search.running.scores)
        reached = progress(wanted, written).masked_fill(search.running.scores == NEVER, -1)
        is_first = reached == reached.amax(1, keepdim=True)
        search = cut_off(search, is_over & is_first, alpha)
        running_on = search.running.scores.masked_fill(is_over, NEVER)
        search = search._replace(running=search.running._replace(scores=running_on))
        done = is_done(search, n_best, alpha)
        if done.any():
            leaving = search.of(done)
            best = finish(leaving, n_best)
            found = Hypotheses(*(a.index_copy(0, leaving.sentences, b) for a, b in zip(found, best, strict=True)))
            search, written, wanted = search.of(~done), written.of(~done), wanted.of(~done)
    return found
