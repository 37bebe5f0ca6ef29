"""Files that a library cannot read, as errors that name them: libraries raise whatever their code runs into."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def naming_damage(what: str, files: str = "config.json") -> Iterator[None]:
    """Turn the error of a library that reads files into one that names them, for the code within.

    A ValueError from elsewhere than a decoder names its value, and passes as it is; so does an OSError, which names its
    file, but for those of torch that do not.

    Args:
        what: is read, such as "the model in runs/mine".
        files: that may be at fault.

    Raises:
        ValueError: one of them is damaged, or has a value of a wrong type.

    """
    try:
        yield
    except (ConnectionError, TimeoutError, MemoryError, ImportError):
        raise
    except Exception as error:  # of many types, even a bare Exception
        if isinstance(error, OSError) and (error.errno is None or error.filename is not None):
            raise
        if isinstance(error, ValueError) and not isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
            raise
        said = " ".join(str(error).split())[:300]
        raise ValueError(
            f"{what} cannot be read ({type(error).__name__}: {said}): {files} is damaged, or has a value of a wrong "
            "type; copy it again"
        ) from error


def check_object(file: Path) -> None:
    """Raise ValueError if a JSON file is there and damaged, or holds no object; transformers would take defaults."""
    try:
        content = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    except ValueError as error:
        raise ValueError(f"{file} is damaged ({error}); copy it again") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file} is damaged (it holds a {type(content).__name__}, no object); copy it again")
