"""Sentences that wait for the model. Sentences that arrive together are translated together.

One thread runs the model, and everything else happens in the event loop: while a batch is translated, further sentences
arrive, and the next batch is made of them. So batches grow with the load, and a sentence waits for others only the few
milliseconds between requests that are sent at the same moment.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from vaswani.translation.batches import batches
from vaswani.translation.hypotheses import BatchSearch, BeamSettings, Hypothesis

from .statistics import ServerStatistics

GATHERING = 0.002
"""Seconds that a sentence waits for others when the model is idle."""

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Sentence:
    """One sentence that waits."""

    source: list[int]
    beams: BeamSettings
    found: asyncio.Future[list[Hypothesis]]


class QueueFullError(Exception):
    """The queue is full."""

    def __init__(self, waiting: int, limit: int, retry_after: int) -> None:
        super().__init__(f"{waiting} sentences are waiting, and the limit is {limit}")
        self.retry_after = retry_after
        """Seconds until there should be room."""


class Queue:
    """The sentences that wait, and the thread that translates them."""

    def __init__(self, tokens_per_batch: int, max_waiting: int, metrics: ServerStatistics) -> None:
        """Wait for `run`.

        Args:
            tokens_per_batch: most source tokens in a batch, padding counted, times beams; a longer one goes alone.
            max_waiting: most sentences that wait.
            metrics: counts the sentences.

        """
        self.tokens_per_batch, self.max_waiting, self.metrics = tokens_per_batch, max_waiting, metrics
        self.waiting: dict[Sentence, None] = {}  # in the order of their arrival
        self.arrived = asyncio.Event()
        self.seconds_a_sentence = 0.0  # in the batch before
        metrics.waiting.set_function(lambda: len(self.waiting))

    async def translate(self, sources: Sequence[list[int]], beams: BeamSettings) -> list[list[Hypothesis]]:
        """Return the hypotheses of each sentence. If this is cancelled, its sentences that still wait are dropped.

        Raises:
            QueueFullError: there is no room for so many.

        """
        if len(self.waiting) + len(sources) > self.max_waiting:
            needed = self.seconds_a_sentence * len(self.waiting)
            raise QueueFullError(len(self.waiting), self.max_waiting, max(1, math.ceil(needed)))
        loop = asyncio.get_running_loop()
        sentences = [Sentence(source, beams, loop.create_future()) for source in sources]
        self.waiting.update(dict.fromkeys(sentences))
        self.arrived.set()
        try:
            return await asyncio.gather(*(each.found for each in sentences))
        finally:
            for each in sentences:
                self.waiting.pop(each, None)

    async def run(self, search: Callable[[BeamSettings], BatchSearch], worker: ThreadPoolExecutor) -> None:
        """Translate arriving sentences, each with the search that `search` returns for its beams, until cancelled."""
        while True:
            if not self.waiting:
                self.arrived.clear()
                await self.arrived.wait()
                await asyncio.sleep(GATHERING)
            batch = next_batch(self.waiting, self.tokens_per_batch)
            if batch:
                for each in batch:
                    del self.waiting[each]
                await self.translate_batch(batch, search(batch[0].beams), worker)

    async def translate_batch(self, batch: list[Sentence], search: BatchSearch, worker: ThreadPoolExecutor) -> None:
        """Translate one batch, and give the results to those who wait for them."""
        sources, started = [each.source for each in batch], time.perf_counter()
        try:
            found = await asyncio.get_running_loop().run_in_executor(worker, search, sources)
        except Exception as error:  # report it to those who asked, and continue for the others
            log.exception("a batch of %d sentences failed", len(batch))
            for each in batch:
                if not each.found.done():
                    each.found.set_exception(error)
            return
        self.seconds_a_sentence = (time.perf_counter() - started) / len(batch)
        self.metrics.count_batch(sources, time.perf_counter() - started)
        for each, hypotheses in zip(batch, found, strict=True):
            if not each.found.done():  # its client may be gone
                each.found.set_result(hypotheses)


def next_batch(waiting: Iterable[Sentence], tokens_per_batch: int) -> list[Sentence]:
    """Return a batch of similar lengths around the sentence that has waited longest, so that each gets its turn."""
    here = list(waiting)
    if not here:
        return []
    oldest = here[0]
    alike = [each for each in here if each.beams == oldest.beams]
    cut = batches([len(each.source) for each in alike], tokens_per_batch // oldest.beams.number)
    return next([alike[place] for place in batch] for batch in cut if 0 in batch)
