"""Files and folders that are written completely or not at all.

A writer writes to a draft beside the target, flushes it to the disk, and only then renames it, and flushes the name
too. So however and whenever a writer ends, by a kill or a power cut, the name holds the old contents or all of the new
ones. An error, including a full disk and Ctrl-C, leaves the old contents, and no draft.

A killed writer leaves a draft, `.NAME.N.vaswani-draft`, and the next one that writes NAME deletes it. A lock, which the
system releases when a writer ends in whatever way, shows whether another process or thread is still writing a draft. Of
several simultaneous writers the last one to end wins. On a disk without locks, and on Windows, drafts of killed writers
stay.
"""

import errno
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO, NamedTuple

if sys.platform != "win32":
    import fcntl

DRAFT = ".vaswani-draft"
"""The ending of a draft's name."""
DRAFTS = 8
"""Drafts of one name that are searched for: as many simultaneous writers leave no draft that is not found again."""
LONGEST = 200
"""Bytes of a name that are kept in its draft's name; file systems allow 255 in all."""

_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.EBADF})
_NO_SYNC = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EACCES, errno.EBADF})


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write; it replaces `path` at the end, completely or not at all.

    It has the owner and permissions that `path` would have if it were opened, and a link stays a link to it. Hard links
    and extended attributes of a replaced file are lost. If `path` is not a regular file, such as a pipe or /dev/null,
    it is opened and written to.

    Raises:
        OSError: it cannot be written; then it is unchanged.

    """
    if path.exists() and not path.is_file() and not path.is_dir():
        with path.open("wb") as file:
            yield file
        return
    target = without_links(path)
    before = status_to_write(target)
    with _draft(target, _new_file) as draft:
        if before is not None:
            set_owner(draft, before)
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    sync(target.parent)


def write_text(path: Path, text: str, errors: str = "strict") -> None:
    """Write a text in UTF-8, completely or not at all; raises as `atomic_write` does."""
    content = text.encode("utf-8", errors)
    with atomic_write(path) as file:
        file.write(content)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a folder to fill; it gets its name at the end, completely or not at all.

    Raises:
        OSError: it cannot be written, or a folder that is not empty, or a file, has the name.

    """
    target = without_links(path)
    with _draft(target, Path.mkdir) as draft:
        yield draft
        sync_tree(draft)
        draft.replace(target)
    sync(target.parent)


@contextmanager
def atomic_files(folder: Path, last: str = "") -> Iterator[Path]:
    """Yield a folder whose files are moved into another one at the end, replacing files of the same names.

    The other one is created if it is missing. Each of its files is complete at any moment, the old one or the new one.
    They are moved one after another, so a reader who needs all of them needs a marker: a file that is written
    afterwards, or the one named `last`.

    Raises:
        OSError: they cannot be written; then the folder is unchanged, unless they were already being moved.

    """
    target = without_links(folder)
    make_folder(target)
    with _draft(target / "files", Path.mkdir) as draft:
        yield draft
        sync_tree(draft)
        files = sorted((path.name == last, path) for path in draft.rglob("*") if path.is_file())
        places = {file: target / file.relative_to(draft) for _, file in files}
        for is_last, file in files:
            if is_last:
                sync(target)  # the other names must not reach the disk after it
            places[file].parent.mkdir(parents=True, exist_ok=True)
            file.replace(places[file])
        for each in {target, *(place.parent for place in places.values())}:
            sync(each)


def make_folder(path: Path) -> None:
    """Make a folder, with those that it is in, and flush their names to the disk; do nothing if it is there."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for each in missing:
        sync(each.parent)


def is_draft(path: Path) -> bool:
    """Return whether a file or folder is a draft: left by a killed writer, or still being written."""
    return path.name.startswith(".") and path.name.endswith(DRAFT)


def sync_tree(folder: Path) -> None:
    """Flush a folder to the disk: the contents of its files, and all names in it."""
    paths = sorted(folder.rglob("*"))
    for path in paths:
        if path.is_file():
            sync(path)
    for path in [*(each for each in paths if each.is_dir()), folder]:
        sync(path)  # a power cut loses a file whose name in the folder is not on the disk


def sync(path: Path) -> None:
    """Flush the contents of a file, or the names in a folder, to the disk, if the system supports it."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC or not path.is_dir():
            raise


def without_links(path: Path) -> Path:
    """Return the file that a path leads to, which may not be there yet."""
    return Path(os.path.realpath(path))


def status_to_write(target: Path) -> os.stat_result | None:
    """Return the status of a file that may be written, None if there is none; OSError if it may not be written."""
    try:
        descriptor = os.open(target, os.O_WRONLY)
    except FileNotFoundError:
        return None
    try:
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


def _new_file(path: Path) -> None:
    path.touch(exist_ok=False)


def set_owner(draft: Path, before: os.stat_result) -> None:
    """Give a draft the owner and the permissions of the file that it is to replace."""
    new = draft.stat()
    if sys.platform != "win32" and (new.st_uid, new.st_gid) != (before.st_uid, before.st_gid):
        with suppress(PermissionError):  # only root may change the owner
            os.chown(draft, before.st_uid, before.st_gid)
    draft.chmod(stat.S_IMODE(before.st_mode))


class _Draft(NamedTuple):
    """A draft that this process is writing."""

    path: Path
    status: os.stat_result
    lock: int | None
    """A descriptor, open as long as the draft is being written."""


@contextmanager
def _draft(target: Path, create: Callable[[Path], None]) -> Iterator[Path]:
    """Yield a new draft; remove abandoned ones, and at the end this one if it was not renamed."""
    name = os.fsdecode(os.fsencode(target.name)[:LONGEST])
    mine: _Draft | None = None
    try:
        for number in count():
            path = target.with_name(f".{name}.{number}{DRAFT}")
            _remove_if_left(path)
            mine = mine or _created(path, create, target)
            if mine and number >= DRAFTS:
                break
        assert mine is not None
        yield mine.path
    finally:
        if mine is not None:
            if _is_at(mine.status, mine.path):
                _remove(mine.path)
            if mine.lock is not None:
                os.close(mine.lock)


def _created(path: Path, create: Callable[[Path], None], target: Path) -> _Draft | None:
    """Create and lock a draft; None if another writer has the name."""
    try:
        create(path)
    except FileExistsError:
        return None
    except OSError as error:
        error.filename = str(target)  # the name that the user knows
        raise
    try:
        descriptor = _opened(path)
        # The status of the locked file, whoever created it: an open inode is not given to another file meanwhile.
        draft = _Draft(path, path.lstat() if descriptor is None else os.fstat(descriptor), descriptor)
    except FileNotFoundError:
        return None  # another writer took it for an abandoned one, since it was not locked yet
    if draft.lock is not None:
        lock(draft.lock)
    if _is_at(draft.status, path):
        return draft
    if draft.lock is not None:
        os.close(draft.lock)
    return None


def _remove_if_left(path: Path) -> None:
    """Remove a draft of a writer that has ended; only the holder of a draft's lock may remove its name."""
    try:
        descriptor = _opened(path)
    except OSError:  # there is none, or it belongs to another user
        return
    if descriptor is None:
        return
    try:
        if lock(descriptor, wait=False) and _is_at(os.fstat(descriptor), path):
            with suppress(PermissionError):
                _remove(path)
    except BlockingIOError:
        pass  # it is still being written
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int | None:
    """Open a draft for its lock; None if the system has no such locks."""
    if sys.platform == "win32":
        return None
    return os.open(path, os.O_RDONLY if path.is_dir() else os.O_WRONLY)


def lock(descriptor: int, wait: bool = True) -> bool:
    """Lock, and return whether it succeeded: not on a disk without locks.

    Raises:
        BlockingIOError: another writer holds the lock, and `wait` is false.

    """
    if sys.platform == "win32":
        return False
    try:
        # Not lockf: threads of one process are separate writers.
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True


def _is_at(status: os.stat_result, path: Path) -> bool:
    """Return whether a name still belongs to a file or folder."""
    try:
        return os.path.samestat(status, path.lstat())
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
