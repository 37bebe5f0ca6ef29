"""A process that another one starts and waits for, such as one that trains."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import BinaryIO


def run_to_end(command: Sequence[str], output: BinaryIO | None = None, held: Sequence[int] = ()) -> int:
    """Run a command to its end, and return its exit code, negative after a signal.

    Args:
        command: its words.
        output: takes what it writes to stdout and stderr; None leaves that where ours goes.
        held: descriptors that stay open in the process, such as one of a lock that is to last as long as it lives.

    Raises:
        SystemExit: a signal came and was passed on: the training process saves its step and ends. A second one kills.

    """
    # A process group of its own: accelerate launch, when it is ended, would leave a single training process running.
    process = subprocess.Popen(
        command,
        process_group=0,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        pass_fds=held,
    )
    before = {each: signal.signal(each, _raise) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        return process.wait()
    except _SignalledError as signalled:
        _end(process, signal.SIGTERM)
        try:
            process.wait()
        except _SignalledError:
            _end(process, signal.SIGKILL)
            process.wait()
        sys.exit(128 + signalled.number)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _end(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


class _SignalledError(Exception):
    """A signal asked this process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _raise(number: int, _: object) -> None:
    raise _SignalledError(number)
