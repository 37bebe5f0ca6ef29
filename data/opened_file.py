"""Files that must not change while a run reads them: a first look at their status, and at their content in doubt."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from vaswani.storage import sha256_of

from .pairs import CorpusError


class Status(NamedTuple):
    """What a first look at a file shows; nobody can set the time of change, or reuse an inode that is open."""

    size: int
    modified: int
    """In nanoseconds, as the next one."""
    changed: int
    inode: int
    device: int


class OpenedFile:
    """A file that must not change: its pairs are identified by their places in it, here and in other processes.

    Args:
        path: the file.
        digest: the SHA-256 of its content, if it is known: then a change of status alone, as by chmod, is none.

    """

    def __init__(self, path: Path, digest: str | None = None) -> None:
        self.path = path.absolute()
        self.digest = digest
        self._status = status(self.path)

    def unchanged(self) -> Path:
        """Return the path. Raises CorpusError if the file has changed since it was opened."""
        try:
            now = status(self.path)
            if now != self._status:
                if now.size != self._status.size or self.digest is None or sha256_of(self.path) != self.digest:
                    raise CorpusError(
                        f"{self.path} has changed since it was opened. Start again on the file as it is now."
                    )
                self._status = now
        except FileNotFoundError as error:
            raise CorpusError(f"{self.path} is gone since it was opened. Put it back, or start again.") from error
        return self.path


class LocalFiles:
    """Those of some addresses that are files of this machine, with digests of their content (a second per gigabyte)."""

    def __init__(self, addresses: Sequence[str]) -> None:
        paths = {address: Path(address) for address in addresses if Path(address).is_file()}
        with ThreadPoolExecutor(8) as readers:
            opened = readers.map(lambda path: OpenedFile(path, sha256_of(path)), paths.values())
            self._files = dict(zip(paths, opened, strict=True))

    @property
    def digests(self) -> list[str]:
        """The SHA-256 of each, in the order of the addresses."""
        return [str(each.digest) for each in self._files.values()]

    def unchanged(self, address: str | None = None) -> None:
        """Do nothing. Raises CorpusError if a file has changed: the one of an address, or any of them."""
        for file in self._files.values() if address is None else filter(None, [self._files.get(address)]):
            file.unchanged()


def status(path: Path) -> Status:
    """Return what a first look at a file shows."""
    found = path.stat()
    return Status(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)
