"""Sources of sentence pairs: the built-in grammar, a user's folder, or the Hub; and sentences with trees."""

from pathlib import Path

from vaswani.storage.cache_folder import default_cache

from .cleaning import REASONS, UNREADABLE
from .folders import open_folder
from .hub import open_hub
from .pairs import Corpus, NoPair, Pair, PairsCorpus, Row, Swapped
from .parquet import LocalParquet
from .retrying import RetryPolicy
from .splits import choose_split
from .tables import JsonLinesCorpus, TsvCorpus
from .text_files import TextFilesCorpus
from .trees import TREES, open_treebank

__all__ = [
    "Corpus",
    "JsonLinesCorpus",
    "LocalParquet",
    "NoPair",
    "Pair",
    "PairsCorpus",
    "Row",
    "Swapped",
    "TextFilesCorpus",
    "TsvCorpus",
    "open_corpus",
]


def open_corpus(
    *,
    dataset: str | None = None,
    config: str | None = None,
    data_dir: str | None = None,
    split: str,
    source: str,
    target: str,
    patience: RetryPolicy = RetryPolicy(),  # noqa: B008  (frozen)
    tsv_quoting: str | None = None,
    cache_dir: str | None = None,
) -> Corpus:
    """Open one split of one source of pairs.

    Args:
        dataset: "grammar", the built-in corpus, or the name of a Hub data set.
        config: its configuration, if it has several.
        data_dir: in place of dataset, a folder with {split}.{source} and {split}.{target}, or with a table of both
            (`folders.known_forms`).
        split: its name, or an unambiguous prefix of it; "validation" also finds valid, val and dev.
        source: a language code, which is a file ending, or a column (flat, or inside a `translation` record).
        target: the same; "trees" reads a treebank: data_dir holds bracketed trees (`trees.treebank`), or the dataset is
            "grammar".
        patience: how long to try a network that does not answer.
        tsv_quoting: what quotation marks in TSV files mean: "none", text; "spreadsheet", quoted cells as spreadsheets
            and pandas write them; None, text, but a file that looks quoted is refused.
        cache_dir: where the rows of documents (TMX, XLIFF, PO, ...) are kept; None: the usual cache folder.

    Raises:
        ValueError: this does not name one corpus, or none of its first rows can be read; the message names what exists
            and the flag that chooses.

    """
    if (dataset is None) == (data_dir is None):
        given = "neither" if dataset is None else "both"
        raise ValueError(f'Give --dataset ("grammar", or a name on the Hub) or --data_dir (a folder); {given} given.')
    if source == target:
        raise ValueError(f'Source and target are both "{source}". Give two languages.')
    if TREES in (source, target):
        corpus = _open_trees(dataset, data_dir, split, source)
    elif data_dir is not None:
        cache = Path(cache_dir or default_cache()).expanduser()
        corpus = open_folder(Path(data_dir), split, source, target, tsv_quoting, cache)
    elif dataset == "grammar":
        corpus = _open_grammar(split, source, target)
    else:
        corpus = open_hub(str(dataset), config, split, source, target, patience, tsv_quoting)
    first = corpus.read(0)
    bad = [row for row in first if isinstance(row, NoPair) and row.reason in UNREADABLE]
    if bad and len(bad) == len(first):
        reason, where = bad[0]
        raise ValueError(
            f"{corpus.name}: the first {len(bad):,} rows are all {reason}: {REASONS[reason]}. See {where}."
        )
    return corpus


def _open_trees(dataset: str | None, data_dir: str | None, split: str, source: str) -> Corpus:
    if source == TREES:
        raise ValueError(f"Trees can only be the target. Give --direction en-{TREES}, not {TREES}-...")
    if data_dir is not None:
        return open_treebank(Path(data_dir), split)
    if dataset != "grammar":
        raise ValueError(
            f'Trees come from files (--data_dir) or are built in (--dataset grammar), not from "{dataset}".'
        )
    from .trees.builtin import SPLITS, BuiltinTreebank

    return BuiltinTreebank(choose_split(split, SPLITS, "The built-in treebank"))


def _open_grammar(split: str, source: str, target: str) -> Corpus:
    from .grammar import SPLITS, GrammarCorpus

    if {source, target} != {"en", "de"}:
        raise ValueError(f'The built-in corpus is of "en" and "de", not "{source}" and "{target}".')
    corpus = GrammarCorpus(choose_split(split, SPLITS, "The built-in corpus"))
    return corpus if source == "en" else Swapped(corpus)
