"""One measurement of streaming, in a process of its own; started by streaming.py, which says what is measured.

Its environment names the Hub, and its one argument is a `Task` as JSON. It prints what it found as JSON.
"""

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.measuring.process_memory import peak_memory

_QUIET = 2.0
"""Seconds in which an idle worker uses next to no processor time."""


@dataclass(frozen=True)
class Task:
    """What to measure."""

    order: dict[str, Any]
    """The fields of `vaswani.data.Order`."""
    workers: int
    tokenizer: str
    """Folder."""
    warm_up: int = 0
    """Batches before the measured ones."""
    batches: int = 0
    """Batches to take the time of, after the warm-up; 0 for none."""
    position: str | None = None
    """File of a saved position to begin from."""
    whole: bool = True
    """Whether to go on, without a speed to measure, until every stream has its window and the next."""


def measure(task: Task) -> dict[str, Any]:
    """Open, read the first batch, one of every stream, and then, if asked, many more."""
    started = time.monotonic()
    from vaswani.data import CleaningLimits, Order, RetryPolicy, TrainingStream, fingerprint
    from vaswani.data.hub import open_hub

    from .wmt14_tokenizer import open_tokenizer

    opening = time.monotonic()
    corpus = open_hub("owner/name", "de-en", "train", "en", "de", RetryPolicy(60))
    opened = time.monotonic()
    tokenizer = open_tokenizer(Path(task.tokenizer))
    order = Order(**task.order)
    stream = TrainingStream(corpus, tokenizer, fingerprint(tokenizer), CleaningLimits(), order)
    if task.position:
        position = json.loads(Path(task.position).read_text())
        stream.restore(stream.state(0, [stream.notes()]) | position)
    batches: Any = iter(stream.loader(0, 1, task.workers, pin_memory=False))
    ready = time.monotonic()
    next(batches)
    first = time.monotonic()
    found: dict[str, Any] = {
        "import_s": opening - started,
        "open_s": opened - opening,
        "tokenizer_and_loader_s": ready - opened,
        "first_batch_s": first - opening,
        "groups": corpus.groups,
        "rows": corpus.rows,
    }
    if task.whole or task.batches:
        for _ in islice(batches, order.streams - 1):
            pass
        found["every_stream_s"] = time.monotonic() - opening
    processes = [worker.pid for worker in batches._workers]
    if task.batches:
        for _ in islice(batches, task.warm_up):
            pass
        say("begin")
        began, pairs, tokens = time.monotonic(), 0, 0
        used = processor_time(processes)
        for batch in islice(batches, task.batches):
            pairs += len(batch["input_ids"])
            tokens += int(batch["attention_mask"].sum()) + int((batch["labels"] != -100).sum())
        seconds = time.monotonic() - began
        say("end")
        used = processor_time(processes) - used
        found |= {"seconds": seconds, "pairs": pairs, "tokens": tokens, "worker_processor_s": used}
    if task.whole:
        for _ in islice(batches, order.streams):  # a stream reads ahead from its second batch on
            pass
        wait_until_idle(processes)
    memory = {"main": peak_memory(), "workers": [peak_memory(process) for process in processes]}
    return found | {"task": asdict(task), "peak_memory": memory}


def wait_until_idle(processes: list[int]) -> None:
    """Wait until the workers have read all that they read ahead, so that they hold as much as they ever do."""
    used = processor_time(processes)
    while True:
        time.sleep(_QUIET)
        before, used = used, processor_time(processes)
        if used - before < 0.05 * _QUIET:
            return


def processor_time(processes: list[int]) -> float:
    """Return the seconds of processor time that processes have used together."""
    fields = [Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split() for process in processes]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def say(word: str) -> None:
    """Tell streaming.py where in the measurement this process is, and wait until it has noted it."""
    print(word, flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    found = measure(Task(**json.loads(sys.argv[1])))
    print(json.dumps(found), flush=True)
