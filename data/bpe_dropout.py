"""BPE-dropout (Provilkov et al. 2020): in each epoch the same words are cut into other pieces.

A word begins as its bytes. In each step every merge that could be made is left out with the probability p, and of the
others the one that was learned first is made; where none is left, the word is done. With p = 0 this is the tokenizer's
own result, with p = 1 the bytes.

The dropout of `tokenizers` draws from a generator that nothing can seed. Here the random bits of a pair come from
Philox, by (seed, epoch, row group, row): they are the same on any number of processes and after any resume.
"""

import json
from collections.abc import Iterator

from transformers import PreTrainedTokenizerFast

from .pairs import Pair
from .random_draws import chances
from .tokenizer import whole_pieces


class BpeDropout:
    """Encodes texts with random segmentations of their words.

    Args:
        tokenizer: as `learn_tokenizer` returns it; entries that stand for whole pieces of text are never cut.
        probability: p, 0 to 1.

    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, probability: float) -> None:
        self.probability = probability
        self._tokenizer = tokenizer.backend_tokenizer
        state = json.loads(self._tokenizer.to_str())
        model = state["model"]
        self._ids: dict[str, int] = model["vocab"]
        self._ranks = {tuple(merge): rank for rank, merge in enumerate(model["merges"])}
        self._whole = set(whole_pieces(model))
        self._end = tokenizer.eos_token_id

    def pair(self, key: tuple[int, ...], row: int, pair: Pair) -> tuple[list[int], list[int]]:
        """Return the ids of source and target, drawn by the key and the row."""
        draw = self.draw(*key, row)
        return self.encode(pair.source, draw), self.encode(pair.target, draw)

    def encode(self, text: str, draw: Iterator[bool]) -> list[int]:
        """Return the ids of a text, with </s>.

        Args:
            text: of one side of a pair.
            draw: says of one merge after another whether it is left out.

        """
        normalizer, pre_tokenizer = self._tokenizer.normalizer, self._tokenizer.pre_tokenizer
        assert normalizer is not None
        assert pre_tokenizer is not None
        words = pre_tokenizer.pre_tokenize_str(normalizer.normalize_str(text))
        return [self._ids[piece] for word, _ in words for piece in self._pieces(word, draw)] + [self._end]

    def _pieces(self, word: str, draw: Iterator[bool]) -> list[str]:
        if word in self._whole:
            return [word]
        pieces, ranks = list(word), self._ranks
        never = len(ranks)
        while True:
            best, place = never, -1
            for at in range(len(pieces) - 1):
                rank = ranks.get((pieces[at], pieces[at + 1]), never)
                if rank < best and not next(draw):  # one that comes after the best so far need not be drawn
                    best, place = rank, at
            if place < 0:
                return pieces
            pieces[place : place + 2] = [pieces[place] + pieces[place + 1]]

    def draw(self, *key: int) -> Iterator[bool]:
        """Yield, for ever, whether a merge is left out: true with the probability p, by a key of numbers alone."""
        return chances(self.probability, *key)
