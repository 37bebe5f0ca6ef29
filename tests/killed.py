"""Processes that tests kill: forked from one that has imported what they need, so that a life costs its work alone."""

import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from typing import Any


def born(work: Callable[..., None], *args: Any) -> BaseProcess:
    """Start a process that calls `work`, a function of a module; the first call decides which module is preloaded."""
    context = get_context("forkserver")
    context.set_forkserver_preload([work.__module__])
    process = context.Process(target=work, args=args)
    process.start()
    return process


def wait_for(seen: Callable[[], bool], process: BaseProcess) -> None:
    """Come back when this is seen or the process has ended."""
    end = time.monotonic() + 120
    while not seen() and process.is_alive():
        assert time.monotonic() < end, "waited two minutes in vain"
        time.sleep(0.0005)
