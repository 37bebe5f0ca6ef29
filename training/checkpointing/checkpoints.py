"""Which checkpoints can be trusted, and which may be deleted.

A checkpoint counts only once its list of files and checksums is written, as the last step of saving: files and folders
are flushed to the disk, the list is written under another name, flushed too, and renamed. The list shows whatever was
interrupted before that rename, by a kill or a power cut, or damaged after it.
"""

import re
import shutil
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import ClassVar

from torch.distributed.checkpoint.filesystem import FileSystemReader

from vaswani.storage import sha256_of, sync, sync_tree, write_text
from vaswani.storage.records import LEFT_OUT, REST, read_record, write_record

MANIFEST = "manifest.json"
UNSCHEDULED = "unscheduled"
"""Marks a checkpoint that was saved only because training ended there; holds what ended it, END or SIGNAL."""
END, SIGNAL = "end", "signal"
"""The last step of a run, which is asked for; or a signal, without which there would be no such checkpoint."""
FSDP_WEIGHTS, FSDP_OPTIMIZER = "pytorch_model_fsdp_0", "optimizer_0"
DEEPSPEED_TAG = "latest"
_FILES = {
    "state of the schedule": "scheduler.pt",
    "state of the trainer": "trainer_state.json",
    "position in the data": "stream.json",
}
_RANDOM_STATE = re.compile(r"rng_state(_\d+)?\.pth")
_NAME = re.compile(r"checkpoint-(\d+)")


class Layout(Enum):
    """How weights and moments are stored in a checkpoint: in one file each, or in parts that the processes saved."""

    WHOLE = "without sharding"
    FSDP = "with FSDP"
    DEEPSPEED = "with DeepSpeed"


class IncompleteCheckpointError(ValueError):
    """A checkpoint lacks a part without which training would go on as if from the start."""


@dataclass(frozen=True)
class Manifest:
    """What manifest.json holds: an object of nothing but names, so that it says a version only from the second on."""

    VERSION: ClassVar[int] = 0

    files: Mapping[str, str] = field(default_factory=dict, metadata=REST)
    """SHA-256 of each file of the checkpoint, by its path in it."""
    version: int = field(default=0, metadata=LEFT_OUT)


def read_manifest(checkpoint: Path) -> Manifest:
    """Read manifest.json of a checkpoint; raises as `read_record` does."""
    return read_record(Manifest, checkpoint / MANIFEST)


def write_manifest(checkpoint: Path, manifest: Manifest) -> None:
    """Write manifest.json into a checkpoint."""
    write_record(checkpoint / MANIFEST, manifest)


def begin(folder: Path) -> None:
    """Make room for a checkpoint, by deleting the files of an earlier attempt.

    Otherwise an old list could confirm files that are being replaced, and a file of a run on more processes would count
    as one of this run's.
    """
    if folder.exists():
        (folder / MANIFEST).unlink(
            missing_ok=True
        )  # first, so that an interrupted deletion leaves nothing that looks complete
        shutil.rmtree(folder)


def seal(folder: Path) -> None:
    """Write the list of a checkpoint's files with their SHA-256, and make sure that all of it is on the disk."""
    files = {str(path.relative_to(folder)): sha256_of(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    sync_tree(folder)
    sync(folder.parent)
    write_manifest(folder, Manifest(files))


def amend(folder: Path, texts: Mapping[str, str], without: Collection[str] = ()) -> None:
    """Write texts into a sealed checkpoint, by their names, and remove others.

    If that is interrupted, the checkpoint is no longer sealed, and a resume goes to the one before it.
    """
    files = dict(read_manifest(folder).files)
    (folder / MANIFEST).unlink()
    sync(folder)
    for name, text in texts.items():
        write_text(folder / name, text)
        files[name] = sha256_of(folder / name)
    for name in without:
        (folder / name).unlink(missing_ok=True)
        files.pop(name, None)
    sync(folder)
    write_manifest(folder, Manifest(files))


def layout(folder: Path) -> Layout:
    """Return how a checkpoint was saved, by the files of its weights and moments."""
    if (folder / FSDP_WEIGHTS).exists() or (folder / FSDP_OPTIMIZER).exists():
        return Layout.FSDP
    if (folder / DEEPSPEED_TAG).exists() or any(folder.glob("global_step*")):
        return Layout.DEEPSPEED
    return Layout.WHOLE


def saved_on(folder: Path) -> int:
    """Return the number of processes that saved a checkpoint: each leaves its random state."""
    return sum(1 for path in folder.iterdir() if _RANDOM_STATE.fullmatch(path.name))


def check_parts(folder: Path, processes: int | None = None) -> None:
    """Make sure that a checkpoint holds everything that resuming needs, including the parts of every process.

    Args:
        folder: the checkpoint.
        processes: the required number of random states; None accepts a checkpoint of any number of processes.

    Raises:
        IncompleteCheckpointError: a part is missing; the Trainer would silently start anew with that part.

    """
    missing = [part for part, name in _FILES.items() if not (folder / name).is_file()]
    states = saved_on(folder)
    if not states:
        missing.append("random state")
    elif processes is not None and states != processes:
        missing.append(f"random state of {processes - states} of {processes} processes")
    match layout(folder):
        case Layout.WHOLE:
            missing += _missing_of_whole(folder)
        case Layout.FSDP:
            missing += _missing_of_fsdp(folder)
        case Layout.DEEPSPEED:
            missing += _missing_of_deepspeed(folder, states)
    if missing:
        raise IncompleteCheckpointError(
            f"{folder} has no {', no '.join(missing)}; restore what is missing, or remove the folder and continue from "
            "the one before it with --resume"
        )


def _missing_of_whole(folder: Path) -> list[str]:
    weights = any((folder / name).is_file() for name in ("model.safetensors", "model.safetensors.index.json"))
    optimizer = (folder / "optimizer.pt").is_file()
    return ["weights"] * (not weights) + ["state of the optimizer"] * (not optimizer)


def _missing_of_fsdp(folder: Path) -> list[str]:
    """Look for the files of torch.distributed.checkpoint: its .metadata lists those of all processes."""
    missing = []
    for part, name in (("weights", FSDP_WEIGHTS), ("state of the optimizer", FSDP_OPTIMIZER)):
        if not (folder / name / ".metadata").is_file():
            missing.append(part)
            continue
        stored = FileSystemReader(folder / name).read_metadata().storage_data
        parts = {folder / name / entry.relative_path for entry in stored.values()}
        missing += [f"{path.relative_to(folder)} ({part})" for path in sorted(parts) if not path.is_file()]
    return missing


def _missing_of_deepspeed(folder: Path, processes: int) -> list[str]:
    """Look for the files of DeepSpeed's engine: with ZeRO-3 weights of every process, otherwise all of process 0."""
    if not (folder / DEEPSPEED_TAG).is_file():
        return [DEEPSPEED_TAG]
    parts = _deepspeed_parts(folder)
    held = {path.name.removeprefix("bf16_") for path in parts.glob("*.pt")}
    expected = [f"zero_pp_rank_{process}_mp_rank_00_optim_states.pt" for process in range(processes)]
    if saved_by_zero3(folder):
        expected += [f"zero_pp_rank_{process}_mp_rank_00_model_states.pt" for process in range(processes)]
    else:
        expected.append("mp_rank_00_model_states.pt")
    return [f"{parts.name}/{name}" for name in expected if name not in held]


def _deepspeed_parts(folder: Path) -> Path:
    return folder / (folder / DEEPSPEED_TAG).read_text(encoding="utf-8").strip()


def saved_by_zero3(folder: Path) -> bool:
    """Return whether DeepSpeed saved a checkpoint in which also the weights are spread over the processes."""
    return any(_deepspeed_parts(folder).glob("zero_pp_rank_*_model_states.pt"))


def checkpoint_fault(folder: Path) -> str | None:
    """Return what is wrong with a checkpoint, or None if it is complete and the disk can read it."""
    try:
        return _fault(folder)
    except OSError as error:
        what = Path(error.filename).name if error.filename else "a file"
        return f"{what} cannot be read ({error.strerror})"


def _fault(folder: Path) -> str | None:
    if not (folder / MANIFEST).is_file():
        return "it was not saved to the end"
    try:
        files = read_manifest(folder).files
    except ValueError:
        files = {}
    if not files:
        return f"{MANIFEST} is damaged"
    for name, expected in files.items():
        if not (folder / name).is_file():
            return f"{name} is missing"
        if sha256_of(folder / name) != expected:
            return f"{name} was changed after it was saved"
    return None


def checkpoints(run: Path) -> list[Path]:
    """Return the checkpoint folders of a run, oldest first, complete or not."""
    found = [(int(match[1]), path) for path in run.glob("checkpoint-*") if (match := _NAME.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def sealed(run: Path) -> list[Path]:
    """Return the checkpoints that were saved completely, oldest first."""
    return [folder for folder in checkpoints(run) if (folder / MANIFEST).is_file()]


def counted(run: Path) -> list[Path]:
    """Return the complete checkpoints, oldest first, as a run that never stopped would have them.

    The newest always counts; an older one does not if it was saved only because training ended there.
    """
    folders = sealed(run)
    return [folder for folder in folders if folder == folders[-1] or not (folder / UNSCHEDULED).exists()]


def is_left_by_signal(folder: Path) -> bool:
    """Return whether a checkpoint is there only because of a signal; only newer versions say what ended training."""
    file = folder / UNSCHEDULED
    return file.is_file() and file.read_text(encoding="utf-8") == SIGNAL


def scheduled_steps(run: Path) -> set[int]:
    """Return the steps after which checkpoints were saved completely, and would be in a run of any length."""
    return {step_of(folder) for folder in sealed(run) if not (folder / UNSCHEDULED).exists()}


def step_of(checkpoint: Path) -> int:
    """Return the step of a checkpoint, by its name."""
    return int(checkpoint.name.split("-")[1])


def newest_whole(run: Path) -> tuple[Path | None, dict[str, str]]:
    """Return the newest complete checkpoint, and the newer ones with what is wrong with them."""
    found, skipped = first_whole(reversed(checkpoints(run)), 1)
    return (found[0] if found else None), skipped


def first_whole(folders: Iterable[Path], number: int) -> tuple[list[Path], dict[str, str]]:
    """Return the first `number` complete checkpoints, and what is wrong with the others before them."""
    found: list[Path] = []
    skipped: dict[str, str] = {}
    for folder in folders:
        if len(found) == number:
            break
        reason = checkpoint_fault(folder)
        if reason is None:
            found.append(folder)
        else:
            skipped[folder.name] = reason
    return found, skipped


def set_aside(run: Path, names: Iterable[str]) -> None:
    """Rename skipped checkpoints to damaged-N, so that no newer one is deleted in their favour.

    They stay for inspection; one that was never sealed is no loss, and its folder will be used again. One that the disk
    does not rename stays where it is.
    """
    for name in names:
        if (run / name / MANIFEST).exists():
            into = run / name.replace("checkpoint", "damaged")
            with suppress(OSError):
                if into.exists():
                    shutil.rmtree(into)
                (run / name).rename(into)


def prune(run: Path, keep: int | None, best: str | None, also: Collection[str] = (), has_ended: bool = False) -> None:
    """Delete all checkpoints but the last `keep` sealed ones and the best; called only when the newest is sealed.

    Earlier ones that were never sealed are deleted too, since no run returns to the step of an old signal. So are those
    that were saved only because training ended there: a run that never stopped would not have them.

    Args:
        run: its folder.
        keep: how many to keep, at least 1; None: all but those that a signal left.
        best: is kept too.
        also: are kept too.
        has_ended: whether the run has, so that it needs no newest one to resume from.

    """
    for folder in checkpoints(run):
        if folder == sealed(run)[-1]:
            break
        if not (folder / MANIFEST).is_file():
            shutil.rmtree(folder)
    lasting = [folder for folder in sealed(run) if not is_left_by_signal(folder)]
    newest = [] if has_ended and lasting else sealed(run)[-1:]
    if keep is None:
        kept = {folder.name for folder in lasting + newest}
    else:
        # One that a signal left takes no other's place: it will be gone, and nothing might come after that other.
        last = [folder for folder in counted(run) if folder in lasting][-max(keep, 1) :]
        kept = {folder.name for folder in last + newest} | {Path(path).name for path in (best, *also) if path}
    for folder in sealed(run):
        if folder.name not in kept:
            (folder / MANIFEST).unlink()  # so that an interrupted deletion leaves nothing that looks complete
            shutil.rmtree(folder)
