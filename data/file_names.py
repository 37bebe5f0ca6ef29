"""File names that are not UTF-8: written so that they can be shown, and refused where a library needs UTF-8."""

import os
import sys
from pathlib import PurePath
from typing import Any


def printable(name: object) -> str:
    r"""Return a name that every terminal and file can show: a byte that is not UTF-8 becomes \xe9."""
    text = str(name)
    return text.encode("utf-8", "surrogateescape" if is_of_bytes(text) else "surrogatepass").decode(
        "utf-8", "backslashreplace"
    )


def is_of_bytes(name: str) -> bool:
    """Return whether each half of a surrogate pair in a text stands for a byte, as in Python's file names."""
    return not any("\ud800" <= each <= "\udc7f" or "\udd00" <= each <= "\udfff" for each in name)


def all_printable(value: Any) -> Any:
    """Return the contents of a JSON file with `printable` applied to all of its texts."""
    if isinstance(value, dict):
        return {all_printable(key): all_printable(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [all_printable(each) for each in value]
    return printable(value) if isinstance(value, str) else value


def in_bash(name: bytes) -> str:
    r"""Return a name in bash's notation, such as $'caf\xe9'."""
    text = name.replace(b"\\", b"\\\\").replace(b"'", b"\\'").decode("utf-8", "backslashreplace")
    return f"$'{text}'"


def check_name(path: PurePath | str, what: str) -> None:
    """Raise ValueError, with the way out, if a name is not UTF-8, or Python in this locale does not see it as UTF-8.

    Libraries that read and write weights, vocabularies and exported models need UTF-8, and would fail only after the
    work.

    Args:
        path: of a file or folder.
        what: names it in the message, such as "--output_dir".

    """
    name = str(path)
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        content = name.encode("utf-8", "surrogateescape" if is_of_bytes(name) else "surrogatepass")
    else:
        return
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        way_out = f"Rename it: mv {in_bash(content)} NEW" if os.path.lexists(path) else "Give another."
        raise ValueError(
            f"{what} {printable(name)} has a name that is not UTF-8, and libraries that read and write there need "
            f"UTF-8. {way_out}"
        ) from None
    raise ValueError(
        f"{what} {printable(name)} has a name beyond ASCII, which Python treats as bytes in this locale "
        f"({sys.getfilesystemencoding()}), and libraries that read and write there do not accept it. Set PYTHONUTF8=1, "
        "or LC_ALL=C.UTF-8, or rename it."
    )
