"""How a run ends early: one message, no stack trace, exit code 2 where the user can fix the cause.

Where training itself ended early the code is that of its exception (`vaswani.training.exceptions`).
"""

import errno
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from accelerate import PartialState
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

from vaswani.data import CorpusError, SourceLostError, StreamMismatchError
from vaswani.training.checkpointing.checkpoints import checkpoints
from vaswani.training.exceptions import PeerLostError, TrainingEndedError

NOTHING = 1 << 20
"""Free bytes below which a disk counts as full, where the error itself does not say so."""


@contextmanager
def exit_on_bad_input() -> Iterator[None]:
    """End the process with only the message where input, flags or folders are at fault.

    Only for the steps that read what the user gave: a ValueError from the network or the training loop keeps its stack.
    """
    try:
        yield
    except (ValueError, FileNotFoundError, PermissionError, NotADirectoryError, ConnectionError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        print(f"error: {error}; name another --output_dir or --cache_dir", file=sys.stderr)
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
def exit_on_full_disk(folder: str) -> Iterator[None]:
    """Name the folder and the way out when the disk is full, whichever layer noticed it."""
    try:
        yield
    except Exception as error:
        if is_disk_full(error, folder):
            print(
                f"error: no space is left on the disk of {folder}; free some, or lower --save_total_limit, then "
                "continue with --resume: the last complete checkpoint is kept",
                file=sys.stderr,
            )
            raise SystemExit(2) from error
        raise


def is_disk_full(error: Exception, folder: str) -> bool:
    """Return whether an error is a full disk; the message of torch.save does not say so, so the disk is checked."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return "No space left on device" in str(error) or shutil.disk_usage(folder).free < NOTHING
