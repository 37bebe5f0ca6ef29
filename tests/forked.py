"""Processes that train together, forked from one that has imported everything: real ones, and there in a moment.

Run as a script, this is the process that they are forked from.
"""

import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

PRELOADED = ("test_sharding", "torch._dynamo", "deepspeed.runtime.zero.muon.muon_optimizer")
"""Modules with all that the work needs; the last two are what DeepSpeed imports only when its engine is built."""


class Work(NamedTuple):
    """What is to be done by each of some processes."""

    function: Callable[..., None]
    """Of a module, not of another function."""
    args: tuple[Any, ...]
    kind: str
    """How they train together: one of `sharding_on_cpu.KINDS`."""
    processes: int
    port: int
    folder: Path
    """Where the output of process R goes, as output.R.txt."""
    code: int
    """How each must end."""


class Forks:
    """Does work in processes of its own."""

    def __init__(self) -> None:
        paths = os.pathsep.join([str(Path(__file__).parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
        environment = os.environ | {"OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu", "PYTHONPATH": paths}
        self._origin = subprocess.Popen(
            [sys.executable, __file__],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def run(
        self, function: Callable[..., None], *args: Any, kind: str, folder: Path, processes: int = 2, code: int = 0
    ) -> list[str]:
        """Call `function` in each of so many processes, and return what each said; `code` is how all must end."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        folder.mkdir(parents=True, exist_ok=True)
        assert self._origin.stdin is not None
        assert self._origin.stdout is not None
        pickle.dump(Work(function, args, kind, processes, port, folder, code), self._origin.stdin)
        self._origin.stdin.flush()
        ended = pickle.load(self._origin.stdout)
        said = [(folder / f"output.{rank}.txt").read_text() for rank in range(processes)]
        assert ended == [code] * processes, f"exit codes {ended}\n" + "\n".join(said)
        return said

    def close(self) -> None:
        """End the process and all that were forked from it."""
        os.killpg(self._origin.pid, signal.SIGKILL)
        self._origin.communicate()


def fork(work: Work, rank: int) -> int:
    """Return the id of a new process that does the work."""
    if process := os.fork():
        return process
    output = os.open(work.folder / f"output.{rank}.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(work.port),
        "WORLD_SIZE": str(work.processes),
        "LOCAL_WORLD_SIZE": str(work.processes),
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
    }

    from sharding_on_cpu import on_cpu

    from vaswani.experiment.exit_codes import exiting_with_code

    with exiting_with_code():
        on_cpu(work.kind, work.folder)
        work.function(*work.args)
    raise AssertionError("not reached")


def codes(work: Work) -> list[int]:
    """Return how the processes ended; if one ended otherwise than it should, nobody waits for the others."""
    started = [fork(work, rank) for rank in range(work.processes)]
    ended: dict[int, int] = {}
    while len(ended) < len(started):
        process, status = os.wait()
        ended[process] = os.waitstatus_to_exitcode(status)
        if ended[process] != work.code:
            for other in set(started) - ended.keys():
                os.kill(other, signal.SIGKILL)
    return [ended[process] for process in started]


def main() -> None:
    """Fork as asked on stdin, and answer with the exit codes."""
    from importlib import import_module

    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what modules print while they are imported is no answer
    for name in PRELOADED:
        import_module(name)
    while True:
        try:
            work: Work = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(codes(work), answers)
        answers.flush()


if __name__ == "__main__":
    main()
