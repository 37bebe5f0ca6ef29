"""A recipe as the main program of a process: from its command line to its exit code."""

import io
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from vaswani.training.exceptions import NotANumberError, StartupError

from .arguments import Recipe, parse
from .launcher_messages import INTERRUPTED, write_launcher_error
from .run import run

SAME_AGAIN = (2, NotANumberError.exit_code, StartupError.exit_code)
"""Exit codes after which a restart without changes would end in the same way."""

GRACE = 10.0
"""Seconds in which all processes of a machine reach their common end."""


def main(recipe: Recipe) -> None:
    """Run a recipe with the flags of the command line, and end the process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a translation that the locale cannot show is no error
    with exiting_with_code():
        run(parse(recipe))


@contextmanager
def exiting_with_code() -> Iterator[None]:
    """End the process after the work within, by the exit code that the interpreter would give.

    Processes that train together end without shutting the interpreter down: during a shutdown gloo's threads may still
    release a tensor of the last collective operation, for which they need the interpreter; torch 2.13 then aborts
    ("terminate called without an active exception"), and a run that ended well looks like one that crashed. An orderly
    shutdown might also wait for a process that is lost.
    """
    code, reason = 0, ""
    try:
        yield
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
        reason = str(ending.__cause__ or "")
        if isinstance(ending.code, str):
            print(ending.code, file=sys.stderr)
    except KeyboardInterrupt:  # before the run began
        code = INTERRUPTED
    except BaseException as error:  # whatever ends this process ends it here
        sys.excepthook(*sys.exc_info())
        code, reason = 1, f"{type(error).__name__}: {error}"
    if code:
        write_launcher_error(code, reason)
    if code in SAME_AGAIN:
        end_restarts()
    is_warm = multiprocessing.parent_process() is not None  # which ends without a shutdown, and 0 must return
    if not torch.distributed.is_initialized() or (is_warm and not code):
        sys.exit(code)
    for child in multiprocessing.active_children():
        child.kill()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def end_restarts() -> None:
    """Ask torchrun to end where it would restart this process.

    It restarts after every code but 0, up to --max-restarts times, and has no code that forbids it. One process of each
    machine asks, since a second signal would disturb torchrun's end; the others wait until torchrun ends them, because
    it would restart if one of them ended by itself.
    """
    restarts, allowed = (int(os.environ.get(f"TORCHELASTIC_{name}", 0)) for name in ("RESTART_COUNT", "MAX_RESTARTS"))
    launcher = find_launcher()
    if restarts >= allowed or launcher is None:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    if os.environ["LOCAL_RANK"] == "0":
        print(
            "A restart would end in the same way, so this process asks torchrun to end too, by a signal.",
            file=sys.stderr,
        )
        os.kill(launcher, signal.SIGTERM)
    else:
        time.sleep(GRACE)


def find_launcher() -> int | None:
    """Return the process that has started this one, unless it has died; a fork server may stand between them."""
    if (parent := multiprocessing.parent_process()) is not None:
        return parent.pid if parent.is_alive() else None
    return None if os.getppid() == 1 else os.getppid()
