"""What the last lines of a start that is refused say, whatever launcher follows with words of its own."""

import shlex
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from forked_python import forked
from test_experiment import ROOT, TINY, one_thread

LAUNCH = [
    *(sys.executable, "-m", "accelerate.commands.launch"),
    *shlex.split("--num_machines 1 --mixed_precision no --dynamo_backend no"),
]
WRONG = "error: unknown: --drop_out 0.1; similar flags are --dropout"


def said(*command: str | Path, code: int, is_fresh: bool = True, **variables: str) -> list[str]:
    """Return the lines of a command that ends with this code."""
    environment = one_thread() | variables
    done = subprocess.run(
        list(map(str, command)) if is_fresh else forked(*command, environment=environment),
        env=environment,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == code, done.stdout[-3000:]
    return done.stdout.splitlines()


def recipe(*flags: str | Path) -> list[str]:
    return [str(ROOT / "recipes" / "quickstart.py"), *map(str, flags)]


def small(folder: Path) -> list[str | Path]:
    """Leave a small text in a folder, and return the flags of a run that trains on it."""
    for split in ("train", "val", "test_toy"):
        for language in ("en", "nds"):
            (folder / f"{split}.{language}").write_text("one two three\n" * 30)
    own = shlex.split("--direction en-nds --vocab_size 270 --tokens_per_batch 300 --test_splits test_toy")
    return ["--data_dir", folder, *TINY, *own]


def test_one_process_ends_with_its_message() -> None:
    lines = said(sys.executable, *recipe("--drop_out", "0.1"), code=2)
    assert WRONG in lines[-1]


def test_of_accelerate_launch_with_one_process_it_is_said_that_its_traceback_follows() -> None:
    """Or nothing does, where it was told to be quiet."""
    lines = said(*LAUNCH, "--num_processes", "1", *recipe("--drop_out", "0.1"), code=1)
    at = next(at for at, line in enumerate(lines) if WRONG in line)
    assert lines[at + 1] == "accelerate launch follows with a traceback of its own for exit code 2; -q leaves it out"
    assert lines[at + 2].startswith("Traceback")
    quiet = said(*LAUNCH, "-q", "--num_processes", "1", *recipe("--drop_out", "0.1"), code=1)
    assert WRONG in quiet[-1]


def test_of_a_signal_to_the_run_alone_it_is_said_too(tmp_path: Path) -> None:
    """As of one that a scheduler sends to the run itself, while its launcher waits."""
    endless = ["--max_steps", "100000", "--eval_steps", "100000", "--save_steps", "100000", "--logging_steps", "1"]
    flags = [*small(tmp_path), *endless, "--disable_tqdm", "true", "--output_dir", tmp_path / "run"]
    command = [*LAUNCH, "--num_processes", "1", *recipe(*flags)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as launcher:
        assert launcher.stdout
        assert any(line.startswith("step ") for line in launcher.stdout)
        [run] = [
            each for each in psutil.Process(launcher.pid).children() if "quickstart.py" in " ".join(each.cmdline())
        ]
        run.terminate()
        lines = launcher.stdout.read().splitlines()
    at = next(at for at, line in enumerate(lines) if line.startswith("error: a signal ended training; step "))
    assert lines[at + 1] == "accelerate launch follows with a traceback of its own for exit code 75; -q leaves it out"
    assert lines[at + 2].startswith("Traceback")


@pytest.mark.slow
def test_several_processes_have_their_launcher_repeat_the_message_last(tmp_path: Path) -> None:
    """Of flags, and of what the first one finds in a folder."""
    (tmp_path / "notes.txt").touch()
    flags = [*TINY, "--batches_per_step", "2", "--output_dir", tmp_path]
    for asked, words in (
        (recipe("--batches_per_step", "2", "--drop_out", "0.1"), WRONG),
        (recipe(*flags), f"error: {tmp_path} holds files that do not belong to a run; name another --output_dir"),
    ):
        launch = [*LAUNCH, "--multi_gpu", "--num_processes", "2", "--main_process_port", "0"]
        lines = said(*launch, *asked, code=1, ACCELERATE_USE_CPU="true")
        assert "Root Cause" in "".join(lines[-9:-6])
        assert words in lines[-2]


def test_a_tracker_that_is_not_there_is_refused_in_a_line(tmp_path: Path) -> None:
    flags = [*TINY, "--output_dir", tmp_path / "run", "--report_to"]
    [line] = said(sys.executable, *recipe(*flags, "dvclive"), code=2, is_fresh=False)
    assert line.startswith("error: --report_to is dvclive, which is not ready: DVCLiveCallback requires dvclive")
    assert line.endswith("Or leave it out: this machine can report to tensorboard")
    [line] = said(sys.executable, *recipe(*flags, "blackboard"), code=2, is_fresh=False)
    assert line.startswith("error: --report_to is blackboard; give none, all, or some of azure_ml, comet_ml, ")
    assert not (tmp_path / "run").exists()


def test_a_tracker_that_fails_is_told_in_a_line(tmp_path: Path) -> None:
    """As one that nobody has logged in to; here its folder cannot be made."""
    (tmp_path / "taken").touch()
    flags = [*small(tmp_path), "--output_dir", tmp_path / "run", "--report_to", "tensorboard"]
    where = str(tmp_path / "taken" / "logs")
    *_, line = said(sys.executable, *recipe(*flags), code=2, is_fresh=False, TENSORBOARD_LOGGING_DIR=where)
    assert line.startswith("error: tensorboard (--report_to) failed: ")
    assert line.endswith("Fix it, or name other trackers by --report_to (none for none), and continue with --resume")
