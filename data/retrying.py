"""Waiting for a network: transient errors are retried, with a log line each, up to a limit."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

_BUSY = (408, 425, 429, 500, 502, 503, 504)

_LOG_IN = "the token is wrong or has ended, or may not see it; log in (`hf auth login`, or $HF_TOKEN), then continue"
_GONE = "it was moved or deleted, at least in this revision; give the data set as it is now, or a copy"
_REFUSALS = {
    401: f"{_LOG_IN} with --resume",
    403: f"{_LOG_IN} with --resume",
    404: _GONE,
    410: _GONE,
    416: "the file is shorter than when it was opened, so it was replaced; start anew on the file as it is now",
}
"""What no further try changes, by its status in HTTP."""

# By name, because the HTTP library depends on the version of the Hub's client and on the address.
_TRANSIENT = {"TransportError", "ClientConnectionError", "ClientPayloadError", "ConnectionError", "TimeoutError"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RetryPolicy:
    """How long to try a source that does not answer."""

    seconds: float = 600.0
    first_wait: float = 1.0
    longest_wait: float = 60.0


class SourceLostError(ConnectionError):
    """A source did not answer within the limit, or will not answer at all."""


class WrongBytesError(ConnectionError):
    """What arrived is not what was asked for, or cannot be decoded; it may be right at the next try."""


def is_transient(error: BaseException | None) -> bool:
    """Return whether an error may be gone at the next try: a broken or silent connection, or a busy server.

    Libraries wrap such errors, some as a missing file, so the causes are checked too.
    """
    while error is not None:
        if isinstance(error, SourceLostError):
            return False
        status = getattr(getattr(error, "response", None), "status_code", None) or getattr(error, "status", None)
        if status in _BUSY or _TRANSIENT & {kind.__name__ for kind in type(error).__mro__}:
            return True
        error = error.__cause__ or error.__context__
    return False


def refusal(error: BaseException | None) -> str | None:
    """Return why a server will not give a file that it gave before, and the way out; None if it has not said so."""
    while error is not None:
        status = getattr(getattr(error, "response", None), "status_code", None) or getattr(error, "status", None)
        if status in _REFUSALS:
            return f"the server answers {status}: {_REFUSALS[status]}"
        if "TooManyRedirects" in {kind.__name__ for kind in type(error).__mro__}:
            return (
                "the server redirects without end: its address, or a proxy before it, is set up wrongly. Open the "
                "address in a browser, then continue with --resume"
            )
        error = error.__cause__ or error.__context__
    return None


def with_retries(action: Callable[[], T], what: str, patience: RetryPolicy) -> T:
    """Return what `action` returns, and retry while its errors are transient.

    Raises:
        SourceLostError: no try succeeded within `patience.seconds`, or the server refuses.

    """
    started, wait = time.monotonic(), patience.first_wait
    while True:
        try:
            return action()
        except Exception as error:
            if not is_transient(error):
                if not isinstance(error, SourceLostError) and (reason := refusal(error)):
                    raise SourceLostError(f"{what} cannot be read: {reason}") from error
                raise
            gone = time.monotonic() - started
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            if gone + wait > patience.seconds:
                raise SourceLostError(
                    f"{what} did not arrive within {patience.seconds:g} s ({said}). Check the network, then continue "
                    "with --resume; a larger --source_timeout waits longer"
                ) from error
            _log.warning("%s: %s. Trying again in %.0f s (%.0f of %g s)", what, said, wait, gone, patience.seconds)
        time.sleep(wait)
        wait = min(2 * wait, patience.longest_wait)
