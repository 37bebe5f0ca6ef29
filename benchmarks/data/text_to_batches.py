"""Pairs a second from text to batches: each text encoded as a whole, word by word, and from the packed cache.

python -m benchmarks.data.text_to_batches MODEL --data_dir FOLDER [FOLDER ...] --direction en-de

MODEL gives the vocabulary; the text of all folders is one epoch. A way is given a fresh state in each round, so it is
the first epoch of a run that is measured: no word is known yet. Processor time of one thread, as a run has it in each
loader worker.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from benchmarks.measuring.flags import add_rounds
from benchmarks.measuring.machine import machine
from benchmarks.measuring.report import add_output, leave
from benchmarks.measuring.turns import against, in_turn
from vaswani.data import CleaningLimits, Corpus, Mixture, Order, TokenCache, open_corpus
from vaswani.data.batching import model_inputs
from vaswani.data.encoding import Encode, EncodedGroup, encode, encode_group
from vaswani.data.stream import build_window
from vaswani.data.token_cache import GroupReader
from vaswani.data.word_encoding import WordEncoder
from vaswani.translation.loading import load_tokenizer

LIMITS = CleaningLimits()


def corpus_of(folders: list[Path], direction: str) -> Corpus:
    """Return the training text of all folders as one."""
    source, target = direction.split("-")
    parts = [open_corpus(data_dir=str(each), split="train", source=source, target=target) for each in folders]
    return parts[0] if len(parts) == 1 else Mixture(parts, [1] * len(parts))


def an_epoch(read: Callable[[int], EncodedGroup], corpus: Corpus, order: Order, padding: int) -> int:
    """Make all batches of an epoch, a window after the other; returns the number of pairs."""
    pairs = 0
    for number in range(-(-corpus.groups // order.window_groups)):
        window = build_window(read, corpus.groups, order, 0, 0, number)
        for place in range(len(window.batches)):
            batch = window.batch(place)
            model_inputs(batch.sources, batch.targets, padding, batch.shape)
            pairs += len(batch.sources)
    return pairs


def timed(read: Callable[[int], EncodedGroup], corpus: Corpus, order: Order, padding: int) -> float:
    """Return the seconds of the processor for an epoch."""
    began = time.process_time()
    an_epoch(read, corpus, order, padding)
    return time.process_time() - began


def main() -> None:
    """Measure, and leave a report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder of a trained model or of its tokenizer")
    parser.add_argument("--data_dir", type=Path, nargs="+", required=True, help="folders with training text")
    parser.add_argument("--direction", required=True, help="languages, such as en-de")
    parser.add_argument("--tokens_per_batch", type=int, default=4096, help="tokens a side (default: %(default)s)")
    add_rounds(parser, 3)
    add_output(parser)
    asked = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    corpus, tokenizer = corpus_of(asked.data_dir, asked.direction), load_tokenizer(asked.model)
    order = Order(seed=1, tokens_per_batch=asked.tokens_per_batch, streams=1, window_groups=64)
    padding = int(tokenizer.pad_token_id)

    def fresh(encoder: Callable[[PreTrainedTokenizerBase], Encode]) -> float:
        encode_texts = encoder(tokenizer)
        return timed(lambda group: encode_group(corpus, group, encode_texts, LIMITS), corpus, order, padding)

    with tempfile.TemporaryDirectory() as folder:
        packed = GroupReader(corpus, tokenizer, LIMITS, TokenCache(Path(folder)))
        pairs = an_epoch(packed, corpus, order, padding)
        ways = {
            "each text as a whole": lambda: fresh(lambda given: partial(encode, given)),
            "word by word": lambda: fresh(WordEncoder),
            "from the packed cache": lambda: timed(packed, corpus, order, padding),
        }
        seconds = in_turn(ways, asked.rounds)
    rows = {name: against(each, seconds["each text as a whole"]) for name, each in seconds.items()}
    table = ["| way | pairs a second of one core | speed |", "|---|---:|---:|"]
    table += [
        f"| {name} | {pairs / row['seconds']:,.0f} ({pairs / row['most']:,.0f} to {pairs / row['least']:,.0f}) "
        f"| {row['speed']:.2f} ({row['speed_least']:.2f} to {row['speed_most']:.2f}) |"
        for name, row in rows.items()
    ]
    about = machine("torch", "tokenizers", "transformers") | {
        "pairs": f"{pairs:,}",
        "vocabulary": f"{len(tokenizer):,}",
    }
    leave(asked.output, about, "\n".join(table), {"pairs": pairs, "seconds": seconds})


if __name__ == "__main__":
    main()
