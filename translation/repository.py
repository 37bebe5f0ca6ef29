"""A repository of the Hub as a local folder: the files of a model are fetched once, but never its code."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from huggingface_hub import HfApi, constants, get_token, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils.tqdm import disable_progress_bars

_HttpError: type[Exception] = HfHubHTTPError.__bases__[0]  # of the HTTP client that the Hub's library uses
_SECONDS = 10.0
"""Seconds to wait for the first answer."""

SETTINGS = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "target_vocab.json",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "source.spm",
    "target.spm",
    "shared_vocabulary.json",
)
"""Small files: what a network is, and its tokenizer."""
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors")


class Repository(NamedTuple):
    """OWNER/NAME, at one of its revisions."""

    name: str
    revision: str | None
    """A branch, a tag or a commit; None is main."""

    def __str__(self) -> str:
        return self.name if self.revision is None else f"{self.name}@{self.revision}"


class Listing(NamedTuple):
    """What a repository holds."""

    commit: str
    names: frozenset[str]
    """Of the files at its top level."""
    is_kept: bool
    """Whether this is a copy fetched earlier, because the Hub is not asked or does not answer."""


def named(text: str) -> Repository | None:
    """Return the repository that OWNER/NAME or OWNER/NAME@REVISION names; None for what can only be a path."""
    match = re.fullmatch(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9_][\w.-]*)(?:@([^@\s]+))?", text, re.ASCII)
    return None if match is None else Repository(match[1], match[2])


def look(repository: Repository) -> Listing:
    """Return what a repository holds, without fetching it, or what was fetched earlier if the Hub does not answer.

    Raises:
        ValueError: there is none, this token may not see it, or the Hub cannot be reached and nothing was fetched.

    """
    try:
        info = HfApi().model_info(repository.name, revision=repository.revision, timeout=_SECONDS)
        names = frozenset(each.rfilename for each in info.siblings or [] if "/" not in each.rfilename)
        return Listing(str(info.sha), names, is_kept=False)
    except Exception as error:
        reason, why = _refusal(error, repository), _unanswered(error)
        if reason is None and why is None:
            raise
    if reason is not None:  # outside the handler: the chained exception could show a request with its token
        raise ValueError(f"{repository} is no folder here, and {reason}")
    try:
        name, revision = repository
        kept = snapshot_download(name, revision=revision, local_files_only=True, allow_patterns=[])  # of any files
    except LocalEntryNotFoundError:
        raise ValueError(
            f"{repository} is no folder here, and no repository of that name was fetched before, while {why}; give a "
            "folder, or try again with a connection to the Hub"
        ) from None
    folder = Path(kept)
    if os.environ.get("RANK", "0") == "0":  # the processes of a launcher all meet it
        print(f"Note: {why}; using the copy of {repository} that was fetched before, {folder.name}", file=sys.stderr)
    return Listing(folder.name, frozenset(path.name for path in folder.iterdir() if path.is_file()), is_kept=True)


def fetch(repository: Repository, listing: Listing, patterns: Sequence[str]) -> Path:
    """Return the folder of the Hub's cache with those files of a repository whose names fit a pattern.

    Args:
        repository: the repository.
        listing: its listing.
        patterns: as in the shell.

    Raises:
        ValueError: the network fails, the repository changes meanwhile, or the kept copy lacks a file.

    """
    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        name, revision = repository
        kept = listing.is_kept
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=list(patterns), local_files_only=kept))
    except Exception as error:
        met = error.__cause__ if isinstance(error, LocalEntryNotFoundError) and error.__cause__ else error
        why = _unanswered(met)
        reason = _refusal(met, repository) if why is None else f"{why}; try again, what has been fetched is kept"
        if reason is None and isinstance(error, LocalEntryNotFoundError):
            reason = f"not all of it was fetched before ({_one_line(error)}); try again with a connection to the Hub"
        if reason is None:
            raise
    else:
        if folder.name == listing.commit:
            return folder  # the client silently falls back on an older copy
        reason = "it was changed, or the Hub stopped answering, meanwhile; try again"
    raise ValueError(f"{repository} could not be fetched: {reason}")


def _unanswered(error: BaseException) -> str | None:
    """Return why there is no answer; None if there is one, or the error does not come from the network."""
    if isinstance(error, OfflineModeIsEnabled):
        return "$HF_HUB_OFFLINE forbids asking the Hub"
    if isinstance(error, HfHubHTTPError) and error.response is not None:
        status = error.response.status_code
        return f"the Hub at {constants.ENDPOINT} answers {status}" if status == 429 or status >= 500 else None
    if isinstance(error, _HttpError | ConnectionError | TimeoutError):
        return f"the Hub at {constants.ENDPOINT} does not answer ({type(error).__name__}: {_one_line(error)})"
    return None


def _refusal(error: BaseException, repository: Repository) -> str | None:
    """Return why the Hub refuses, and the way out; None if the error is not an answer of the Hub."""
    where, as_whom = constants.ENDPOINT, "this token may not see it" if get_token() else "no token was given"
    login = "`hf auth login`, or $HF_TOKEN"
    if isinstance(error, RevisionNotFoundError):
        revision = repository.revision or constants.DEFAULT_REVISION
        return f"the repository of that name has no revision {revision!r}; give a branch, a tag or a commit of it"
    if isinstance(error, GatedRepoError):
        return (
            f"the repository of that name is gated: accept its terms at {where}/{repository.name}, and give a token "
            f"({login})"
        )
    if isinstance(error, RepositoryNotFoundError):
        return (
            f"no repository of that name can be reached at {where}: there is none, or it is private and {as_whom} "
            f"({login}). Give the folder that training wrote, or OWNER/NAME on the Hub"
        )
    if isinstance(error, HFValidationError):
        return f"no repository can have that name: {_one_line(error)}"
    if not isinstance(error, HfHubHTTPError) or error.response is None or _unanswered(error) is not None:
        return None
    if error.response.status_code == 401:
        return f"the Hub at {where} refuses the token as wrong, expired or revoked ({login})"
    return f"the Hub at {where} refuses: {_one_line(error)}"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
