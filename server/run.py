"""A server from its first connection to the last answer."""

import logging
import signal
import sys
from collections.abc import Callable

import uvicorn

from .app import SPARE_REQUESTS, Loaded, ServerSettings, build_app
from .sockets import address, listen

SPARE_CONNECTIONS = 64
"""Beside those whose requests are let in: for /health, /metrics, and to be told to come back."""


def serve(settings: ServerSettings, load: Callable[[], Loaded], host: str, port: int) -> None:
    """Serve until SIGTERM or an interrupt; then take nothing more, answer what was taken, and end with code 0.

    Args:
        settings: what the server grants.
        load: returns the model, while /health says that it is being loaded.
        host: address to listen on.
        port: 0 takes a free one; which, is said on stderr.

    Raises:
        ValueError: the port cannot be had, or the model cannot be loaded.
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
    # uvicorn raises the signal again when all is answered: to be asked to end and to have ended is no failure.
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, lambda *_: sys.exit(0))
    at = f"http://{address(host, listening.getsockname()[1])}"
    print(f"{settings.name} on {at}, described on {at}/docs", file=sys.stderr, flush=True)
    server.run(sockets=[listening])
    if failures:
        raise ValueError(f"the model cannot be loaded: {failures[0]}") from failures[0]
