"""A browser without a window, and a folder behind HTTP for it."""

import functools
import http.server
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions, ChromeService

FLAGS = (
    *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"),
    *("disable-sync", "disable-component-update", "disable-dev-shm-usage", "window-size=1280,900"),
)
ONLY_HERE = "host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
"""No other host has an address."""
MISSING = "chromium and chromedriver are not installed; on Debian: apt-get install chromium-driver"


def has_chromium() -> bool:
    """Return whether there is a browser, and what drives it."""
    return program() is not None and shutil.which("chromedriver") is not None


def program() -> str | None:
    """Return the path of the browser."""
    return shutil.which("chromium") or shutil.which("google-chrome")


@contextmanager
def chromium(*flags: str) -> Iterator[Chrome]:
    """Yield a browser with a profile of its own, which reaches no other host than this one.

    Raises:
        ValueError: there is none.

    """
    if not has_chromium():
        raise ValueError(MISSING)
    options = ChromeOptions()
    options.binary_location = str(program())
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, ONLY_HERE, f"user-data-dir={profile}", *flags):
            options.add_argument(f"--{flag}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        chrome = Chrome(options, ChromeService(shutil.which("chromedriver")))
        try:
            yield chrome
        finally:
            chrome.quit()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Gives files and prints nothing."""

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Yield the address of a folder."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
