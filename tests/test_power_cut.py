"""What a run leaves is on the disk before its name stands, so that no cut of the power leaves a file without bytes.

A real run, in a process whose calls of the system are written down: where a file or folder gets its name, all of it
must have been flushed as it then is, and afterwards the folder that holds the name.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forked import Forks
from test_more_steps import Runs
from test_more_steps import text as text_of_runs
from test_sharded_runs import run_recipe

from vaswani.publishing import METRICS
from vaswani.training.checkpointing.checkpoints import MANIFEST

text = text_of_runs  # the fixture
Stamp = tuple[int, int]


class Disk:
    """Writes down what was flushed and what got a name, and what was not on the disk when it did."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.flushed: dict[str, Stamp] = {str(each): stamp(each) for each in run.rglob("*")}  # by those before
        self.named: list[str] = []
        self.complaints: list[str] = []
        self.waiting: dict[str, str] = {}  # folders to be flushed, and the name that waits for it

    def fsync(self, descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        self.flushed[str(path)] = stamp(path)
        self.waiting.pop(str(path), None)

    def name(self, source: Path, target: Path) -> None:
        if self.run not in (target, *target.parents):
            return
        parts = [source] if source.is_file() else sorted(each for each in source.rglob("*") if each.is_file())
        if target.name == MANIFEST:  # which vouches for all that lies beside it
            parts += sorted(
                each for each in target.parent.rglob("*") if each.is_file() and each not in (source, target)
            )
        for part in parts:
            if self.flushed.get(str(part)) != stamp(part):
                self.complaints.append(f"{target} got its name before {part} was on the disk")
        self.named.append(str(target))
        self.waiting[str(target.parent)] = str(target)


def stamp(path: Path) -> Stamp:
    """Tell two contents of a file apart."""
    found = path.stat()
    return found.st_size, 0 if path.is_dir() else found.st_mtime_ns


def recorded(log: Path, run: Path, *flags: str) -> None:
    """Be a process that runs a recipe, and writes down when what it leaves reaches the disk."""
    disk = Disk(run)

    def before(call: Callable[..., Any], note: Callable[..., None]) -> Callable[..., Any]:
        def wrapped(*given: Any, **named: Any) -> Any:
            note(*given)
            return call(*given, **named)

        return wrapped

    fsync = os.fsync

    def flush(descriptor: int) -> None:
        fsync(descriptor)
        disk.fsync(descriptor)

    vars(os)["fsync"] = flush
    for name in ("replace", "rename"):
        note: Callable[..., None] = lambda source, target: disk.name(Path(source), Path(target))  # noqa: E731
        setattr(os, name, before(getattr(os, name), note))
    run_recipe(*flags)
    log.write_text(json.dumps({"named": disk.named, "complaints": disk.complaints, "waiting": disk.waiting}))


class RecordedRuns(Runs):
    """Whole runs of a recipe, each in one process that is recorded."""

    def recorded(self, name: str, steps: int, *flags: str) -> dict[str, Any]:
        """Run it, and return what was written down."""
        log, run = self.folder / f"{name}.log", self.folder / name
        words = self.words(name, steps)
        self.forks.run(recorded, log, run, *words, *flags, kind="ddp", folder=self.folder, processes=1)
        found: dict[str, Any] = json.loads(log.read_text())
        return found


@pytest.fixture
def runs(forks: Forks, text: Path, tmp_path: Path) -> RecordedRuns:
    return RecordedRuns(forks, text, tmp_path)


def test_everything_that_a_run_leaves_is_on_the_disk_before_its_name_stands(runs: RecordedRuns) -> None:
    flags = ["--batches_per_step", "1", "--ema_decay", "0.9"]
    for found in (runs.recorded("run", 5, *flags), runs.recorded("run", 8, *flags, "--resume")):
        assert not found["complaints"]
        assert not {folder: name for folder, name in found["waiting"].items() if Path(folder).exists()}
        assert {"run.json", "tokenizer.json", "config.json", "model.safetensors", METRICS} <= {
            Path(name).name for name in found["named"]
        }
    run = runs.folder / "run"
    named = {Path(name).relative_to(run).parts[0] for name in found["named"] if run in Path(name).parents}
    left = {path.name for path in run.iterdir()} - {"run.lock", "metrics-5.json"}
    assert left - named == set(), "these were written in another way"


@pytest.mark.parametrize("content", [b"", b'{"steps": '], ids=["empty", "cut"])
def test_metrics_that_cannot_be_read_are_no_end_of_a_run(runs: RecordedRuns, content: bytes) -> None:
    runs("cut", 4)
    metrics = runs.folder / "cut" / METRICS
    before = runs.read("cut", METRICS)
    metrics.write_bytes(content)
    said = runs("cut", 4, "--resume")
    assert "metrics.json cannot be read, and is now metrics.unreadable.json; the run is scored" in said
    of_start = ("training_seconds", "resumed_from", "ended_on")
    after = runs.read("cut", METRICS)
    assert {k: v for k, v in after.items() if k not in of_start} == {
        k: v for k, v in before.items() if k not in of_start
    }
    assert (runs.folder / "cut" / "metrics.unreadable.json").read_bytes() == content
