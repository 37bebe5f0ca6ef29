"""The folder that a run leaves behind, and what has to be in it for others to repeat the run."""

import errno
import fcntl
import importlib.metadata
import json
import os
import platform
import shlex
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import TrainerCallback, TrainingArguments
from transformers.trainer_callback import TrainerState

from vaswani.data import Drops
from vaswani.data.cleaning import UNREADABLE
from vaswani.publishing import RUN, MetricsRecord, RunRecord, hide_in_command, write_run
from vaswani.publishing.run_record import DataRecord, HardwareRecord, NetworkRecord, TrainingRecord
from vaswani.storage import is_draft, make_folder, write_text
from vaswani.storage.records import from_json
from vaswani.training import VaswaniTrainingArguments
from vaswani.training.schedule import peak_rate

from .arguments import Arguments
from .more_steps import metrics_if_readable, set_scores_aside, set_unreadable_aside

LOCK = "run.lock"
"""Not written like other files: every process waits for this one file, so it may never be replaced."""
OLD_DRAFT = "run.draft"
"""The file that an older version left if it was killed while it wrote run.json."""
VOCABULARY = frozenset(
    f"{name}{draft}" for name in ("tokenizer.json", "tokenizer_config.json") for draft in ("", ".draft")
)
"""The files of a start that ended after it had learned its vocabulary."""
PATIENCE = 120.0
"""Seconds to wait until another run releases the folder: torchrun needs 60 to give up on a lost rendezvous, and 30 more
for the processes that it then ends."""
PACKAGES = ("torch", "transformers", "accelerate", "tokenizers", "datasets", "evaluate", "sacrebleu", "numpy")


class RunFolderError(ValueError):
    """The output folder cannot be used as requested."""


class Done(NamedTuple):
    """A finished run, of which nothing more is requested."""

    metrics: MetricsRecord
    """What metrics.json holds."""
    why: str
    """The reason, with what could be requested."""


def take_folder(
    folder: Path, resume: bool, description: RunRecord, nothing_to_do: Callable[[], str | None] = lambda: ""
) -> Done | None:
    """Claim a folder for a run, for as long as this process lives; a new folder gets the settings of the run.

    The settings of a resumed run replace the old ones only when everything has been checked: see `RecordStart`.

    Args:
        folder: where the run will write everything.
        resume: whether to resume the run that it holds.
        description: the settings of the run.
        nothing_to_do: called if that run has ended; returns why there is nothing more to do, or None if there is.

    Returns:
        None, or a run that was to be resumed and is done; then nothing is changed.

    Raises:
        RunFolderError: the folder cannot be used as requested, or another process still trains into it.

    """

    def done() -> Done | None:
        if not resume or (metrics := metrics_if_readable(folder)) is None or (why := nothing_to_do()) is None:
            return None
        return Done(metrics, why)

    claim(folder, resume)
    if before := done():
        return before
    hold(folder, PATIENCE)
    claim(folder, resume)  # again: the process that we waited for may have left a run,
    if meanwhile := done():  # or have finished it
        return meanwhile
    set_unreadable_aside(folder)
    if not (folder / RUN).exists():  # which makes it a run's folder
        write_run(folder, description)
    return None


class RecordStart(TrainerCallback):
    """Records the settings of a run once it trains, in place of the earlier ones; earlier scores stay."""

    def __init__(self, folder: Path, description: RunRecord) -> None:
        self.folder = folder
        self.description = description

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Called by the Trainer, when everything has been checked."""
        if state.is_world_process_zero:
            set_scores_aside(self.folder)
            write_run(self.folder, self.description)


def claim(folder: Path, resume: bool) -> None:
    """Make a folder for a run, or make sure that an existing one can be used.

    A start that ended after its flags or its vocabulary leaves nothing worth keeping: the next one may use its folder.

    Raises:
        RunFolderError: it holds a run and `resume` is false, it holds something else, or it is a file.

    """
    if folder.exists() and not folder.is_dir():
        raise RunFolderError(f"--output_dir {folder} is a file; name a folder")
    if folder.is_symlink() and not folder.exists():
        raise RunFolderError(
            f"--output_dir {folder} is a link to {folder.readlink()}, which is not there; make that folder, or name "
            "another"
        )
    make_folder(folder)
    names = {path.name for path in folder.iterdir() if not is_draft(path)}
    own = {RUN, LOCK, OLD_DRAFT}
    if names <= own or (RUN in names and names <= own | VOCABULARY):
        return
    if RUN not in names:
        raise RunFolderError(f"{folder} holds files that do not belong to a run; name another --output_dir")
    if not resume:
        raise RunFolderError(f"{folder} holds a run already; continue it with --resume, or name another --output_dir")


def hold(folder: Path, patience: float) -> None:
    """Keep every other process, on any machine that shares the disk, from training into a folder.

    The system releases the lock when this process ends, in whatever way. So a node that is cut off and a node that
    continues without it, or a job and its second start, never write into the same run at the same time.

    Raises:
        RunFolderError: another process holds the folder and has not ended after `patience` seconds.

    """
    path = folder / LOCK
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)  # never closed: that would release the lock
    give_up = time.monotonic() + patience
    reported = False
    while True:
        try:
            # Unlike flock's, these locks are not inherited by the loader's workers, and NFS supports them.
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError as error:
            if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
                print(
                    f"Note: the disk of {folder} does not support locks; make sure that no second run writes into it",
                    flush=True,
                )
                return
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise
        holder = path.read_text(encoding="utf-8").strip() or "another process"
        if time.monotonic() > give_up:
            raise RunFolderError(
                f"{holder} still trains into {folder}; end it or wait for its end. If its machine is gone and the disk "
                f"has not noticed yet, delete {path}"
            )
        if not reported:
            print(f"{holder} trains into {folder}; waiting up to {patience:g} s for its end", flush=True)
            reported = True
        time.sleep(0.5)
    os.truncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())


def describe(arguments: Arguments) -> RunRecord:
    """Return all settings of a run except its token for the Hub, with the machine and versions it ran on."""
    versions = {name: importlib.metadata.version(name) for name in ("vaswani", *PACKAGES)}
    return RunRecord(
        command=shlex.join([Path(sys.executable).name, *hide_in_command(sys.argv)]),
        model=from_json(NetworkRecord, arguments.model, "the network"),
        data=from_json(DataRecord, asdict(arguments.data), "the data"),
        training=training_record(arguments),
        hardware=hardware(arguments),
        versions={"python": platform.python_version(), **versions},
    )


def training_record(arguments: Arguments) -> TrainingRecord:
    """Return the training arguments that a run uses, without tokens for the Hub."""
    training = arguments.training
    named = {each.name for each in fields(TrainingRecord)} | set(VaswaniTrainingArguments.__annotations__)
    by_default = {each.name: each.default for each in fields(TrainingArguments)}
    unused = {"learning_rate", *(name for name in by_default if name.endswith("_token"))}
    used = {
        name: value
        for name, value in training.to_dict().items()
        if name not in unused and (name in named or value != by_default.get(name))
    }
    peak = training.peak_learning_rate or peak_rate(arguments.model["d_model"], round(training.warmup_steps))
    return from_json(TrainingRecord, used | {"peak_learning_rate": peak}, "the arguments of training")


def hardware(arguments: Arguments) -> HardwareRecord:
    """Return the hardware of a run's processes, as the first of them sees it."""
    device = arguments.training.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    if device.type == "cpu":
        name = processor()
    return HardwareRecord(name, arguments.training.world_size, os.cpu_count())


def processor() -> str:
    """Return the name of the CPU, as Linux reports it, or at least its architecture."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def write_skipped(folder: Path, drops: Drops, process: int) -> None:
    """Write where rows could not be read, so that they can be fixed; each process knows only those that it read."""
    if drops.unreadable:
        places = {reason: drops.places[reason] for reason in sorted(UNREADABLE & drops.places.keys())}
        write_json(folder / f"unreadable-{process}.json", {"rows": drops.unreadable, "places": places})


def write_json(path: Path, value: Any) -> None:
    """Write readable JSON."""
    # A name of a file that is not UTF-8 has halves of surrogate pairs, which JSON writes as \udce9, and so does this.
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n", "backslashreplace")
