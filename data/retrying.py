"""Waiting for a network: what passes is tried again, with a line for the reader, up to a limit."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

_BUSY = (408, 425, 429, 500, 502, 503, 504)

# By name, because the library that speaks HTTP changes with the version of the Hub's client and with the address.
_TRANSIENT = {"TransportError", "ClientConnectionError", "ClientPayloadError", "ConnectionError", "TimeoutError"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RetryPolicy:
    """How long to try a source that does not answer."""

    seconds: float = 600.0
    first_wait: float = 1.0
    longest_wait: float = 60.0


class SourceLostError(ConnectionError):
    """A source did not answer for as long as was agreed."""


def is_transient(error: BaseException | None) -> bool:
    """Return whether an error may be gone at the next try: a cut or silent connection, or a server that is busy.

    The libraries between dress such errors up, some as a file that does not exist, so the causes are looked at too.
    """
    while error is not None:
        if isinstance(error, SourceLostError):
            return False
        status = getattr(getattr(error, "response", None), "status_code", None) or getattr(error, "status", None)
        if status in _BUSY or _TRANSIENT & {kind.__name__ for kind in type(error).__mro__}:
            return True
        error = error.__cause__ or error.__context__
    return False


def with_retries(action: Callable[[], T], what: str, patience: RetryPolicy) -> T:
    """Return what `action` returns, trying again while its errors are of the passing kind.

    Raises:
        SourceLostError: no try went well within `patience.seconds`.

    """
    started, wait = time.monotonic(), patience.first_wait
    while True:
        try:
            return action()
        except Exception as error:
            if not is_transient(error):
                raise
            gone = time.monotonic() - started
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            if gone + wait > patience.seconds:
                raise SourceLostError(
                    f"{what} did not come within {patience.seconds:g} s ({said}). Look at the network, then go on with "
                    "--resume; --source_timeout waits longer"
                ) from error
            _log.warning("%s: %s. Trying again in %.0f s (%.0f of %g s)", what, said, wait, gone, patience.seconds)
        time.sleep(wait)
        wait = min(2 * wait, patience.longest_wait)
