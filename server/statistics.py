"""The metrics of a server for Prometheus."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
SENTENCES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class ServerStatistics:
    """Counters of one server; also the memory and CPU time of its process, where Linux reports them."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "vaswani_requests", "requests to translate, by status; 499: the client left", ["status"], registry=registry
        )
        self.in_progress = Gauge(
            "vaswani_requests_in_progress", "requests to translate, not answered", registry=registry
        )
        self.seconds = Histogram(
            "vaswani_request_seconds", "from a request to its answer", buckets=SECONDS, registry=registry
        )
        self.waiting = Gauge("vaswani_waiting_sentences", "sentences that wait for the model", registry=registry)
        self.sentences = Counter("vaswani_sentences", "sentences translated", registry=registry)
        self.tokens = Counter("vaswani_source_tokens", "tokens of these, padding apart", registry=registry)
        self.batch_sentences = Histogram(
            "vaswani_batch_sentences", "sentences in a batch", buckets=SENTENCES, registry=registry
        )
        self.batch_seconds = Histogram(
            "vaswani_batch_seconds", "the model at work on a batch", buckets=SECONDS, registry=registry
        )

    def count_batch(self, sources: list[list[int]], seconds: float) -> None:
        """Count a batch that was translated in so many seconds."""
        self.sentences.inc(len(sources))
        self.tokens.inc(sum(map(len, sources)))
        self.batch_sentences.observe(len(sources))
        self.batch_seconds.observe(seconds)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)


class Watched:
    """Counts the requests to one path, by status and seconds."""

    def __init__(self, app: ASGIApp, metrics: ServerStatistics, path: str) -> None:
        self.app, self.metrics, self.path = app, metrics, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record when a request arrives, and the status of its answer."""
        if scope["type"] != "http" or scope["path"] != self.path:
            return await self.app(scope, receive, send)
        status, came = 500, time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            with self.metrics.in_progress.track_inprogress():
                return await self.app(scope, receive, noted)
        finally:
            self.metrics.requests.labels(status).inc()
            self.metrics.seconds.observe(time.perf_counter() - came)
