"""A launcher of recipes that are there in a moment: `python forked_recipe.py SOCKET RECIPE FLAGS`, or -m MODULE WORDS.

With a socket alone it is the server: it has imported everything, and forks a process for each recipe that it is asked
for. That process is a real one of the written command; the one that asks passes signals on to it, and ends as it does.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any


def serve(path: str) -> None:
    """Fork as asked, until this process is ended."""
    import runpy

    import vaswani.commands
    import vaswani.experiment.back_translation
    import vaswani.experiment.distillation
    import vaswani.experiment.sweep  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that answer
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        while True:
            asker, _ = server.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                answer(asker, lambda words: run_words(runpy, words))
            asker.close()


def run_words(runpy: Any, words: list[str]) -> None:
    """Run what Python would run by these words."""
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")


def answer(asker: socket.socket, run: Callable[[list[str]], None]) -> None:
    """Run a recipe in a process of its own, tell its number and then its exit code, and end."""
    message, (out, err), _, _ = socket.recv_fds(asker, 1 << 20, 2)
    asked = json.loads(message)
    recipe = os.fork()
    if recipe == 0:
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)  # the server's had other files
        os.setpgid(0, 0)
        os.chdir(asked["cwd"])
        os.environ.update(asked["environment"])
        sys.executable = os.environ.get("FORKED_PYTHON", sys.executable)  # what this process starts is forked too
        code = 1
        try:
            run(asked["words"])
            code = 0
        except SystemExit as ending:
            code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    asker.sendall(f"{recipe}\n".encode())
    code = os.waitstatus_to_exitcode(os.waitpid(recipe, 0)[1])
    asker.sendall(f"{code}\n".encode())
    os._exit(0)


def ask(path: str, words: list[str]) -> int:
    """Have a recipe run, and return its exit code."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        message = json.dumps({"words": words, "cwd": str(Path.cwd()), "environment": dict(os.environ)})
        socket.send_fds(server, [message.encode()], [1, 2])
        lines = server.makefile()
        recipe = int(lines.readline())

        def pass_on(number: int, _: FrameType | None) -> None:
            os.kill(recipe, number)

        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, pass_on)
        return int(lines.readline())


def main() -> None:
    """Be the server, or one that asks it."""
    path, *words = sys.argv[1:]
    if not words:
        serve(path)
    code = ask(path, words)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    main()
