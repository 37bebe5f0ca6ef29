"""A command on a terminal of its own, as a person sees it, whose Ctrl-C goes to all of its processes."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Sequence
from pathlib import Path


class Terminal:
    """Runs a command in a session of its own; what appears is in `seen`."""

    def __init__(self, command: Sequence[str | Path]) -> None:
        self.seen = ""
        self._process, self._terminal = pty.fork()
        if self._process == 0:
            signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background ignores it
            os.environ["OMP_NUM_THREADS"] = "1"
            os.execvp(str(command[0]), [str(word) for word in command])
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))

    def read(self, until: str | None = None, seconds: float = 240) -> str:
        """Read until something appears, or to the end; return all that has appeared."""
        end = time.monotonic() + seconds
        while until is None or not re.search(until, self.seen):
            assert time.monotonic() < end, f"{until or 'the end'} did not come\n{self.seen[-3000:]}"
            if not select.select([self._terminal], [], [], 0.2)[0]:
                continue
            try:
                new = os.read(self._terminal, 1 << 16)
            except OSError:  # nobody has the terminal open any more
                new = b""
            if not new:
                assert until is None, f"{until} did not come\n{self.seen[-3000:]}"
                break
            self.seen += new.decode(errors="replace")
        return self.seen

    def press_ctrl_c(self) -> None:
        """Let the terminal send SIGINT to every process in its foreground."""
        os.write(self._terminal, b"\x03")

    def code(self) -> int:
        """Read to the end, and return the exit code."""
        self.read()
        _, status = os.waitpid(self._process, 0)
        os.close(self._terminal)
        self._process = 0
        return os.waitstatus_to_exitcode(status)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            os.killpg(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)
            os.close(self._terminal)
