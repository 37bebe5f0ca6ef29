"""Learn a vocabulary of the paper's size from a corpus that wmt14_corpus.py wrote; tell what that took.

python -m benchmarks.data.wmt14_tokenizer FOLDER --tokenizer_pairs 500000

The vocabulary is left in FOLDER/tokenizer, for streaming.py.
"""

import argparse
import json
import time
from pathlib import Path

from tqdm import tqdm
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from benchmarks.measuring.process_memory import peak_memory
from vaswani.data import CleaningLimits, Drops, fingerprint, learn_tokenizer
from vaswani.data.cleaning import readable_rows
from vaswani.experiment.caches import sample_of_groups
from vaswani.storage import atomic_files

from .wmt14_corpus import open_written


def open_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Return a vocabulary that was learned before."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    return tokenizer


def main() -> None:
    """Learn, write, and print seconds and bytes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder that wmt14_corpus.py wrote")
    parser.add_argument("--tokenizer_pairs", type=int, default=500_000, help="drawn by whole row groups")
    parser.add_argument("--vocab_size", type=int, default=37_000, help="tokens of both languages together")
    parser.add_argument("--seed", type=int, default=0, help="of the random draws (default: %(default)s)")
    given = parser.parse_args()
    corpus = open_written(given.folder)
    before = peak_memory()
    started, used = time.monotonic(), time.process_time()
    groups = sample_of_groups(corpus, given.tokenizer_pairs, given.seed)
    drops = Drops()
    rows = readable_rows(corpus, tqdm(groups, unit=" groups"), CleaningLimits(), drops)
    tokenizer = learn_tokenizer((side for _, _, pair in rows for side in pair), given.vocab_size)
    figures = {
        "pairs": len(groups) * corpus.rows // corpus.groups,
        "symbols": len(tokenizer),
        "fingerprint": fingerprint(tokenizer),
        "seconds": round(time.monotonic() - started, 1),
        "processor_seconds": round(time.process_time() - used, 1),
        "peak_memory": peak_memory(),
        "memory_before": before,
    }
    with atomic_files(given.folder / "tokenizer") as draft:
        tokenizer.save_pretrained(draft)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
