"""Signals that ask a run to end before its first step or after its last: obeyed at once.

Between these `vaswani.training.distribution.signals` hears them, and saves. Here all that has been done is on the disk
already: drafts leave old files as they were, and a checkpoint follows the last step.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vaswani.training.checkpointing.checkpoints import sealed
from vaswani.training.exceptions import SignalledError

from .launcher_messages import write_launcher_error

HEARD = (signal.SIGTERM, signal.SIGUSR1)
"""Of schedulers; Ctrl-C has an exception and a code of its own."""


@contextmanager
def exit_on_signal(folder: Path) -> Iterator[None]:
    """End the process with a line and code 75 when one of HEARD comes while the block runs.

    A thread receives them: Python's own handlers wait while a library computes, as when a vocabulary is learned. Where
    another thread than the main one trains, as in a notebook, signals stay as they are.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    read, write = os.pipe()
    os.set_blocking(write, False)
    threading.Thread(target=_listen, args=(read, folder), daemon=True).start()
    fd_before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    before = {each: signal.signal(each, lambda *_: None) for each in HEARD}
    try:
        yield
    finally:
        for each, handler in before.items():
            if signal.getsignal(each) != signal.SIG_IGN:  # after a signal during training, which ends the run
                signal.signal(each, handler)
        signal.set_wakeup_fd(fd_before)
        os.write(write, b"\0")


def _listen(read: int, folder: Path) -> None:
    while number := os.read(read, 1)[0]:
        if number in HEARD:
            end(signal.Signals(number), folder)
    os.close(read)


def end(heard: signal.Signals, folder: Path) -> None:
    """End the process: its message, its launcher's, its loader's workers, its code."""
    saved = sealed(folder)
    way = f"{saved[-1].name} and all before it are kept: continue with --resume" if saved else "nothing was trained yet"
    reason = f"{heard.name} ended the run; {way}"
    if os.environ.get("RANK", "0") == "0":
        print(f"error: {reason}", file=sys.stderr, flush=True)
    write_launcher_error(SignalledError.exit_code, reason)
    for child in multiprocessing.active_children():
        child.kill()
    os._exit(SignalledError.exit_code)
