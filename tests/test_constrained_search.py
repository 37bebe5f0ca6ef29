"""The search with phrases: the best hypothesis that contains them, against all hypotheses there are."""

import itertools
import math
import random
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from vaswani.modeling.search_vaswani import SearchState, start
from vaswani.translation.constrained_search import (
    Phrase,
    Spelling,
    Vocabulary,
    allocate,
    constrained_search,
    wanted_by,
)

END = 0
START = 1


def table(seed: int, vocab_size: int) -> dict[int, list[float]]:
    """log P of the next token after each token; the start is forbidden."""
    draw = random.Random(seed)
    found = {}
    for before in range(vocab_size):
        weights = [math.exp(draw.gauss(0, 2)) if token != START else 0.0 for token in range(vocab_size)]
        found[before] = [math.log(each / sum(weights)) if each else -math.inf for each in weights]
    return found


def times_written(tokens: Sequence[int], spelling: Spelling, begins: Sequence[bool], ends: Sequence[bool]) -> list[int]:
    """Where a spelling stands in a hypothesis as whole words, by the definition; with its end token."""
    places, length = [], len(spelling.tokens)
    for place in range(len(tokens) - length + 1):
        is_there = tuple(tokens[place : place + length]) == spelling.tokens
        is_open = place == 0 or not spelling.needs_left or not ends[tokens[place - 1]]
        after = tokens[place + length] if place + length < len(tokens) else None
        is_bound = not spelling.needs_right or (after is not None and (after == END or not begins[after]))
        if is_there and is_open and is_bound:
            places.append(place)
    return places


def contains(tokens: Sequence[int], phrases: Sequence[Phrase], begins: Sequence[bool], ends: Sequence[bool]) -> bool:
    """Whether a hypothesis has each phrase once; for more often the places must not meet."""
    for phrase in phrases:
        found = sorted(
            {
                (place + len(each.tokens), place)
                for each in phrase.spellings
                for place in times_written(tokens, each, begins, ends)
            }
        )
        number, free = 0, 0
        for end, place in found:
            if place >= free:
                number, free = number + 1, end
        if number < phrase.times:
            return False
    return True


def best_of_all(
    log_p: dict[int, list[float]],
    limit: int,
    alpha: float,
    phrases: Sequence[Phrase],
    begins: Sequence[bool],
    ends: Sequence[bool],
) -> float:
    """The score of the best hypothesis with the phrases among all of at most so many tokens."""
    best = -math.inf
    others = [token for token in log_p if token not in (END, START)]
    for length in range(1, limit + 1):
        for inner in itertools.product(others, repeat=length - 1):
            tokens = (*inner, END)
            if not contains(tokens, phrases, begins, ends):
                continue
            score = sum(log_p[one][other] for one, other in itertools.pairwise((START, *tokens)))
            best = max(best, score / ((5 + length) / 6) ** alpha)
    return best


@pytest.mark.parametrize("seed", range(30))
def test_the_best_hypothesis_with_the_phrases_is_found(seed: int) -> None:
    """With as many beams as there are hypotheses nothing is lost; sentences of unlike phrases stand side by side."""
    draw = random.Random(seed)
    vocab_size, alpha = draw.choice([5, 6]), draw.choice([0.0, 0.6, 1.0])
    log_p = table(seed, vocab_size)
    begins = [False, False, *(draw.random() < 0.4 for _ in range(vocab_size - 2))]
    ends = [False, False, *(draw.random() < 0.4 for _ in range(vocab_size - 2))]

    def spelling(needs_right: bool) -> Spelling:
        tokens = tuple(draw.randrange(2, vocab_size) for _ in range(draw.choice([1, 1, 2, 2, 3])))
        return Spelling(tokens, draw.random() < 0.3, needs_right)

    sentences = []
    for _ in range(4):
        phrases = []
        for _ in range(draw.choice([0, 1, 1, 2])):
            needs_right = draw.random() < 0.4
            several = tuple(dict.fromkeys(spelling(needs_right) for _ in range(draw.choice([1, 2, 2]))))
            phrases.append(Phrase(several, draw.choice([1, 1, 2])))
        sentences.append(phrases)
    limits = [draw.randint(3, 5) for _ in sentences]

    def read(search: SearchState) -> Tensor:
        last = search.running.tokens[:, :, search.length]
        return torch.tensor([log_p[each] for each in range(vocab_size)], dtype=torch.float64)[last]

    device = torch.device("cpu")
    found = constrained_search(
        read,
        start(torch.full((4, 1, 1), START), torch.tensor(limits), 260, END, torch.float64),
        wanted_by(sentences, device),
        Vocabulary(torch.tensor(begins), torch.tensor(ends)),
        torch.tensor([END]),
        alpha,
    )
    for number, phrases in enumerate(sentences):
        expected = best_of_all(log_p, limits[number], alpha, phrases, begins, ends)
        tokens = found.tokens[number, 0, 1 : limits[number] + 1].tolist()
        if expected == -math.inf:
            continue  # they do not fit
        written = (*tokens[: tokens.index(END)], END)
        assert contains(written, phrases, begins, ends), (written, phrases)
        assert found.scores[number, 0].item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_few_beams_place_every_phrase_too_whatever_stands_beside_it(seed: int) -> None:
    """With 2 beams, and phrases that the network would never write; alone and in a batch the same is found."""
    draw = random.Random(seed)
    vocab_size = 12
    log_p = {before: [each - 20 * (token in (7, 8, 9)) for token, each in enumerate(row)]
             for before, row in table(seed, vocab_size).items()}  # fmt: skip
    rows = torch.tensor([log_p[each] for each in range(vocab_size)], dtype=torch.float64)
    begins = [token in (8, 10) for token in range(vocab_size)]
    sentences = [
        [Phrase((Spelling((7, 8), False, True), Spelling((9,), False, True)), draw.choice([1, 2]))],
        [Phrase((Spelling((7,)),)), Phrase((Spelling((9, 9, 3), True, False),))],
        [Phrase((Spelling(tuple(draw.randrange(2, 12) for _ in range(4))),))],
    ]
    limits = torch.tensor([14, 16, 12])
    words = Vocabulary(torch.tensor(begins), torch.tensor([token == 3 for token in range(vocab_size)]))

    def search(which: list[int]) -> list[tuple[list[int], float]]:
        found = constrained_search(
            lambda state: rows[state.running.tokens[:, :, state.length]],
            start(torch.full((len(which), 1, 1), START), limits[which], 2, END, torch.float64),
            wanted_by([sentences[each] for each in which], torch.device("cpu")),
            words,
            torch.tensor([END]),
            0.6,
        )
        tokens = [row[1:].tolist() for row in found.tokens[:, 0]]
        return [
            (row[: row.index(END) + 1], score) for row, score in zip(tokens, found.scores[:, 0].tolist(), strict=True)
        ]

    together = search([0, 1, 2])
    for number, (tokens, score) in enumerate(together):
        assert contains(tokens, sentences[number], begins, words.ends.tolist()), tokens
        [(alone, of_alone)] = search([number])
        assert alone == tokens
        assert of_alone == pytest.approx(score, abs=1e-9)


def test_more_tokens_than_there_are_banks_are_written_too() -> None:
    vocab_size = 12
    rows = torch.tensor([[each - 20 * (token in (7, 8, 9)) for token, each in enumerate(row)]
                         for row in table(3, vocab_size).values()], dtype=torch.float64)  # fmt: skip
    phrases = [Phrase((Spelling((7, 8, 9)),), 9), Phrase((Spelling((8, 8, 7, 9)),), 4)]
    found = constrained_search(
        lambda state: rows[state.running.tokens[:, :, state.length]],
        start(torch.full((1, 1, 1), START), torch.tensor([60]), 2, END, torch.float64),
        wanted_by([phrases], torch.device("cpu")),
        Vocabulary(torch.zeros(vocab_size, dtype=torch.bool), torch.zeros(vocab_size, dtype=torch.bool)),
        torch.tensor([END]),
        0.6,
    )
    tokens = found.tokens[0, 0, 1:].tolist()
    assert END in tokens
    assert contains(tokens[: tokens.index(END) + 1], phrases, [False] * vocab_size, [False] * vocab_size)


def test_each_bank_has_its_share_and_the_rest_goes_to_the_best() -> None:
    scores = torch.tensor([[5.0, 4.0, 3.0, 2.0, 1.0, 0.0, -math.inf]])
    banks = torch.tensor([[0, 0, 0, 0, 2, 1, 2]])

    def kept(share: int, width: int, most: int = 5) -> list[int]:
        found: list[int] = allocate(scores, banks, torch.tensor([share]), torch.tensor([width]), most)[0].tolist()
        return found

    assert kept(1, 5) == [0, 1, 2, 4, 5]
    assert kept(1, 3) == [0, 4, 5, -1, -1]
    assert kept(2, 5) == [0, 1, 2, 4, 5]
    assert kept(1, 9, 9) == [0, 1, 2, 3, 4, 5, -1, -1, -1]
