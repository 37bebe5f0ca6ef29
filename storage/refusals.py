"""What a disk refuses, in words: the file, what is wrong with it, and the way out."""

import errno
import os
from pathlib import Path

WAYS = {
    errno.EISDIR: "is a folder; name a file",
    errno.ENOTDIR: "lies below a file, not below a folder; check the path",
    errno.EEXIST: "exists already; name another one",
    errno.EACCES: "is not yours to read or write (permission denied); change its permissions, or name another one",
    errno.EPERM: "is not yours to change (operation not permitted); change its permissions, or name another one",
    errno.EROFS: "is on a disk that is read-only",
    errno.ENOSPC: "cannot be written, as its disk is full; free some space, or name another place",
    errno.EDQUOT: "cannot be written, as your quota of its disk is used up; free some space, or name another place",
    errno.ENAMETOOLONG: "has too long a name; name another one",
    errno.EMFILE: "cannot be opened beside so many other files; raise the limit (ulimit -n)",
}


def in_words(error: BaseException) -> str:
    """Return the message of an error, without the number that a system gives it where that has a name."""
    if not isinstance(error, OSError) or not isinstance(error.filename, str | bytes) or not error.filename:
        return str(error)
    file = os.fsdecode(error.filename)
    if error.errno == errno.ENOENT:
        return f"{file} does not exist; {way_to(Path(file))}"
    return f"{file} {WAYS.get(error.errno or 0, f'cannot be read or written: {error.strerror}')}"


def way_to(path: Path) -> str:
    """Return what can be said on a path at which nothing is: the first part of it that is missing."""
    missing = next((each for each in reversed(path.parents) if not each.exists()), None)
    if missing is not None:
        return f"there is no folder {missing} either"
    return f"check its name, or run where it is (this is {Path.cwd()})" if not path.is_absolute() else "check its name"
