"""Whatever the disk of a run refuses, and whichever library meets it: one line with the cause, and code 2."""

import errno
import resource
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from test_experiment import TINY, one_thread, polling, recipe, toy_text

from vaswani.experiment.error_messages import disk_fault
from vaswani.training.checkpointing.checkpoints import checkpoint_fault

SCHEDULE = ["--eval_strategy", "no", "--save_steps", "5", "--logging_steps", "5"]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_text(tmp_path_factory.mktemp("text"))


def start(
    text: Path, folder: Path, *flags: str, bytes_a_file: int | None = None, stdout: int = subprocess.DEVNULL
) -> subprocess.Popen[str]:
    """Start a run; no file that it writes may grow beyond so many bytes."""

    def limit() -> None:
        if bytes_a_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_a_file, bytes_a_file))

    of_run = ["--data_dir", text, "--direction", "en-nds", "--output_dir", folder]
    return subprocess.Popen(
        recipe(*of_run, *TINY, *SCHEDULE, *flags),
        env=one_thread(),
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limit,
    )


def refusal(process: subprocess.Popen[str]) -> str:
    """Return the line of an error, which has to be the only one."""
    _, said = process.communicate()
    assert (process.returncode, "Traceback" in said) == (2, False), said[-3000:]
    [line] = [each for each in said.splitlines() if each.startswith("error: ")]
    return line


@pytest.mark.parametrize("bytes_a_file", [100_000, 400_000], ids=["weights", "moments"])
def test_a_file_that_the_disk_does_not_take_is_named(text: Path, tmp_path: Path, bytes_a_file: int) -> None:
    """The weights are written by a library in Rust, the moments by one in C++, which does not say what happened."""
    line = refusal(start(text, tmp_path / "run", "--max_steps", "10", bytes_a_file=bytes_a_file))
    assert "error: a file cannot be read or written: [Errno 27] File too large" in line
    assert line.endswith("Mend that, then continue with --resume: nothing was saved yet")


def test_a_disk_that_becomes_read_only_ends_a_run_that_can_go_on(text: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = start(text, folder, "--max_steps", "100000")
    for _ in polling(200):
        if list(folder.glob("checkpoint-*/manifest.json")) or process.poll() is not None:
            break
    assert process.poll() is None
    if subprocess.run(["mount", "--bind", folder, folder], capture_output=True, check=False).returncode:
        process.kill()
        process.communicate()
        pytest.skip("needs the right to mount a folder")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        line = refusal(process)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
    assert "error: a file cannot be read or written: [Errno 30] Read-only file system" in line
    assert line.endswith("continue with --resume: the last complete checkpoint is kept")
    steps = max(int(each.parent.name.split("-")[1]) for each in folder.glob("checkpoint-*/manifest.json"))
    again = start(text, folder, "--max_steps", str(steps + 1), "--resume")
    _, said = again.communicate()
    assert again.returncode == 0, said[-2000:]


UNREADABLE = Path("/proc/self/mem")
"""A regular file that can be opened, and of whose first bytes the system says EIO, as a broken disk does."""


@pytest.mark.skipif(not UNREADABLE.is_file(), reason="no /proc here")
def test_a_checkpoint_that_the_disk_cannot_read_is_passed_over_by_name(text: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    schedule = ["--save_steps", "2", "--resume"]
    first = start(text, folder, "--max_steps", "4", *schedule)
    assert first.wait() == 0, first.communicate()[1][-2000:]
    for name in ("metrics.json", "checkpoint-4/optimizer.pt"):
        (folder / name).unlink()
    (folder / "checkpoint-4" / "optimizer.pt").symlink_to(UNREADABLE)
    with pytest.raises(OSError, match="Input/output error"):
        (folder / "checkpoint-4" / "optimizer.pt").read_bytes()
    again = start(text, folder, "--max_steps", "4", *schedule, stdout=subprocess.PIPE)
    said, errors = again.communicate()
    assert again.returncode == 0, errors[-2000:]
    assert "Skipping checkpoint-4: optimizer.pt cannot be read (Input/output error)" in said
    assert "Resuming from checkpoint-2" in said
    assert checkpoint_fault(folder / "checkpoint-4") is None
    assert (folder / "damaged-4" / "optimizer.pt").is_symlink()


def test_a_link_to_nowhere_is_no_folder_for_a_run(text: Path, tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to(tmp_path / "gone")
    line = refusal(start(text, tmp_path / "run", "--max_steps", "1"))
    assert f"error: --output_dir {tmp_path / 'run'} is a link to {tmp_path / 'gone'}, which is not there" in line


def test_what_libraries_say_of_a_disk_is_understood(tmp_path: Path) -> None:
    for write in (
        lambda: torch.save({}, tmp_path / "none" / "a.pt"),
        lambda: save_file({"a": torch.zeros(1)}, tmp_path / "none" / "a.safetensors"),
        lambda: (tmp_path / "none" / "a").touch(),
    ):
        with pytest.raises(Exception, match=r"none") as met:
            write()
        fault = disk_fault(met.value, tmp_path / "none")
        assert fault is not None
        assert fault.errno == errno.ENOENT
    for other in (RuntimeError("shapes differ"), ConnectionResetError(104, "reset"), TimeoutError(110, "late")):
        assert disk_fault(other, tmp_path) is None
