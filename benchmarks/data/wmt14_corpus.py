"""Write a corpus as large as WMT 2014 English-German, without its text, as the Hub keeps it.

python -m benchmarks.data.wmt14_corpus FOLDER                     4.5M pairs: about 1.4 GB
python -m benchmarks.data.wmt14_corpus FOLDER --pairs 60000       to try the other benchmarks quickly

A row is one or more sentences of the built-in grammar, their number drawn from a heavy-tailed distribution, so that
lengths are like those of WMT14. The grammar has few words; so that a vocabulary has something to learn, one word in
six is replaced by an invented one, drawn from a Zipf distribution without end. The same seed gives the same rows.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from tqdm import tqdm

from vaswani.data.grammar import GrammarCorpus
from vaswani.data.pairs import ROWS_PER_GROUP, Pair
from vaswani.data.parquet import ParquetCorpus
from vaswani.storage import atomic_write, write_text

CONFIG = "de-en"
SHARDS = 3
SIDES = ("de", "en")  # in the order of WMT14's columns
MEDIAN_SENTENCES, SPREAD, MOST_SENTENCES = 1.75, 0.7, 11
INVENTED_SHARE, ZIPF = 1 / 6, 1.2
VARIANTS = 3
"""How often a sentence of the grammar is in the pool, each time with other invented words."""

_CONSONANTS = [
    "b",
    "br",
    "d",
    "f",
    "g",
    "gr",
    "h",
    "k",
    "kl",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "sch",
    "st",
    "t",
    "tr",
    "w",
]
_SYLLABLES = [head + vowel + tail for head in _CONSONANTS for vowel in "aeiou" for tail in ("", "n", "r")]

CARD = """---
language: [de, en]
task_categories: [translation]
configs:
- config_name: {config}
  default: true
  data_files:
  - split: train
    path: {config}/train-*
  - split: validation
    path: {config}/validation-*
  - split: test
    path: {config}/test-*
---
As many pairs as WMT 2014 English-German, of generated text. Written by benchmarks/data/wmt14_corpus.py.
"""


class Pool:
    """Grammatical pairs of one split to make rows of, with invented words among the others.

    Args:
        split: of the grammar.
        groups: of 1,000 pairs, read from the grammar by two processes.
        seed: of the invented words.

    """

    def __init__(self, split: str, groups: int, seed: int) -> None:
        with ProcessPoolExecutor(2) as readers:
            read = readers.map(_read, [split] * groups, [groups] * groups, range(groups), chunksize=4)
            pairs = [pair for group in tqdm(read, f"Grammar, {split}", groups, unit=" groups") for pair in group]
        generator = np.random.default_rng([seed, 0])
        self.texts = {
            side: pa.concat_arrays([with_invented_words(texts, generator) for _ in range(VARIANTS)])
            for side, texts in (
                ("de", pa.array([pair.target for pair in pairs])),
                ("en", pa.array([pair.source for pair in pairs])),
            )
        }

    def rows(self, number: int, generator: np.random.Generator) -> pa.StructArray:
        """Return `number` rows, each a `translation` record."""
        sentences = np.ceil(generator.lognormal(np.log(MEDIAN_SENTENCES), SPREAD, number))
        ends = np.cumsum(np.minimum(sentences, MOST_SENTENCES).astype(np.int32), dtype=np.int32)
        chosen = pa.array(generator.integers(len(self.texts["en"]), size=int(ends[-1])))
        offsets = pa.array(np.concatenate([[0], ends]).astype(np.int32))
        joined = [
            pc.binary_join(pa.ListArray.from_arrays(offsets, self.texts[side].take(chosen)), " ") for side in SIDES
        ]
        return pa.StructArray.from_arrays(joined, SIDES)


def _read(split: str, groups: int, group: int) -> list[Pair]:
    return GrammarCorpus(split, groups).read(group)


def with_invented_words(texts: pa.Array, generator: np.random.Generator) -> pa.Array:
    """Replace one word in six by an invented one; words with a mark of punctuation stay."""
    split = pc.split_pattern(texts, " ")
    words = split.flatten()
    chosen = pc.and_(
        pa.array(generator.random(len(words)) < INVENTED_SHARE), pc.match_substring_regex(words, r"^\pL+$")
    )
    ranks = generator.zipf(ZIPF, pc.sum(chosen).as_py())
    words = pc.replace_with_mask(words, chosen, pa.array([invented_word(rank) for rank in ranks.tolist()]))
    return pc.binary_join(pa.ListArray.from_arrays(split.offsets, words), " ")


def invented_word(rank: int) -> str:
    """Return the invented word of a rank: two to four syllables, and the same rank the same word."""
    number = rank * 2_654_435_761 % len(_SYLLABLES) ** 4  # scatters neighbours, so that ranks do not show in letters
    syllables = []
    for _ in range(min(2 + len(f"{rank}") // 3, 4)):
        number, syllable = divmod(number, len(_SYLLABLES))
        syllables.append(_SYLLABLES[syllable])
    return "".join(syllables)


def write(path: Path, pool: Pool, rows: int, key: Sequence[int]) -> Iterator[pa.StructArray]:
    """Write a file in row groups of 1,000, and yield what went into each."""
    generator = np.random.default_rng(key)
    schema = pa.schema([("translation", pa.struct([(side, pa.string()) for side in SIDES]))])
    with atomic_write(path) as file, pq.ParquetWriter(file, schema) as writer:
        for first in range(0, rows, ROWS_PER_GROUP):
            group = pool.rows(min(ROWS_PER_GROUP, rows - first), generator)
            writer.write_table(pa.table([group], schema), row_group_size=ROWS_PER_GROUP)
            yield group


def open_written(folder: Path) -> ParquetCorpus:
    """Open the training split of a written folder from disk, English to German, in the order that the Hub gives it."""
    files = sorted(str(path) for path in (folder / CONFIG).glob("train-*.parquet"))
    return ParquetCorpus(str(folder), files, "", "en", "de")


def words_of(group: pa.StructArray) -> NDArray[np.int64]:
    """Count the words of each row, `[n, 2]`, German and English."""
    return np.stack([np.asarray(pc.add(pc.count_substring(group.field(side), " "), 1)) for side in SIDES], 1)


def summary(words: NDArray[np.int64]) -> dict[str, dict[str, float]]:
    """Describe the lengths `[N, 2]` of both sides."""
    return {
        side: {
            "mean": round(float(column.mean()), 2),
            "median": float(np.median(column)),
            "p95": float(np.percentile(column, 95)),
            "max": float(column.max()),
        }
        for side, column in zip(SIDES, words.T, strict=True)
    }


def main() -> None:
    """Write the folder and say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder to write to")
    parser.add_argument("--pairs", type=int, default=4_508_785, help="pairs of the training split")
    parser.add_argument("--held_out_pairs", type=int, default=3_000, help="pairs of validation and of test, each")
    parser.add_argument("--pool_groups", type=int, default=400, help="groups of 1,000 grammatical pairs to draw from")
    parser.add_argument("--seed", type=int, default=0, help="of the random draws (default: %(default)s)")
    given = parser.parse_args()
    if given.pairs < SHARDS * ROWS_PER_GROUP:
        sys.exit(f"--pairs is {given.pairs}; give {SHARDS * ROWS_PER_GROUP} or more, a row group for each file")
    started = time.monotonic()
    (given.folder / CONFIG).mkdir(parents=True, exist_ok=True)
    write_text(given.folder / "README.md", CARD.format(config=CONFIG))
    pool = Pool("train", given.pool_groups, given.seed)
    pooled = time.monotonic() - started
    ends = [given.pairs * shard // SHARDS for shard in range(SHARDS + 1)]
    counts = []
    with tqdm(desc="train", total=given.pairs, unit=" rows", unit_scale=True) as bar:
        for shard, (first, end) in enumerate(pairwise(ends)):
            path = given.folder / CONFIG / f"train-{shard:05}-of-{SHARDS:05}.parquet"
            for group in write(path, pool, end - first, [given.seed, 1, shard]):
                counts.append(words_of(group))
                bar.update(len(group))
    for number, split in enumerate(("validation", "test"), 2):
        path = given.folder / CONFIG / f"{split}-00000-of-00001.parquet"
        for _ in write(path, Pool(split, 3, given.seed), given.held_out_pairs, [given.seed, number]):
            pass
    figures = {
        "pairs": given.pairs,
        "words": summary(np.concatenate(counts)),
        "seconds for the pool": round(pooled, 1),
        "seconds": round(time.monotonic() - started, 1),
        "bytes": sum(path.stat().st_size for path in (given.folder / CONFIG).iterdir()),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
