"""What a launcher prints of a process that ended early, so that it does not hide the message of the process."""

import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path

from vaswani.storage import write_text

INTERRUPTED = 128 + signal.SIGINT
"""The exit code after Ctrl-C before the first step, or a second one."""


def write_launcher_error(code: int, reason: str) -> None:
    """Make sure that what a launcher prints after this process's message does not hide the message.

    torchrun, with which `accelerate launch` starts several processes, ends by repeating what it finds in a file that it
    names; `accelerate launch` with one process can only be silenced by a flag of its own.
    """
    if file := os.environ.get("TORCHELASTIC_ERROR_FILE"):
        if reason:
            said = {"message": f"error: {reason}", "extraInfo": {"timestamp": str(int(time.time()))}}
            with contextlib.suppress(OSError):  # the message has been printed
                write_text(Path(file), json.dumps({"message": said}))
    elif code != INTERRUPTED and is_launched_loudly():  # which Ctrl-C has ended too, with its traceback before ours
        print(
            f"accelerate launch follows with a traceback of its own for exit code {code}; -q leaves it out",
            file=sys.stderr,
        )


def is_launched_loudly() -> bool:
    """Return whether `accelerate launch` started only this process, and without -q."""
    try:
        words = Path(f"/proc/{os.getppid()}/cmdline").read_text(encoding="utf-8").split("\0")
    except OSError:  # not Linux, or a process of another user
        return False
    ours = next((at for at, word in enumerate(words) if word == sys.argv[0]), len(words))
    is_accelerate = any(Path(word).stem == "accelerate" or "accelerate.commands" in word for word in words[:ours])
    return is_accelerate and not {"-q", "--quiet"} & set(words[:ours])
