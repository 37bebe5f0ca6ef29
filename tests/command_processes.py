"""Commands of `vaswani` as processes of their own: to be killed, to be limited, or two that share the work."""

import os
import resource
import socket
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
from killed import born

from vaswani.commands import line_files, main

WINDOW = 20
"""Lines of a window in these processes."""


def live(arguments: list[str], said: Path, limit: int | None = None, environment: dict[str, str] | None = None) -> None:
    """Run the command with small windows, and files of at most `limit` bytes; in a process of its own."""
    torch.set_num_threads(1)
    os.environ.update(environment or {})
    line_files.WINDOW_LINES = WINDOW
    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    sys.exit(main(arguments))


def together(arguments: list[str], folder: Path) -> list[BaseProcess]:
    """Return two processes that share the work, at their end; what they said is in `folder`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    meet = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    processes = [
        born(live, arguments, folder / f"said {rank}", None, {**meet, "RANK": rank, "LOCAL_RANK": rank})
        for rank in "01"
    ]
    for each in processes:
        each.join()
    return processes
