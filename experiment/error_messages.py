"""How a run ends early: one message, no stack trace, exit code 2 where the user can fix the cause.

Where training itself ended early the code is that of its exception (`vaswani.training.exceptions`).
"""

import errno
import os
import re
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from accelerate import PartialState
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

from vaswani.data import CorpusError, SourceLostError, StreamMismatchError
from vaswani.storage.refusals import in_words
from vaswani.training.checkpointing.checkpoints import checkpoints, sealed
from vaswani.training.exceptions import PeerLostError, TrainingEndedError

FULL = (errno.ENOSPC, errno.EDQUOT)
NOTHING = 1 << 20
"""Bytes that a disk has to take to count as writable, where an error does not say what it refused."""
_OF_RUST = re.compile(r"\(os error (\d+)\)")
_OF_TORCH = re.compile(r"inline_container\.cc|^Parent directory .* does not exist")


@contextmanager
def exit_on_bad_input() -> Iterator[None]:
    """End the process with only the message where input, flags or folders are at fault.

    Only for the steps that read what the user gave: a ValueError from the network or the training loop keeps its stack.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise  # which folder is full, exit_on_disk_error says
        way = "; name another --output_dir or --cache_dir" if getattr(error, "errno", None) == errno.EROFS else ""
        print(f"error: {in_words(error)}{way}", file=sys.stderr)
        raise SystemExit(2) from error


@contextmanager
def exit_on_lost_source() -> Iterator[None]:
    """End the process with only the message where the text cannot be read, or is not the checkpoint's."""
    try:
        yield
    except (CorpusError, SourceLostError, StreamMismatchError) as error:
        # From a loader's worker the message comes after the worker's stack trace.
        message = str(error).rpartition(f"{type(error).__name__}: ")[2]
        print(f"error: {message}", file=sys.stderr)
        raise SystemExit(2) from error


@contextmanager
def exit_on_tracker_error() -> Iterator[None]:
    """End the process with only the message where a tracker fails, for example at its log-in."""
    try:
        yield
    except Exception as error:
        frames = [frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__)]
        trackers = [each for each in frames if type(each) in INTEGRATION_TO_CALLBACK.values()]
        if not trackers:
            raise
        [name] = [name for name, kind in INTEGRATION_TO_CALLBACK.items() if type(trackers[0]) is kind]
        print(
            f"error: {name} (--report_to) failed: {type(error).__name__}: {error}. Fix it, or name other trackers by "
            "--report_to (none for none), and continue with --resume",
            file=sys.stderr,
        )
        raise SystemExit(2) from error


@contextmanager
def exit_on_training_end() -> Iterator[None]:
    """End the process with the message and exit code of training that ended early; one process prints for all."""
    try:
        yield
    except TrainingEndedError as error:
        # A lost process may have been the one that prints.
        if PartialState().is_main_process or isinstance(error, PeerLostError):
            print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from error


@contextmanager
def exit_on_interrupt(folder: Path) -> Iterator[None]:
    """End the process with one line and exit code 130 where Ctrl-C comes before the first step or after the last.

    Between these `vaswani.training.distribution.signals` handles it, and saves.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        if os.environ.get("RANK", "0") == "0":
            way = "what was saved is kept: continue with --resume" if checkpoints(folder) else "nothing was trained yet"
            print(f"\nerror: interrupted; {way}", file=sys.stderr)
        raise SystemExit(128 + signal.SIGINT) from error


@contextmanager
def exit_on_disk_error(folder: Path) -> Iterator[None]:
    """Name what the disk refuses, and the way out, whichever layer noticed it."""
    try:
        yield
    except Exception as error:
        fault = disk_fault(error, folder)
        if fault is None:
            raise
        if fault.errno in FULL:
            what = f"no space is left on the disk of {folder}; free some, or lower --save_total_limit, then"
        else:
            what = f"a file cannot be read or written: {fault}. Mend that, then"
        kept = "the last complete checkpoint is kept" if sealed(folder) else "nothing was saved yet"
        print(f"error: {what} continue with --resume: {kept}", file=sys.stderr)
        raise SystemExit(2) from error


def disk_fault(error: BaseException, folder: Path) -> OSError | None:
    """Return what the disk refused, if that is what an error is about; None if it is not.

    Rust's error has its number in its text. torch.save says only that it could not write, so the disk is tried.
    """
    if isinstance(error, ConnectionError | TimeoutError | BlockingIOError | ChildProcessError | InterruptedError):
        return None
    if isinstance(error, OSError) and error.errno is not None:
        return error
    if found := _OF_RUST.search(str(error)):
        return OSError(int(found[1]), os.strerror(int(found[1])), str(folder))
    if _OF_TORCH.search(str(error)):
        return refusal_of(folder) or OSError(errno.EIO, str(error).splitlines()[0], str(folder))
    return None


def refusal_of(folder: Path) -> OSError | None:
    """Return why nothing can be written to a folder now; None if something can."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(NOTHING))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error
    return None
