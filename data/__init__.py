"""Text in, batches of token ids out."""

from typing import TYPE_CHECKING

from vaswani.public_names import on_demand

if TYPE_CHECKING:
    from .batching import Shape as Shape
    from .cleaning import CleaningLimits as CleaningLimits
    from .cleaning import Drops as Drops
    from .cleaning import clean_pairs as clean_pairs
    from .duplicates import Deduplicated as Deduplicated
    from .duplicates import Repeats as Repeats
    from .duplicates import deduplicated as deduplicated
    from .encoding import EncodedGroup as EncodedGroup
    from .encoding import Ragged as Ragged
    from .mixture import Mixture as Mixture
    from .opening import Corpus as Corpus
    from .opening import Pair as Pair
    from .opening import PairsCorpus as PairsCorpus
    from .opening import open_corpus as open_corpus
    from .pairs import CorpusError as CorpusError
    from .pairs import NoPair as NoPair
    from .pairs import Rows as Rows
    from .retrying import RetryPolicy as RetryPolicy
    from .retrying import SourceLostError as SourceLostError
    from .scripts import scripts_of as scripts_of
    from .shuffling import Order as Order
    from .stream import Anchor as Anchor
    from .stream import Batch as Batch
    from .stream import Place as Place
    from .stream import StreamMismatchError as StreamMismatchError
    from .stream import TrainingStream as TrainingStream
    from .stream import Window as Window
    from .token_cache import TokenCache as TokenCache
    from .tokenizer import fingerprint as fingerprint
    from .tokenizer import learn_tokenizer as learn_tokenizer

__all__, __getattr__ = on_demand(
    __name__,
    {
        "batching": "Shape",
        "cleaning": "CleaningLimits Drops clean_pairs",
        "duplicates": "Deduplicated Repeats deduplicated",
        "encoding": "EncodedGroup Ragged",
        "mixture": "Mixture",
        "opening": "Corpus Pair PairsCorpus open_corpus",
        "pairs": "CorpusError NoPair Rows",
        "retrying": "RetryPolicy SourceLostError",
        "scripts": "scripts_of",
        "shuffling": "Order",
        "stream": "Anchor Batch Place StreamMismatchError TrainingStream Window",
        "token_cache": "TokenCache",
        "tokenizer": "fingerprint learn_tokenizer",
    },
)
