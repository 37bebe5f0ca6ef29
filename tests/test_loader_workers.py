"""Processes that load for one that trains end with it, also when it is killed while they wait for a source."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

WAITING_FOR_A_SOURCE = """
import signal
from torch.utils.data import DataLoader, IterableDataset
from vaswani.training.distribution.signals import shield_workers

class Stalled(IterableDataset):
    def __iter__(self):
        print("waits", flush=True)
        while True:
            signal.pause()
        yield

loader = DataLoader(Stalled(), num_workers=1, multiprocessing_context="fork")
shield_workers(loader)
next(iter(loader))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
def test_a_killed_process_leaves_no_worker_that_holds_its_connections() -> None:
    """Else those on other machines would wait for what is lost; the pipe stands for a connection."""
    command = [sys.executable, "-c", WAITING_FOR_A_SOURCE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"waits\n"
            process.kill()
            assert process.stdout.read() == b""  # which ends when nobody holds it
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
