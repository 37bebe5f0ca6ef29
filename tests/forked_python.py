"""A Python that has imported everything: `forked(sys.executable, "recipe.py", ...)` is a command that is there at once.

A server imports everything once, and forks a process for each command. That process is a real one: it has the words,
working directory, environment, files, limit of a file's size, signals and exit code that the command was started with.
What is started is a small client, which passes signals on and ends as that process does. Whatever start-up, imports,
a terminal or a process group are part of a proof is started without this.
"""

import array
import atexit
import contextlib
import functools
import json
import os
import resource
import select
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import PIPE, Popen
from tempfile import TemporaryDirectory
from types import FrameType, ModuleType
from typing import Any, AnyStr, NamedTuple, NoReturn

PRELOADED = (
    "vaswani.commands",
    "vaswani.experiment.run",
    "vaswani.experiment.back_translation",
    "vaswani.experiment.distillation",
    "vaswani.experiment.sweep",
    "vaswani.evaluation.scorers.lowercased_bleu",
    "vaswani.evaluation.scorers.sacrebleu",
    "vaswani.evaluation.scorers.wmt14_bleu",
)
READ_BY_IMPORTS = (
    *("HF_", "HUGGINGFACE_", "TRANSFORMERS_", "OMP_", "CUDA_", "TORCH", "TQDM_", "MPL", "SACREBLEU"),
    *("PYTHON", "LC_", "LANG", "HOME", "XDG_", "TMP"),
)
"""How variables begin that count while Python starts and imports: for other values there is another server."""
PASSED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
STAND_INS = {signal.SIGKILL: signal.SIGRTMIN, signal.SIGSTOP: signal.SIGRTMIN + 1}
"""What a client passes on as these, which would kill or stop the client alone."""


# --- for tests --------------------------------------------------------------------------------------------------------


def forked(*words: str | os.PathLike[str], environment: Mapping[str, str] | None = None) -> list[str]:
    """Return the command that does the same in a fork: of `python SCRIPT`, -c or -m, or a script's path.

    Args:
        *words: the command.
        environment: with which it will be started, if not with that of this process.

    """
    given = dict(os.environ if environment is None else environment)
    return [*server(given).words, *(os.fspath(word) for word in words[words[0] == sys.executable :])]


def of_imports(environment: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """Return the variables that count while everything is imported."""
    return frozenset((name, value) for name, value in environment.items() if name.startswith(READ_BY_IMPORTS))


class Server(NamedTuple):
    """One that forks."""

    words: list[str]
    """Have it run what follows them."""
    number: int
    """Of its process, whose children answer; theirs are the commands."""


def server(environment: Mapping[str, str]) -> Server:
    """Return the server for commands with such an environment; the first time it is started, and imports."""
    return server_of(of_imports(environment))


@functools.cache
def server_of(variables: frozenset[tuple[str, str]]) -> Server:
    """Start a server with these variables."""
    folder = TemporaryDirectory()  # a short path: the names of sockets end at 108 bytes
    path = str(Path(folder.name) / "socket")
    others = {name: value for name, value in os.environ.items() if not name.startswith(READ_BY_IMPORTS)}
    with socket.socket(socket.AF_UNIX) as listening:  # from now on: a client waits until all is imported
        listening.bind(path)
        listening.listen()
        process = Popen(
            [sys.executable, __file__, "--serve", str(listening.fileno())],
            env=others | dict(variables),
            stdin=PIPE,  # which closes when this process ends, however it does
            pass_fds=[listening.fileno()],
        )
    atexit.register(end, process, folder)
    return Server([sys.executable, "-I", "-S", __file__, path], process.pid)


def end(process: Popen[bytes], folder: TemporaryDirectory[str]) -> None:
    """End a server, by closing its stdin."""
    process.communicate()
    folder.cleanup()


def launcher(folder: Path, environment: Mapping[str, str]) -> Path:
    """Write a program that runs what follows it as Python does, but in a fork; FORKED_PYTHON may name it."""
    path = folder / "python"
    path.write_text(f'#!/bin/sh\nexec {shlex.join(server(environment).words)} "$@"\n')
    path.chmod(0o755)
    return path


class ForkedPopen(Popen[AnyStr]):
    """A started command that can be killed and stopped as well."""

    def send_signal(self, sig: int) -> None:
        """Send a signal; the process that does the work has ended by SIGKILL before this one has."""
        super().send_signal(STAND_INS.get(signal.Signals(sig), sig))


# --- the server -------------------------------------------------------------------------------------------------------


def serve(listening: socket.socket) -> None:
    """Import everything, and fork as asked until stdin closes; returns in a fork, which then runs its command."""
    import gc
    from importlib import import_module

    before = dict(os.environ)
    for name in PRELOADED:
        import_module(name)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, wait_for_ended)
    while True:
        ready, _, _ = select.select([listening.fileno(), 0], [], [])
        if listening.fileno() not in ready:
            os._exit(0)
        asker, _ = listening.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listening.close()
            return answer(asker, before)
        asker.close()


def wait_for_ended(*_: object) -> None:
    """Wait for the children that have ended, so that their time counts as this process's."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def answer(asker: socket.socket, before: Mapping[str, str]) -> None:
    """Fork the process that will run the command, tell its number and then its exit code; returns in that process."""
    message, files = receive(asker)
    asked = json.loads(message)
    process = os.fork()
    if process == 0:
        asker.close()
        become(asked, files, before)
        return
    for file in (0, 1, 2, *files):
        os.close(file)
    asker.sendall(f"{process}\n".encode())
    ended = os.pidfd_open(process)
    ready, _, _ = select.select([asker.fileno(), ended], [], [])
    if ended not in ready:  # the client was killed
        os.kill(process, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    with contextlib.suppress(BrokenPipeError):
        asker.sendall(f"{code}\n".encode())
    os._exit(0)


def receive(asker: socket.socket) -> tuple[bytes, list[int]]:
    """Return what a client sends, a line, and the files that come with its beginning."""
    descriptors = array.array("i")
    message, ancillary, _, _ = asker.recvmsg(1 << 20, socket.CMSG_LEN(3 * descriptors.itemsize))
    for _, _, data in ancillary:
        descriptors.frombytes(data)
    while not message.endswith(b"\n"):
        message += asker.recv(1 << 20)
    return message, list(descriptors)


def become(asked: dict[str, Any], files: list[int], before: Mapping[str, str]) -> None:
    """Make this process the one that was asked for, up to its first line.

    Args:
        asked: what the client has said.
        files: its stdin, stdout and stderr.
        before: the variables when nothing was imported.

    """
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin, sys.stdout, sys.stderr = map(opened_again, (sys.stdin, sys.stdout, sys.stderr))
    os.setpgid(0, 0)
    os.chdir(as_name(asked["cwd"]))
    resource.setrlimit(resource.RLIMIT_FSIZE, asked["limit"])
    signal.signal(signal.SIGINT, signal.SIG_IGN if asked["is_deaf"] else signal.default_int_handler)
    set_by_imports = {name: value for name, value in os.environ.items() if before.get(name) != value}
    given = {as_name(name): as_name(value) for name, value in asked["environment"].items()} | set_by_imports
    others = of_imports(os.environ) ^ of_imports(given)
    assert not others, f"everything was imported with other variables: {sorted(others)}"
    os.environ.clear()
    os.environ.update(given)
    sys.executable = os.environ.get("FORKED_PYTHON", sys.executable)  # what this process starts is forked too
    sys.argv = [as_name(word) for word in asked["words"]]


def as_name(letters: str) -> str:
    """Undo `as_bytes`, as this process names bytes."""
    return os.fsdecode(letters.encode("latin-1"))


def opened_again(stream: Any) -> Any:
    """Return a stream of the same number, whose file is another one now; it may be of another kind."""
    number = stream.fileno()
    again = open(number, stream.mode, encoding=stream.encoding, errors=stream.errors, closefd=False)  # noqa: SIM115
    again.reconfigure(line_buffering=number == 2 or os.isatty(number), write_through=stream.write_through)
    return again


def run_words() -> None:
    """Run what Python would run by the words."""
    import runpy

    if sys.argv[0] == "-m":
        module = sys.argv[1]
        sys.path[0] = str(Path.cwd())
        del sys.argv[0]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    elif sys.argv[0] == "-c":
        sys.path[0] = ""
        main = sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(sys.argv.pop(1), "<string>", "exec"), main.__dict__)
    else:
        sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
        runpy.run_path(sys.argv[0], run_name="__main__")


def end_without_shutdown(run: Callable[[], None]) -> NoReturn:
    """Run and end as Python does, except that it does not take apart what was imported: half a second of work."""
    code = 0
    try:
        run()
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
        if isinstance(ending.code, str):
            print(ending.code, file=sys.stderr)
    except KeyboardInterrupt:
        sys.excepthook(*sys.exc_info())
        code = -signal.SIGINT
    except BaseException:  # whatever it is ends this process
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    end_as(code)


# --- the client -------------------------------------------------------------------------------------------------------


def ask(path: str, words: list[str]) -> int:
    """Have a command run, and return its exit code."""
    meant = {number: number for number in PASSED_ON} | {number: by for by, number in STAND_INS.items()}
    signals = tuple(meant)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # until there is somebody to pass them on to
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(path)
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        message = {
            "words": [as_bytes(word) for word in words],
            "cwd": as_bytes(Path.cwd()),
            "environment": {as_bytes(name): as_bytes(value) for name, value in os.environ.items()},
            "limit": limit,
            "is_deaf": signal.getsignal(signal.SIGINT) == signal.SIG_IGN,  # as what a shell starts in the background
        }
        line = json.dumps(message).encode() + b"\n"
        sent = socket.send_fds(asked, [line], [0, 1, 2])
        asked.sendall(line[sent:])
        lines = asked.makefile()
        process = int(lines.readline())

        def pass_on(number: int, _: FrameType | None) -> None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, meant[number])

        for each in signals:
            signal.signal(each, pass_on)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        return int(lines.readline())


def as_bytes(name: str | Path) -> str:
    """Return the bytes of a name, each as a letter; a server of another locale has another name for them."""
    return os.fsencode(name).decode("latin-1")


def end_as(code: int) -> NoReturn:
    """End as a process did that ended with this code, or by a signal."""
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        with socket.socket(fileno=int(sys.argv[2])) as socket_of_server:
            serve(socket_of_server)
        end_without_shutdown(run_words)
    else:
        end_as(ask(sys.argv[1], sys.argv[2:]))
