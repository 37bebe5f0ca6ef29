"""Files and folders that appear whole or not at all.

What is written goes to a draft beside its place, is brought to the disk, and only then gets its name, which is brought
there too. So whatever ends a writer, and whenever, a kill or the power: under the name stands what stood there before
or all that is new. An error, a full disk and Ctrl-C among them, leaves what was there, and no draft.

A killed writer leaves a draft, `.NAME.N.vaswani-draft`, and the next one that writes NAME deletes it. It knows by a
lock that the system takes from a writer that ends, in whatever way: what another process or thread is writing is left
alone. Of several that write at once the last one that ends counts. On a disk without locks, and on Windows, drafts of
killed writers stay.
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
"""How the name of a draft ends."""
DRAFTS = 8
"""Drafts of one name that are looked for: as many writers at once leave nothing behind that is not found again."""
LONGEST = 200
"""Bytes of a name that its draft has too; file systems allow 255 for all."""

_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.EBADF})
_NO_SYNC = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EACCES, errno.EBADF})


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write; it takes the place of `path` at the end, whole or not at all.

    It has the owner and permissions that `path` would have if it were opened, and a link stays a link to it. Hard links
    and extended attributes of a file that is replaced do not stay. What is no file, such as a pipe or /dev/null, is
    opened and written to.

    Raises:
        OSError: it cannot be written; then it is as it was before.

    """
    if path.exists() and not path.is_file() and not path.is_dir():
        with path.open("wb") as file:
            yield file
        return
    target = _without_links(path)
    before = _status(target)
    with _draft(target, _new_file) as draft:
        if before is not None:
            _set_owner(draft, before)
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    sync(target.parent)


def write_text(path: Path, text: str, errors: str = "strict") -> None:
    """Write a text in UTF-8, whole or not at all; raises as `atomic_write` does."""
    content = text.encode("utf-8", errors)
    with atomic_write(path) as file:
        file.write(content)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a folder to fill; it gets its name at the end, whole or not at all.

    Raises:
        OSError: it cannot be written, or a folder that is not empty, or a file, has the name.

    """
    target = _without_links(path)
    with _draft(target, Path.mkdir) as draft:
        yield draft
        sync_tree(draft)
        draft.replace(target)
    sync(target.parent)


@contextmanager
def atomic_files(folder: Path, last: str = "") -> Iterator[Path]:
    """Give a folder whose files are moved into another one at the end, in the place of those of their names.

    The other one is made if it is missing. Each of its files is whole at any moment, the old one or the new one. They
    come one after another, so a reader who needs all of them needs a mark: a file that is written afterwards, or the
    one that is called `last`.

    Raises:
        OSError: they cannot be written; then the folder is as it was before, unless they were being moved.

    """
    target = _without_links(folder)
    target.mkdir(parents=True, exist_ok=True)
    with _draft(target / "files", Path.mkdir) as draft:
        yield draft
        sync_tree(draft)
        files = sorted((path.name == last, path) for path in draft.rglob("*") if path.is_file())
        places = {file: target / file.relative_to(draft) for _, file in files}
        for is_last, file in files:
            if is_last:
                sync(target)  # the others' names must not come to the disk after it
            places[file].parent.mkdir(parents=True, exist_ok=True)
            file.replace(places[file])
        for each in {target, *(place.parent for place in places.values())}:
            sync(each)


def is_draft(path: Path) -> bool:
    """Tell whether a file or folder is what a writer that was killed left, or is still being written."""
    return path.name.startswith(".") and path.name.endswith(DRAFT)


def sync_tree(folder: Path) -> None:
    """Bring a folder to the disk: what its files hold, and all names in it."""
    paths = sorted(folder.rglob("*"))
    for path in paths:
        if path.is_file():
            sync(path)
    for path in [*(each for each in paths if each.is_dir()), folder]:
        sync(path)  # a file on the disk without its name in the folder is lost with the power


def sync(path: Path) -> None:
    """Bring what a file holds, or the names in a folder, to the disk, where the disk can be told."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC or not path.is_dir():
            raise


def _without_links(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _status(target: Path) -> os.stat_result | None:
    """Return what is known of a file that may be written, None if there is none; OSError if it may not."""
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


def _set_owner(draft: Path, before: os.stat_result) -> None:
    """Give a draft the owner and the permissions of the file that it is to replace."""
    new = draft.stat()
    if sys.platform != "win32" and (new.st_uid, new.st_gid) != (before.st_uid, before.st_gid):
        with suppress(PermissionError):  # only root gives files away
            os.chown(draft, before.st_uid, before.st_gid)
    draft.chmod(stat.S_IMODE(before.st_mode))


class _Draft(NamedTuple):
    """What is being written by this process."""

    path: Path
    status: os.stat_result
    lock: int | None
    """A descriptor, open for as long as it is being written."""


@contextmanager
def _draft(target: Path, create: Callable[[Path], None]) -> Iterator[Path]:
    """Give a new draft; remove those that nobody writes any more, and at the end this one if it got no name."""
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
        error.filename = str(target)  # which is what the user knows of
        raise
    try:
        lock = _opened(path)
        # Of what is locked, whoever created it: an inode that is open is not given to another file meanwhile.
        draft = _Draft(path, path.lstat() if lock is None else os.fstat(lock), lock)
    except FileNotFoundError:
        return None  # another writer took it for one that was left, since it was not locked yet
    if draft.lock is not None:
        _lock(draft.lock)
    if _is_at(draft.status, path):
        return draft
    if draft.lock is not None:
        os.close(draft.lock)
    return None


def _remove_if_left(path: Path) -> None:
    """Remove a draft of a writer that has ended; only who holds the lock of a draft may take its name away."""
    try:
        lock = _opened(path)
    except OSError:  # there is none, or it is somebody else's
        return
    if lock is None:
        return
    try:
        if _lock(lock, wait=False) and _is_at(os.fstat(lock), path):
            with suppress(PermissionError):
                _remove(path)
    finally:
        os.close(lock)


def _opened(path: Path) -> int | None:
    """Open a draft for its lock; None where the system knows no such locks."""
    if sys.platform == "win32":
        return None
    return os.open(path, os.O_RDONLY if path.is_dir() else os.O_WRONLY)


def _lock(descriptor: int, wait: bool = True) -> bool:
    """Lock, and tell whether it is; it is not if another writer holds the lock, or the disk knows none."""
    if sys.platform == "win32":
        return False
    try:
        # Not lockf: threads of one process are writers of their own.
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True


def _is_at(status: os.stat_result, path: Path) -> bool:
    """Tell whether a name is still that of a file or folder."""
    try:
        return os.path.samestat(status, path.lstat())
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
