"""The message about a damaged JSON file."""

from pathlib import Path


def damaged(path: Path, error: ValueError) -> str:
    """Return the message; raises ValueError instead if the file is compressed, or not text."""
    from vaswani.data.containers import refuse_no_text

    refuse_no_text(path)
    return f"{path} is damaged ({error}); was it truncated?"
