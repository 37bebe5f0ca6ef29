"""Training killed twenty times, each time resumed on another number of processes, trains what one process would.

Real processes go through the stream in lockstep, as data-parallel training does; in the place of a training step they
write down what they were given. A state is saved every few steps. SIGKILL comes at a drawn moment and to all, loader
workers too; the next life knows the last state and nothing else.
"""

import json
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing import get_context, set_start_method
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from corpus_of_numbers import LIMITS, NumberedCorpus, Seen, number_tokenizer, numbered_stream, seen
from transformers import PreTrainedTokenizerFast

from vaswani.data import TokenCache, TrainingStream, fingerprint, learn_tokenizer
from vaswani.data.directions import Tagged
from vaswani.data.mixture import Mixture
from vaswani.data.shuffling import Order
from vaswani.data.stream import MicroBatches
from vaswani.storage import write_text

B = 24
"""Micro-batches a step."""

SAVE_STEPS = 2
EPOCHS = 3
KILLS = 20

CORPUS = NumberedCorpus(
    (90, 140, 60, 120, 80, 130, 7, 110, 70, 100), bad_every=7, unreadable=frozenset((6, row) for row in range(7))
)
"""Group 6 gives no pair at all."""

BACK = NumberedCorpus((50, 20, 70), name="numbers back")
"""Read twice an epoch, where there are two directions."""

SPLITS = [(1, 5), (2, 2), (3, 1), (4, 0), (6, 1), (8, 0), (1, 0), (2, 5), (3, 2), (8, 1), (1, 2), (4, 1), (6, 0)]
"""Processes, and loader workers of each."""


PLAIN, DIRECTIONS = "one direction", "two directions with BPE-dropout"


@dataclass(frozen=True)
class Life:
    """What the processes of one life are told."""

    text: str
    """PLAIN or DIRECTIONS."""
    folder: Path
    number: int
    processes: int
    workers: int
    cached: bool
    kill: tuple[int, int] | None
    """The step, and the micro-batch or the saving in it, on which all are killed."""
    fence: int
    """The step that this life may not begin, however late the kill is."""

    @property
    def state(self) -> Path:
        return self.folder / "state.json"

    def journal(self, rank: int) -> Path:
        return self.folder / f"life {self.number}, process {rank}"


def tokenizer_of(text: str) -> PreTrainedTokenizerFast:
    if text == PLAIN:
        return number_tokenizer()
    words = ["one two 0 1 2 3 4 5 6 7 8 9 10 20 30"] * 3
    return learn_tokenizer(words, 290, show_progress=False, user_symbols=[">>a<<", ">>b<<"])


def killed_stream(text: str, tokenizer: PreTrainedTokenizerFast, cache: TokenCache | None = None) -> TrainingStream:
    if text == DIRECTIONS:
        corpus = Mixture([Tagged(CORPUS, ">>a<<"), Tagged(BACK, ">>b<<")], [1, 2])
        order = Order(11, 60, 3, window_groups=2, bpe_dropout=0.2)
        return TrainingStream(corpus, tokenizer, fingerprint(tokenizer), LIMITS, order, None, 1.0)
    return numbered_stream(
        CORPUS, tokenizer, seed=11, budget=40, streams=3, window_groups=2, cache=cache, max_unreadable=1.0
    )


# --- in the processes ---


def live(
    life: Life, rank: int, tokenizer: PreTrainedTokenizerFast, others: list[Connection], events: Connection
) -> None:
    """Train in lockstep up to the fence. `others` are process 0's lines to the others, or theirs to process 0."""
    os.setsid()  # a group of its own, with its loader workers, so that all of them can be killed
    set_start_method("fork", force=True)  # for the loader workers, as in a run; else it would be inherited

    def gather(thing: Any) -> list[Any]:
        """Process 0 gets what everyone gave, and nobody goes on before."""
        if rank > 0:
            try:
                others[0].send(thing)
                others[0].recv()
            except (EOFError, ConnectionError):  # process 0 was killed a moment before this one
                if life.kill is not None:
                    signal.sigtimedwait([], 60)
                raise
            return []
        things = [thing] + [other.recv() for other in others]
        for other in others:
            other.send(None)
        return things

    cache = TokenCache(life.folder / "packed") if life.cached else None
    stream = killed_stream(life.text, tokenizer, cache)
    if life.state.exists():
        stream.restore(json.loads(life.state.read_text()))
    first = stream.consumed // B
    gather("every process has read the state and has a group of its own")
    batches = iter(stream.loader(rank, life.processes, life.workers, pin_memory=False))
    with life.journal(rank).open("a") as journal:
        for step in range(first, life.fence):
            for number in range(rank, B, life.processes):
                events.send((step, number))
                batch = next(batches)
                stream.note(batch["place"])
                journal.write(json.dumps(seen(batch)) + "\n")
                journal.flush()  # what the system has, no kill of a process takes back
            notes = gather(stream.notes())
            if (step + 1) % SAVE_STEPS == 0:
                if rank == 0:
                    events.send((step, B))
                    write_text(life.state, json.dumps(stream.state((step + 1) * B, notes)))
                gather("the state is saved")
    if life.kill is not None:
        signal.pause()


# --- in the test ---


def start_and_kill(life: Life, tokenizer: PreTrainedTokenizerFast) -> list[int | None]:
    """Run the processes of a life until its kill, or to their end; return their exit codes.

    All of them, loader workers too, hold an end of `events`: when that is closed, none is left.
    """
    # Started from a clean process that has imported what they need: quick, and without a fork of this one's threads.
    context = get_context("forkserver")
    context.set_forkserver_preload(["vaswani.data", "tokenizers", "pytest"])
    events, tell = context.Pipe(duplex=False)
    lines = [context.Pipe() for _ in range(life.processes - 1)]
    ends = [[near for near, _ in lines], *([far] for _, far in lines)]
    processes = [
        context.Process(target=live, args=(life, rank, tokenizer, ends[rank], tell)) for rank in range(life.processes)
    ]
    for process in processes:
        process.start()
    for connection in (tell, *chain(*ends)):
        connection.close()
    try:
        reached = (-1, 0)
        while life.kill is None or reached < life.kill:
            reached = max(reached, events.recv())
    except EOFError:
        pass  # they came to their end
    finally:
        for process in processes:
            if process.is_alive():
                assert process.pid is not None
                with suppress(ProcessLookupError):  # it came to its end meanwhile
                    os.killpg(process.pid, signal.SIGKILL)
    with suppress(EOFError):
        while True:
            events.recv()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def whole_epochs(text: str, tokenizer: PreTrainedTokenizerFast) -> list[Seen]:
    """What one process trains on without interruption until three epochs are over, to the next save."""
    stream = killed_stream(text, tokenizer)
    batches = iter(MicroBatches(stream, 0, 1))
    found: list[Seen] = []
    while stream.epoch([stream.notes()]) < EPOCHS:
        for batch in islice(batches, B * SAVE_STEPS):
            stream.note(batch["place"])
            found.append(seen(batch))
    return found


def journalled(life: Life) -> Iterator[Seen]:
    """What the processes of a life wrote down; a kill may have come before the first line, or cut off the last."""
    for journal in filter(Path.exists, map(life.journal, range(life.processes))):
        for line in journal.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                number, epoch, rows, tensors = json.loads(line)
                yield Seen(number, epoch, tuple((group, row) for group, row in rows), tensors)


def rows_of_an_epoch(text: str) -> list[tuple[int, int]]:
    """Return the group and number of each row; groups of a mixture are counted through, one text after the other."""
    first = [0] if text == PLAIN else [CORPUS.groups, CORPUS.groups + BACK.groups]
    back = [(at + group, row) for at in first if text == DIRECTIONS for group, row in BACK.kept_rows()]
    return [*CORPUS.kept_rows(), *back]


@pytest.mark.slow
@pytest.mark.parametrize("text", [PLAIN, DIRECTIONS])
def test_a_run_killed_twenty_times_trains_what_an_uninterrupted_one_does(text: str, tmp_path: Path) -> None:
    tokenizer = tokenizer_of(text)
    expected = whole_epochs(text, tokenizer)
    steps = len(expected) // B
    draw = random.Random(20)
    committed: list[Seen] = []
    abandoned = 0
    first = 0
    for number, step in enumerate([*sorted(draw.sample(range(steps), KILLS)), None]):
        processes, workers = SPLITS[number % len(SPLITS)]
        # Every micro-batch of a step is a moment, and so is the writing of the state; that one is drawn more often.
        moment = draw.choice([draw.randrange(B), draw.randrange(B), B])
        kill = None if step is None else (max(step, first), moment)
        fence = max(steps, first) if kill is None else kill[0] + 2 * SAVE_STEPS
        life = Life(text, tmp_path, number, processes, workers, draw.random() < 0.5, kill, fence)
        codes = start_and_kill(life, tokenizer)
        assert codes == [0 if kill is None else -signal.SIGKILL] * processes, f"{life} ended otherwise"
        saved = json.loads(life.state.read_text())["consumed"] // B if life.state.exists() else 0
        assert saved >= first
        for batch in journalled(life):
            assert batch.number >= first * B, f"{life} went back behind its state"
            if batch.number < saved * B:
                committed.append(batch)
            else:
                abandoned += 1
        first = saved
    assert first >= steps
    assert abandoned > 0  # the kills did hit work that no state knew of
    committed.sort(key=lambda batch: batch.number)
    assert committed[: len(expected)] == expected
    assert [batch.number for batch in committed] == list(range(first * B))
    for epoch in range(EPOCHS):
        rows = Counter(row for batch in committed if batch.epoch == epoch for row in batch.rows)
        assert rows == Counter(rows_of_an_epoch(text)), f"epoch {epoch} lost or repeated rows"
