"""Sentences of the text that a model was trained on, if that text still exists.

None of it is stored beside a model for this, since a text may be private.
"""

from collections.abc import Callable
from dataclasses import fields
from itertools import islice
from pathlib import Path

from vaswani.data import Corpus, Drops
from vaswani.data.cleaning import readable_rows
from vaswani.data.pairs import read_from
from vaswani.data.position import read_position
from vaswani.publishing import RunRecord, read_run
from vaswani.storage.records import as_json
from vaswani.training.checkpointing.checkpoints import sealed
from vaswani.training.trainer import POSITION

from .corpora import cleaning_limits, open_first_text
from .data_arguments import DataArguments

LOOKED_AT = 1_000
"""Rows from which sentences are taken."""
LARGEST = 1 << 30
"""The most bytes of a training text on the disk: checking a larger one, which must be read, takes too long."""


def training_sentences(run: Path, number: int, fits: Callable[[str], bool]) -> list[str]:
    """Return some sources of the text that a run was trained on, from short to long.

    Args:
        run: its folder.
        number: the most to return.
        fits: returns whether a sentence can be used.

    Returns:
        The sentences; none if the text is no longer on this machine, has changed, or is not known for certain.

    """
    try:
        record = read_run(run)
        data = data_of(record)
        corpus = open_first_text(data) if is_here(data.of_each_text()[0]) else None
        if corpus is None or corpus.fingerprint != known_text(run, record):
            return []
        rows = islice(readable_rows(corpus, range(corpus.groups), cleaning_limits(data), Drops()), LOOKED_AT)
        found = sorted({pair.source for _, _, pair in rows if fits(pair.source)}, key=lambda each: (len(each), each))
    except (ValueError, OSError, TypeError, KeyError):  # something else is there now
        return []
    return found if len(found) <= number else [found[len(found) * place // number] for place in range(number)]


def known_text(run: Path, record: RunRecord) -> str | None:
    """Return the fingerprint of a run's text: from run.json or, for earlier versions, from a checkpoint."""
    if record.training_text:
        return record.training_text
    for checkpoint in sealed(run):
        if (checkpoint / POSITION).is_file():
            return read_position(checkpoint / POSITION).text
    return None


def is_here(data: DataArguments) -> bool:
    """Return whether a text is built in, or is on the disk and small enough to check; no host is asked."""
    if data.dataset == "grammar" and data.data_dir is None:
        return True
    path = Path(str(data.data_dir or data.dataset))
    if not path.is_dir():
        return False
    return sum(each.stat().st_size for each in path.iterdir() if each.name.startswith(data.train_split)) <= LARGEST


def data_of(record: RunRecord) -> DataArguments:
    """Return the arguments of a run's text, without those of other versions that are unknown here."""
    known, had = {each.name for each in fields(DataArguments)}, as_json(record.data)
    return DataArguments(**{name: had[name] for name in known if had.get(name) is not None})


def text_of(train: Corpus) -> str:
    """Return the fingerprint of the text that --data_dir or --dataset named, before anything was left out of it."""
    corpus, _ = read_from(train, 0)
    return corpus.fingerprint
