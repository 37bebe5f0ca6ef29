"""Which checkpoints can be trusted, and which may go.

A checkpoint counts only once its list of files and checksums is written, as the last act of saving. Whatever was cut
off before that, or damaged after, is known by the list.
"""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path

MANIFEST = "manifest.json"
_NAME = re.compile(r"checkpoint-(\d+)")


def seal(folder: Path) -> None:
    """Write the list of a checkpoint's files with their SHA-256, and make sure that all of it is on the disk."""
    digests = {str(path.relative_to(folder)): digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    draft = folder / (MANIFEST + ".draft")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(digests, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(folder / MANIFEST)


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


def prune(run: Path, keep: int, best: str | None) -> None:
    """Delete checkpoints but the last `keep` sealed ones and the best; called only when the newest is sealed."""
    for folder in sealed(run)[: -max(keep, 1)]:
        if best is None or folder.name != Path(best).name:
            (folder / MANIFEST).unlink()  # so that a deletion that is cut off leaves nothing that looks whole
            shutil.rmtree(folder)
