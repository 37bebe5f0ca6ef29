"""Long work in stages: each has a folder with a stamp of what it is made of, and one that has ended is not done again.

A stage's work must be able to go on with what its folder holds, since it is called again after any end. Where flags or
files are no longer those of the stamp the stage is refused, with what changed and what to remove: nothing is thrown
away without being asked for.
"""

import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

from vaswani.publishing import hide_in_command
from vaswani.storage import is_draft, sha256_of
from vaswani.storage.atomic import lock
from vaswani.storage.journal import changes
from vaswani.storage.records import read_record, write_record
from vaswani.training.reporting.progress import print_line
from vaswani.translation.made_of import checksum_of
from vaswani.translation.models import find_model

from .child_process import run_to_end
from .run_folder import RunFolderError

STAMP = "stage.json"
LOCK = "stages.lock"


@dataclass(frozen=True)
class StampRecord:
    """What stage.json holds."""

    VERSION: ClassVar[int] = 1

    made_of: Mapping[str, Any]
    """Flags by name, and checksums of files and models."""
    has_ended: bool = False
    seconds: float = 0.0
    """Of the start that ended it."""
    made_by: Mapping[str, str] | None = None
    """Versions of packages; others may go on."""
    version: int = VERSION


class Stages:
    """The stages in a folder, done one after another in the order in which they are asked for.

    Args:
        folder: which holds a folder for each, numbered.
        descriptor: of the lock, which processes that do a stage's work hold too.

    """

    def __init__(self, folder: Path, descriptor: int) -> None:
        self.folder = folder
        self._descriptor = descriptor
        self._done = 0

    def do(
        self,
        name: str,
        work: Callable[[Path], object],
        flags: Mapping[str, Any],
        files: Mapping[str, Path] | None = None,
        models: Mapping[str, str | Path] | None = None,
    ) -> Path:
        """Do a stage, unless it has ended, and return its folder.

        Args:
            name: of the stage.
            work: fills a folder, or goes on with it.
            flags: what the stage is asked to do, in values that JSON has.
            files: what it reads.
            models: what it reads, as `vaswani translate` takes them.

        Raises:
            ValueError: the folder holds work of other flags or inputs.

        """
        self._done += 1
        place = self.folder / f"{self._done}-{name}"
        made_of = json.loads(json.dumps(dict(flags)))
        made_of |= {each: f"sha256 {sha256_of(path)}" for each, path in (files or {}).items()}
        made_of |= {
            each: f"sha256 {checksum_of(find_model(str(given)).folder, 'torch')}"
            for each, given in (models or {}).items()
        }
        stamp = StampRecord(made_of, made_by={"vaswani": version("vaswani"), "torch": version("torch")})
        before = read_record(StampRecord, place / STAMP) if (place / STAMP).exists() else None
        others = [each.name for each in stage_folders(self.folder) if each.name.startswith(f"{self._done}-")]
        if others and place.name not in others:
            raise RunFolderError(self._refusal(place, f"stage {self._done} was {others[0]} and is {place.name}"))
        if before is not None and before.made_of != made_of:
            raise RunFolderError(self._refusal(place, changes(before.made_of, made_of)))
        if before is not None and before.has_ended:
            print_line(f"=== {place.name} has ended before")
            return place
        print_line(f"=== {place.name}{' goes on' if before else ''}")
        place.mkdir(exist_ok=True)
        write_record(place / STAMP, stamp)
        started = time.monotonic()
        work(place)
        write_record(place / STAMP, replace(stamp, has_ended=True, seconds=round(time.monotonic() - started, 1)))
        return place

    def run(self, command: Sequence[str]) -> None:
        """Run a command to its end.

        Raises:
            SystemExit: it ended by an error, or a signal came.

        """
        print_line(f"$ {shlex.join(hide_in_command(command))}")
        code = run_to_end(command, held=(self._descriptor,))
        if code:
            print("error: that command failed, as it says above; the same command as before goes on", file=sys.stderr)
            raise SystemExit(code if code > 0 else 128 - code)

    def _refusal(self, place: Path, changed: str) -> str:
        number = int(place.name.partition("-")[0])
        behind = [each for each in stage_folders(self.folder) if int(each.name.partition("-")[0]) >= number]
        return (
            f"{place} was begun with other flags or inputs: {changed}. Give what it was begun with, name another "
            f"--output_dir, or do it and what follows again: rm -r {shlex.join(map(str, behind))}"
        )


def stage_folders(folder: Path) -> list[Path]:
    """Return the folders of the stages, in their order."""
    found = [
        each for each in folder.glob("*-*") if (each / STAMP).is_file() and each.name.partition("-")[0].isdecimal()
    ]
    return sorted(found, key=lambda each: int(each.name.partition("-")[0]))


def seconds_of(stage: Path) -> float:
    """Return how long a stage took that has ended, or its last start."""
    return read_record(StampRecord, stage / STAMP).seconds


@contextmanager
def stages_in(folder: Path) -> Iterator[Stages]:
    """Yield the stages in a folder, which no other process does meanwhile, not even one whose starter was killed.

    Raises:
        ValueError: the folder is a file, or holds something else.

    """
    if folder.exists() and not folder.is_dir():
        raise RunFolderError(f"--output_dir {folder} is a file; name a folder")
    folder.mkdir(parents=True, exist_ok=True)
    names = {each.name for each in folder.iterdir() if not is_draft(each)}
    if names and LOCK not in names:
        raise RunFolderError(f"{folder} holds files that do not belong to such work; name another --output_dir")
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            lock(descriptor, wait=False)
        except BlockingIOError:
            print_line(
                f"Another process works in {folder}, perhaps a stage whose starter was killed; waiting for its end"
            )
            lock(descriptor)
        yield Stages(folder, descriptor)
    finally:
        os.close(descriptor)


def as_flags(words: Sequence[str]) -> dict[str, list[str]]:
    """Return the words of a command line by flag; of a flag that is given twice, the last values."""
    found: dict[str, list[str]] = {}
    values: list[str] = []
    for word in words:
        if word.startswith("--"):
            name, is_joined, value = word[2:].partition("=")
            values = found[name.replace("-", "_")] = [value] if is_joined else []
        else:
            values.append(word)
    return found


def as_words(flags: Mapping[str, Sequence[str]]) -> list[str]:
    """Return flags by name as words of a command line."""
    return [word for name, values in flags.items() for word in (f"--{name}", *values)]
