"""Access tokens go only to the Hub: never into a file, a log, a card or an error."""

import re
from collections.abc import Sequence

HIDDEN = "<HUB_TOKEN>"
_TOKEN = re.compile(r"\b(?:hf_(?:oauth|jwt)_[\w.-]+|(?:hf|api_org)_[A-Za-z0-9]{16,})")
"""Not every word that begins so: a folder may be called hf_corpus."""
_FLAG = "--hub_token"


def hide_tokens(text: str) -> str:
    """Return a text without anything that looks like a token of the Hub."""
    return _TOKEN.sub(HIDDEN, text)


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
