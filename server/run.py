"""A server from its first connection to the last answer."""

import logging
import signal
import sys
from collections.abc import Callable

import uvicorn

from .app import SPARE_REQUESTS, Loaded, ServerSettings, build_app
from .sockets import address, listen

SPARE_CONNECTIONS = 64
"""In addition to those of accepted requests: for /health, /metrics, and requests that are refused."""


def serve(settings: ServerSettings, load: Callable[[], Loaded], host: str, port: int) -> None:
    """Serve until SIGTERM or an interrupt; then accept nothing more, answer what was accepted, and end with code 0.

    Args:
        settings: the settings and limits of the server.
        load: returns the model, while /health says that it is being loaded.
        host: address to listen on.
        port: 0 takes a free one, which is printed on stderr.

    Raises:
        ValueError: the port is not available, or the model cannot be loaded.
        SystemExit: the end, code 0.

    """
    listening = listen(host, port)
    failures: list[Exception] = []

    def failed(error: Exception) -> None:
        failures.append(error)
        server.should_exit = True

    logging.basicConfig(format="%(levelname)s: %(message)s")
    app = build_app(settings, load, failed)
    connections = settings.max_waiting + SPARE_REQUESTS + SPARE_CONNECTIONS
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", limit_concurrency=connections))
    # uvicorn raises the signal again when everything is answered, but an end on request is no failure.
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, lambda *_: sys.exit(0))
    at = f"http://{address(host, listening.getsockname()[1])}"
    print(f"{settings.name} on {at}, described on {at}/docs", file=sys.stderr, flush=True)
    server.run(sockets=[listening])
    if failures:
        raise ValueError(f"the model cannot be loaded: {failures[0]}") from failures[0]
