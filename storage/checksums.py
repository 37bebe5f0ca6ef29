"""Checksums of what lies on the disk."""

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file; OSError, with its name, if the disk cannot read it."""
    with path.open("rb") as file:
        try:
            return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:  # of reading, which does not name the file
            raise OSError(error.errno, error.strerror, str(path)) from error
