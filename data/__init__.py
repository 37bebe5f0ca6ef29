"""Text in, batches of token ids out."""

from .cleaning import Drops, Limits, clean_pairs
from .corpora import Corpus, Pair, PairsCorpus, open_corpus
from .order import Order
from .packed import PackedCache
from .stream import TrainingStream
from .tokenizer import fingerprint, learn_tokenizer

__all__ = [
    "Corpus",
    "Drops",
    "Limits",
    "Order",
    "PackedCache",
    "Pair",
    "PairsCorpus",
    "TrainingStream",
    "clean_pairs",
    "fingerprint",
    "learn_tokenizer",
    "open_corpus",
]
