"""Text in, batches of token ids out."""

from .cleaning import Drops, Limits, clean_pairs
from .corpora import Corpus, Pair, PairsCorpus, open_corpus
from .duplicates import deduplicated
from .mixture import Mixture
from .order import Order
from .packed import PackedCache
from .pairs import CorpusError
from .patience import Patience, SourceLostError
from .scripts import scripts_of
from .stream import StreamMismatchError, TrainingStream
from .tokenizer import fingerprint, learn_tokenizer

__all__ = [
    "Corpus",
    "CorpusError",
    "Drops",
    "Limits",
    "Mixture",
    "Order",
    "PackedCache",
    "Pair",
    "PairsCorpus",
    "Patience",
    "SourceLostError",
    "StreamMismatchError",
    "TrainingStream",
    "clean_pairs",
    "deduplicated",
    "fingerprint",
    "learn_tokenizer",
    "open_corpus",
    "scripts_of",
]
