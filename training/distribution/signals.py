"""Signals that ask a run to end: noticed at once, and obeyed at the next step by all processes together."""

import ctypes
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from types import TracebackType
from typing import Any

from accelerate.utils import gather_object
from torch.utils.data import DataLoader
from transformers import TrainerCallback

from vaswani.training.exceptions import SignalledError

_log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
"""The signals that schedulers send before they kill (most the first, Slurm with --signal=USR1@120 the second), and the
one that a terminal sends to all processes for Ctrl-C."""

PR_SET_PDEATHSIG = 1
"""Of Linux's prctl: the signal that a process gets when its parent has died."""

ECHO = 2.0
"""Seconds in which another signal counts as the same: a scheduler signals every process, and launchers forward it."""

ECHO_OF_CTRL_C = 0.3
"""The same for Ctrl-C where no torchrun forwards it: pressing it twice is meant."""


class Signals(TrainerCallback):
    """Listens for SIGNALS while its block runs, and ends training at a step when any process has received one.

    The first signal is recorded and the step continues; a second one, ECHO later, ends the process at once with 128 +
    its number. A thread receives them, since Python's own handlers wait as long as a collective operation does. After a
    signal the block leaves all signals ignored, so that a launcher's signal does not interrupt the end. If SIGINT is
    ignored from the start, as a shell does for background processes, it stays ignored.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        """The first signal that this process received."""
        self.agreed = False
        """Whether all processes know that one of them received one."""

    def __enter__(self) -> "Signals":
        self._main = threading.current_thread() is threading.main_thread()
        if self._main:  # Python lets only the main thread listen; elsewhere, as in a notebook, signals stay as they are
            read, self._write = os.pipe()
            os.set_blocking(self._write, False)
            self._fd_before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
            is_shielded = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
            heard = [each for each in SIGNALS if not (each == signal.SIGINT and is_shielded)]
            self._before = {each: signal.signal(each, lambda *_: None) for each in heard}
            threading.Thread(target=self._listen, args=(read,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._main:
            for each, handler in self._before.items():
                signal.signal(each, signal.SIG_IGN if self.agreed else handler)
            signal.set_wakeup_fd(self._fd_before)
            os.write(self._write, b"\0")

    def _listen(self, read: int) -> None:
        first = 0.0
        while number := os.read(read, 1)[0]:
            if number not in SIGNALS:
                continue
            if self.received is None:
                self.received, first = signal.Signals(number), time.monotonic()
                _log.warning("%s: saving and ending after this step; a second one ends at once", self.received.name)
            elif time.monotonic() - first > echo(number):
                _log.warning("A second signal: ending at once, without saving")
                os._exit(128 + number)
        os.close(read)
        os.close(self._write)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002  (called by name)
        """Save and stop; an evaluation due at this step is skipped, since the sender of the signal waits."""
        if self.agreed:
            control.should_save = control.should_training_stop = True
            control.should_evaluate = False

    def check_end(self, step: int, saved: int | None) -> None:
        """Raise SignalledError, on all processes, if a signal ended training, or came after its last step.

        Args:
            step: the last one.
            saved: the last one that is saved.

        """
        self.agreed = any(gather_object([self.agreed or self.received is not None]))
        if self.agreed:
            reached = f"step {step} is saved"
            if saved != step:
                why = "its loss or gradient may not be finite"
                reached = f"step {step} is not saved ({why}), but the last checkpoint is"
            raise SignalledError(f"a signal ended training; {reached}. Continue with --resume")


def echo(number: int) -> float:
    """Return the seconds in which a repeated signal counts as the same."""
    is_passed_on = "TORCHELASTIC_RUN_ID" in os.environ
    return ECHO_OF_CTRL_C if number == signal.SIGINT and not is_passed_on else ECHO


def shield_workers(loader: DataLoader[Any]) -> None:
    """Let a loader's workers end when their process says so or has died, not by a signal to all processes of a run.

    Otherwise they would end at once, and a lost worker ends training without a checkpoint. One that outlived its
    process would hold its connections, by whose end the other processes of the run notice that it is lost.
    """
    assert loader.worker_init_fn is None
    loader.worker_init_fn = _heed_parent_alone


def _heed_parent_alone(_: int) -> None:
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):  # not on macOS, where no scheduler is
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        threading.Thread(target=_end_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    """Have the system kill this process when the one that has forked it dies; torch's workers look every 5 s."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():  # by now
        os._exit(1)


def _end_with_parent() -> None:
    while True:
        heard = signal.sigwaitinfo(SIGNALS)
        if heard.si_signo == signal.SIGTERM and heard.si_pid == os.getppid():
            os._exit(0)
