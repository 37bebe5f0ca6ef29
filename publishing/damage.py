"""What is said of a file of JSON that is none."""

from pathlib import Path


def damaged(path: Path, error: ValueError) -> str:
    """Return what is wrong with it; ValueError in its place if it is compressed, or no text."""
    from vaswani.data.containers import refuse_no_text

    refuse_no_text(path)
    return f"{path} is damaged ({error}); was it cut off?"
