"""Access tokens go only to the Hub: never into a file, a log, a card or an error."""

import re
import shlex
from collections.abc import Sequence

HIDDEN = "<HUB_TOKEN>"
_TOKEN = re.compile(r"(?:hf_(?:oauth|jwt)_[\w.-]+|(?:hf|api_org)_[A-Za-z0-9]{16,})")
"""Wherever it stands, also within a word, such as data_hf_...; a folder may be called hf_corpus, which is too short."""
_PATH = re.compile(r"(?<![^=:,])[~/][^=:,]*")
"""An absolute path, as a word of its own or after NAME=."""
_FLAG = "--hub_token"


def hide_tokens(text: str) -> str:
    """Return a text without anything that looks like a token of the Hub."""
    return _TOKEN.sub(HIDDEN, text)


def without_folders(command: str) -> str:
    """Return a command with the last name alone of each absolute path; of a program, with the folder that it is in.

    Where users live and how disks are called is nobody's business.
    """

    def last(match: re.Match[str]) -> str:
        names = [name for name in match[0].split("/") if name]
        return "/".join(names[-2:] if match[0].endswith(".py") else names[-1:]) or match[0]

    return shlex.join(word if "://" in word else _PATH.sub(last, word) for word in shlex.split(command))


def hide_in_command(words: Sequence[str]) -> list[str]:
    """Return the words of a command, without the token that a flag may carry, whatever its form."""
    hidden = []
    for before, word in zip(["", *words], words, strict=False):
        if before in (_FLAG, _FLAG.replace("_", "-")):
            hidden.append(HIDDEN)
        elif word.replace("-", "_").startswith(f"{_FLAG}=".replace("-", "_")):
            hidden.append(f"{word.split('=')[0]}={HIDDEN}")
        else:
            hidden.append(hide_tokens(word))
    return hidden
