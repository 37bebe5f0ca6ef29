"""Text in, batches of token ids out."""

from .cleaning import CleaningLimits, Drops, clean_pairs
from .duplicates import deduplicated
from .mixture import Mixture
from .open_corpus import Corpus, Pair, PairsCorpus, open_corpus
from .pairs import CorpusError
from .retrying import RetryPolicy, SourceLostError
from .scripts import scripts_of
from .shuffling import Order
from .stream import StreamMismatchError, TrainingStream
from .token_cache import TokenCache
from .tokenizer import fingerprint, learn_tokenizer

__all__ = [
    "CleaningLimits",
    "Corpus",
    "CorpusError",
    "Drops",
    "Mixture",
    "Order",
    "Pair",
    "PairsCorpus",
    "RetryPolicy",
    "SourceLostError",
    "StreamMismatchError",
    "TokenCache",
    "TrainingStream",
    "clean_pairs",
    "deduplicated",
    "fingerprint",
    "learn_tokenizer",
    "open_corpus",
    "scripts_of",
]
