"""A run's folder is one run's at a time, and a start that was cut off does not stand in the way of the next one."""

import os
import signal
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from vaswani.experiment.run_folder import RunFolderError, claim, hold, take_folder
from vaswani.publishing.run_record import DataRecord, NetworkRecord, RunRecord, TrainingRecord

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


def test_a_run_that_was_waited_for_is_not_taken_from_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = NetworkRecord(9, 8, 8, 2, 1, 1)
    description = RunRecord("", network, DataRecord("en-de"), TrainingRecord(9, 3, 1e-3, 1, 1), {})
    hear, tell = CLEAN.Pipe(duplex=False)
    first = CLEAN.Process(target=hold_for_ever, args=(tmp_path, tell))
    first.start()
    worker = hear.recv()
    assert hear.recv() == "held"

    def it_trains_and_ends(_: float) -> None:
        (tmp_path / "run.json").write_text("{}")
        (tmp_path / "checkpoint-1").mkdir()
        first.kill()
        first.join()

    monkeypatch.setattr("vaswani.experiment.run_folder.time.sleep", it_trains_and_ends)
    try:
        with pytest.raises(RunFolderError, match="holds a run already"):
            take_folder(tmp_path, resume=False, description=description)
    finally:
        first.kill()
        os.kill(worker, signal.SIGKILL)
    assert (tmp_path / "run.json").read_text() == "{}"


def test_what_a_start_that_was_cut_off_left_is_no_other_s(tmp_path: Path) -> None:
    hold(tmp_path, patience=0)
    # Of one that ended for its flags, a wrong path for example, and of one that had learned its vocabulary first.
    vocabulary = ("tokenizer_config.json", "tokenizer.json", "tokenizer.json.draft")
    for file in (".run.json.0.vaswani-draft", "run.draft", "run.json", *vocabulary):
        (tmp_path / file).write_text("{")
        claim(tmp_path, resume=True)
        claim(tmp_path, resume=False)
    (tmp_path / "runs").mkdir()
    claim(tmp_path, resume=True)
    with pytest.raises(RunFolderError, match="holds a run already"):
        claim(tmp_path, resume=False)
    (tmp_path / "run.json").unlink()
    with pytest.raises(RunFolderError, match="holds files that do not belong to a run"):
        claim(tmp_path, resume=True)
