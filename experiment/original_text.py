"""The text of a run as plain files, line for line, for commands that read nothing else."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from vaswani.data import Corpus, Drops, Pair, clean_pairs
from vaswani.data.line_breaks import in_one_line
from vaswani.storage import atomic_write
from vaswani.training.reporting.progress import print_line

from .corpora import open_corpus, open_training_corpus, scorable, training_cleaning_limits
from .data_arguments import DataArguments


def scored_splits(data: DataArguments) -> list[str]:
    """Return the splits of a run's own text that it is scored on; further sets, NAME=FOLDER, are elsewhere."""
    return list(dict.fromkeys([data.validation_split, *(each for each in data.test_splits if "=" not in each)]))


def write_original(folder: Path, data: DataArguments) -> None:
    """Write the training text, each pair once, and the sets that are scored, as SPLIT.LANGUAGE; drops are reported."""
    drops = Drops()
    train: Corpus = open_training_corpus(replace(data, weights=[]))
    write_pairs(folder, data, "train", clean_pairs(train, training_cleaning_limits(data), drops))
    print_line(f"{train.name}: {drops.report()}")
    for split in scored_splits(data):
        drops = Drops()
        write_pairs(folder, data, split, scorable(open_corpus(data, split), data, drops))
        print_line(f"{split}: {drops.report()}")


def write_pairs(folder: Path, data: DataArguments, split: str, pairs: Iterable[Pair]) -> None:
    """Write pairs to the two files of a split."""
    with ExitStack() as stack:
        files = [stack.enter_context(atomic_write(path)) for path in paths_of(folder, data, split)]
        for pair in pairs:
            for file, side in zip(files, pair, strict=True):
                file.write(f"{in_one_line(side)}\n".encode())


def paths_of(folder: Path, data: DataArguments, split: str) -> tuple[Path, Path]:
    """Return the files of a split in a folder: sources and targets."""
    return folder / f"{split}.{data.source}", folder / f"{split}.{data.target}"


def lines_of(path: Path) -> Iterator[str]:
    """Yield the lines of a file that was written here."""
    with path.open("rb") as file:
        for row in file:
            yield row.removesuffix(b"\n").decode()
