"""A run's folder is one run's at a time, and a start that was cut off does not stand in the way of the next one."""

import os
import signal
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from vaswani.experiment.run_folder import RunFolderError, claim, hold

CLEAN = get_context("forkserver")


def hold_for_ever(folder: Path, tell: Connection) -> None:
    worker = get_context("fork").Process(target=signal.pause)  # as the loader's, which outlive a process that is killed
    worker.start()
    tell.send(worker.pid)
    hold(folder, patience=100)
    tell.send("held")
    signal.pause()


def test_a_folder_is_one_process_s_until_that_one_ends_in_whatever_way(tmp_path: Path) -> None:
    CLEAN.set_forkserver_preload(["vaswani.experiment.run_folder"])
    hear, tell = CLEAN.Pipe(duplex=False)
    first, second = (CLEAN.Process(target=hold_for_ever, args=(tmp_path, tell)) for _ in range(2))
    workers = []
    try:
        first.start()
        workers.append(hear.recv())
        assert hear.recv() == "held"
        with pytest.raises(RunFolderError, match=rf"process {first.pid} on .* still trains into .*delete .*run\.lock"):
            hold(tmp_path, patience=0)
        second.start()
        workers.append(hear.recv())
        first.kill()  # its worker lives on
        assert hear.recv() == "held"
        with pytest.raises(RunFolderError, match=rf"process {second.pid} on"):
            hold(tmp_path, patience=0)
    finally:
        for process in (first, second):
            if process.pid is not None:
                process.kill()
                process.join()
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
    hold(tmp_path, patience=0)
    hold(tmp_path, patience=0)  # the same process may come again


def test_what_a_start_that_was_cut_off_left_is_no_other_s(tmp_path: Path) -> None:
    hold(tmp_path, patience=0)
    (tmp_path / "run.draft").write_text("{")
    claim(tmp_path, resume=True)
    claim(tmp_path, resume=False)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(RunFolderError, match="holds files that are not of a run"):
        claim(tmp_path, resume=True)
