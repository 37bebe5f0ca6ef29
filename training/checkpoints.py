"""Which checkpoints can be trusted, and which may go.

A checkpoint counts only once its list of files and checksums is written, as the last act of saving: files and folders
are brought to the disk, the list is written aside, brought there too, and renamed. Whatever was cut off before that
rename, by a kill or by the power, or damaged after, is known by the list.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

MANIFEST = "manifest.json"
_PARTS = {
    "weights": re.compile(r"model\.safetensors(\.index\.json)?"),
    "state of the optimizer": re.compile(r"optimizer\.pt"),
    "state of the schedule": re.compile(r"scheduler\.pt"),
    "state of the trainer": re.compile(r"trainer_state\.json"),
    "position in the data": re.compile(r"stream\.json"),
    "random state": re.compile(r"rng_state(_\d+)?\.pth"),
}
_NAME = re.compile(r"checkpoint-(\d+)")


class IncompleteCheckpointError(ValueError):
    """A checkpoint lacks a part without which training would go on as if from the start."""


def begin(folder: Path) -> None:
    """Make room for a checkpoint, by deleting what an earlier attempt at it left.

    A list among that would otherwise vouch for files that are being replaced, and a file of a run on more processes
    would be taken for one of this run's.
    """
    if folder.exists():
        (folder / MANIFEST).unlink(missing_ok=True)  # first, so that a deletion cut off leaves nothing that looks whole
        shutil.rmtree(folder)


def seal(folder: Path) -> None:
    """Write the list of a checkpoint's files with their SHA-256, and make sure that all of it is on the disk."""
    digests = {str(path.relative_to(folder)): digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    draft = folder / (MANIFEST + ".draft")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(digests, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    for each in [*(path for path in folder.rglob("*") if path.is_dir()), folder, folder.parent]:
        _sync_names(each)  # a file on the disk without its name in the folder is lost with the power
    draft.rename(folder / MANIFEST)
    _sync_names(folder)


def _sync_names(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_parts(folder: Path, processes: int | None = None) -> None:
    """Make sure that a checkpoint holds all that training goes on from.

    Args:
        folder: the checkpoint.
        processes: so many random states there must be; None takes what a run on any number of processes saved.

    Raises:
        IncompleteCheckpointError: a part is missing; the Trainer would start anew with it, and not say so.

    """
    held = {part: [p.name for p in folder.iterdir() if name.fullmatch(p.name)] for part, name in _PARTS.items()}
    missing = [part for part, files in held.items() if not files]
    states = len(held["random state"])
    if states and processes is not None and states != processes:
        missing.append(f"random state of {processes - states} of {processes} processes")
    if missing:
        raise IncompleteCheckpointError(
            f"{folder} has no {', no '.join(missing)}; restore what is missing, or remove the folder and go on from "
            "the one before it by --resume"
        )


def fault(folder: Path) -> str | None:
    """Return what is wrong with a checkpoint, or None if it is whole."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return "it was not saved to the end"
    for name, expected in json.loads(manifest.read_text(encoding="utf-8")).items():
        if not (folder / name).is_file():
            return f"{name} is missing"
        if digest(folder / name) != expected:
            return f"{name} was changed after it was saved"
    return None


def digest(path: Path) -> str:
    """Return the SHA-256 of a file after bringing it to the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def checkpoints(run: Path) -> list[Path]:
    """Return the checkpoint folders of a run, oldest first, whole or not."""
    found = [(int(match[1]), path) for path in run.glob("checkpoint-*") if (match := _NAME.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def sealed(run: Path) -> list[Path]:
    """Return the checkpoints that were saved to the end, oldest first."""
    return [folder for folder in checkpoints(run) if (folder / MANIFEST).is_file()]


def newest_whole(run: Path) -> tuple[Path | None, dict[str, str]]:
    """Return the newest checkpoint that is whole, and the newer ones that are not with what is wrong with them."""
    skipped: dict[str, str] = {}
    for folder in reversed(checkpoints(run)):
        reason = fault(folder)
        if reason is None:
            return folder, skipped
        skipped[folder.name] = reason
    return None, skipped


def set_aside(run: Path, names: Iterable[str]) -> None:
    """Rename checkpoints that were passed over, to damaged-N, so that no newer one is deleted in their favour.

    They stay for whoever wants to look; one that was never sealed is no loss, and its folder will be used again.
    """
    for name in names:
        if (run / name / MANIFEST).exists():
            into = run / name.replace("checkpoint", "damaged")
            if into.exists():
                shutil.rmtree(into)
            (run / name).rename(into)


def prune(run: Path, keep: int, best: str | None) -> None:
    """Delete checkpoints but the last `keep` sealed ones and the best; called only when the newest is sealed."""
    for folder in sealed(run)[: -max(keep, 1)]:
        if best is None or folder.name != Path(best).name:
            (folder / MANIFEST).unlink()  # so that a deletion that is cut off leaves nothing that looks whole
            shutil.rmtree(folder)
