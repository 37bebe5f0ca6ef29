"""Text in, batches of token ids out."""

from .batching import Shape
from .cleaning import CleaningLimits, Drops, clean_pairs
from .duplicates import Deduplicated, Repeats, deduplicated
from .encoding import EncodedGroup, Ragged
from .mixture import Mixture
from .open_corpus import Corpus, Pair, PairsCorpus, open_corpus
from .pairs import CorpusError, NoPair, Rows
from .retrying import RetryPolicy, SourceLostError
from .scripts import scripts_of
from .shuffling import Order
from .stream import Anchor, Batch, Place, StreamMismatchError, TrainingStream, Window
from .token_cache import TokenCache
from .tokenizer import fingerprint, learn_tokenizer

__all__ = [
    "Anchor",
    "Batch",
    "CleaningLimits",
    "Corpus",
    "CorpusError",
    "Deduplicated",
    "Drops",
    "EncodedGroup",
    "Mixture",
    "NoPair",
    "Order",
    "Pair",
    "PairsCorpus",
    "Place",
    "Ragged",
    "Repeats",
    "RetryPolicy",
    "Rows",
    "Shape",
    "SourceLostError",
    "StreamMismatchError",
    "TokenCache",
    "TrainingStream",
    "Window",
    "clean_pairs",
    "deduplicated",
    "fingerprint",
    "learn_tokenizer",
    "open_corpus",
    "scripts_of",
]
