"""How the pairs of training are encoded anew in each epoch: with terms in their sources, in other pieces.

What is drawn follows from a key of numbers and the row alone.
"""

from transformers import PreTrainedTokenizerBase

from .bpe_dropout import BpeDropout
from .glossary.annotation import Annotator
from .pairs import Pair


class Segmentation:
    """Encodes pairs as an epoch has them.

    Args:
        tokenizer: encodes what is not cut into other pieces.
        dropout: cuts words into other pieces, if it is given.
        annotator: names terms in sources, if it is given.

    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, dropout: BpeDropout | None, annotator: Annotator | None
    ) -> None:
        self._tokenizer = tokenizer
        self._dropout = dropout
        self._annotator = annotator

    def pair(self, key: tuple[int, ...], row: int, pair: Pair) -> tuple[list[int], list[int]] | None:
        """Return the ids of source and target, each with </s>; None where they are as the tokenizer encodes the pair.

        Args:
            key: such as seed, epoch and row group.
            row: in the group.
            pair: as it was read.

        """
        named = pair if self._annotator is None else self._annotator.pair(key, row, pair)
        if self._dropout is not None:
            return self._dropout.pair(key, row, named)
        if named is pair:
            return None
        source, target = self._tokenizer.backend_tokenizer.encode_batch_fast(list(named))
        return source.ids, target.ids
