"""`vaswani torchrun`: processes forked from one that has imported everything, and otherwise as torchrun starts them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TORCHRUN = ("torch.distributed.run",)
WARM = ("vaswani.commands", "torchrun")


def launch(starter: tuple[str, ...], *words: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *starter, "--standalone", *map(str, words)]
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr[-3000:]
    return done


FACTS = """
import json, multiprocessing, os, sys
begun_with = "vaswani.experiment.run" in sys.modules
import torch
facts = {
    "name": __name__, "file": __file__, "main": sys.modules["__main__"].__file__,
    "argv": sys.argv, "path": sys.path[0], "unbuffered": sys.stdout.write_through,
    "method": multiprocessing.get_start_method(), "threads": torch.get_num_threads(),
    "variables": {name: os.environ[name] for name in ("RANK", "WORLD_SIZE", "OMP_NUM_THREADS")},
}
sys.stdout.write(json.dumps([begun_with, facts]) + "\\n")  # in one piece: the other process writes too
"""


def test_a_process_begins_as_torchrun_begins_it_but_with_all_imports(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(FACTS)

    def told(starter: tuple[str, ...]) -> list[Any]:
        said = launch(starter, "--nproc-per-node", "2", script, "--flag", "--version", "-m").stdout
        return sorted(map(json.loads, said.splitlines()), key=lambda each: each[1]["variables"]["RANK"])

    cold, warm = told(TORCHRUN), told(WARM)
    assert [facts for _, facts in warm] == [facts for _, facts in cold]
    assert [begun_with for begun_with, _ in cold + warm] == [False, False, True, True]


def test_a_killed_process_begins_again_and_the_others_with_it(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"""
import os, signal
from pathlib import Path
import torch
from vaswani.experiment.exit_codes import exiting_with_code
restarts, rank = os.environ["TORCHELASTIC_RESTART_COUNT"], os.environ["RANK"]
(Path({str(tmp_path)!r}) / f"start {{restarts}} of {{rank}}").touch()
with exiting_with_code():
    torch.distributed.init_process_group("gloo")
    if (restarts, rank) == ("0", "1"):
        os.kill(os.getpid(), signal.SIGKILL)
    torch.distributed.barrier()
""")
    launch(WARM, "--nproc-per-node", "2", "--max-restarts", "1", script)
    assert sorted(each.name for each in tmp_path.glob("start*")) == [
        f"start {start} of {rank}" for start in "01" for rank in "01"
    ]


def test_signals_reach_the_processes_and_nothing_is_left(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"""
import os, signal
from pathlib import Path
def end(*_):
    Path({str(tmp_path / "heard")!r}).touch()
    os._exit(75)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
signal.pause()
""")
    command = [sys.executable, "-m", *WARM, "--standalone", str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        started.send_signal(signal.SIGTERM)
        assert started.stdout.read() == ""  # which ends when no process holds it any more
        assert started.wait() != 0
    assert (tmp_path / "heard").exists()


def test_what_is_imported_before_a_fork_begins_no_thread_joins_no_group_and_touches_no_gpu() -> None:
    """A fork has none of the threads, and a GPU that its parent has touched cannot be used in it.

    tqdm's lock, once there, is one of all forks: a process that is killed while it draws would hold it for ever.
    """
    script = """
import threading
import torch

def touched(*_, **__):
    raise AssertionError("a GPU")

for name in ("is_available", "device_count", "init", "_lazy_init", "current_device", "get_device_properties"):
    setattr(torch.cuda, name, touched)
for name in ("is_available", "device_count", "set_device_index"):  # current_accelerator asks what torch was built for
    setattr(torch.accelerator, name, touched)

from importlib import import_module
from vaswani.experiment.warm_processes import PRELOADED

for module in PRELOADED:
    import_module(module)

from accelerate import PartialState
from tqdm.std import TqdmDefaultWriteLock

assert not hasattr(TqdmDefaultWriteLock, "mp_lock")
assert threading.active_count() == 1, threading.enumerate()
assert not PartialState._shared_state
assert not torch.distributed.is_initialized()
"""
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("words", [["-m", "recipes.multi30k"], ["--no-python", "recipes/multi30k.py"]])
def test_what_is_no_script_is_refused(words: list[str]) -> None:
    said = launch(WARM, *words, code=2).stderr
    assert (
        said
        == "vaswani torchrun: give a recipe by its file, without --module and --no-python, or take torchrun itself\n"
    )
