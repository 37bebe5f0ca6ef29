"""The Hub on loopback of the tests, in a process of its own, counting what each row group costs."""

import multiprocessing
import sys
import threading
import time
from bisect import bisect_right
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from .wmt14_corpus import CONFIG

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))


class Counts(NamedTuple):
    """What was asked for so far; they subtract."""

    requests: int
    bytes: int
    groups: int
    """Row groups asked for, each as often as it was."""

    def since(self, earlier: "Counts") -> "Counts":
        """Return what was asked for after `earlier`."""
        return Counts(*(now - then for now, then in zip(self, earlier, strict=True)))


class CountingHub:
    """Serves a folder at `url` until it is closed; each answer with content is `delay` seconds late."""

    def __init__(self, folder: Path, delay: float = 0.0) -> None:
        context = multiprocessing.get_context("spawn")
        self._asked, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, folder, delay), daemon=True)
        self._process.start()
        self.url: str = self._asked.recv()

    def counts(self) -> Counts:
        """Return what was asked for since the beginning."""
        self._asked.send("counts")
        return self._asked.recv()

    def __enter__(self) -> "CountingHub":
        return self

    def __exit__(self, *_: object) -> None:
        self._asked.send("close")
        self._process.join(10)


def _serve(asked: Connection, folder: Path, delay: float) -> None:
    from loopback_hub import LoopbackHub

    starts = {str(path.relative_to(folder)): group_starts(path) for path in (folder / CONFIG).glob("*.parquet")}
    lock, counted = threading.Lock(), Counter[str]()

    def count(name: str, span: tuple[int, int] | None) -> None:
        if span is None:
            return
        time.sleep(delay)
        with lock:
            counted.update(requests=1, bytes=span[1] - span[0] + 1)
            # The last of the places is where the footer begins, which belongs to no row group.
            place = bisect_right(starts[name], span[0]) - 1
            counted["groups"] += starts[name][place : place + 1] == [span[0]] and place + 1 < len(starts[name])

    with LoopbackHub(folder, fault=count) as hub:
        asked.send(hub.url)
        while asked.recv() == "counts":
            with lock:
                asked.send(Counts(counted["requests"], counted["bytes"], counted["groups"]))


def group_starts(path: Path) -> list[int]:
    """Return where in a parquet file each row group begins, and where the last one ends."""
    footer = pq.read_metadata(path)
    columns = [footer.row_group(number).column(0) for number in range(footer.num_row_groups)]
    starts = [
        min(place for place in (column.dictionary_page_offset, column.data_page_offset) if place) for column in columns
    ]
    last = footer.row_group(footer.num_row_groups - 1)
    return [*starts, starts[-1] + sum(last.column(n).total_compressed_size for n in range(last.num_columns))]
