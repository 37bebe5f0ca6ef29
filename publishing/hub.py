"""A repository on the Hub: opened with a token, written in one commit; a failure is one line with its reason."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OfflineModeIsEnabled

from .files_to_push import is_of_model
from .secrets import hide_tokens

_HttpError: type[Exception] = HfHubHTTPError.__bases__[0]  # of the HTTP client that the Hub's library uses
_NEW_TOKEN = "make one that may write at https://huggingface.co/settings/tokens"
_GIVE_IT = "give it by `hf auth login` or as $HF_TOKEN"


class PublishingError(ValueError):
    """The Hub was not reached or did not accept what was sent; the message says what to do."""


@dataclass(frozen=True)
class Target:
    """The repository that a model is pushed to."""

    name: str
    """OWNER/NAME."""
    private: bool | None = None
    """Whether a new repository is private; None leaves it to the owner's settings."""
    branch: str | None = None
    """A branch other than main; created if there is none."""
    token: str | None = field(default=None, repr=False)
    """In place of that of `hf auth login` or $HF_TOKEN."""

    def __post_init__(self) -> None:
        owner, slash, name = self.name.partition("/")
        if not (owner and slash and name) or "/" in name:
            raise PublishingError(
                f"{hide_tokens(self.name)!r} does not name a repository; give OWNER/NAME, the owner being your account "
                "on the Hub or an organisation of yours"
            )


def open_repository(target: Target) -> None:
    """Make sure that the repository and its branch exist, creating them if necessary.

    Raises:
        PublishingError: no token or a wrong one, no permission, no network, or it is public and should be private.

    """
    api = HfApi(token=target.token)
    with _one_line_error(target):
        api.whoami()  # with a wrong token the other answers say only that there is no such repository
        api.create_repo(target.name, private=target.private, exist_ok=True)
        if target.private and api.model_info(target.name).private is False:
            raise PublishingError(
                f"{target.name} exists already and is public, and the model should be private; change its settings on "
                "the Hub first, or name another repository"
            )
        if target.branch is not None:
            api.create_branch(target.name, branch=target.branch, exist_ok=True)


def push(target: Target, files: list[Path], card: str, message: str, folders: dict[str, Path] | None = None) -> str:
    """Write files, a card and whole folders in one commit: whatever interrupts it, readers see all of it or nothing.

    The same commit deletes parts of another model at the top level, such as weights under another name that readers
    would get. Large files are sent first, by their content; what an interrupted push has already sent is not sent
    again.

    Args:
        target: an open repository.
        files: go to its top, under their names.
        card: README.md.
        message: of the commit.
        folders: go below it, by the name that they get there.

    Returns:
        The address of the commit.

    Raises:
        PublishingError: as in `open_repository`.

    """
    content: dict[str, Path | bytes] = {"README.md": hide_tokens(card).encode()}
    content |= {path.name: path for path in files}
    for name, folder in (folders or {}).items():
        inside = sorted(path for path in folder.rglob("*") if path.is_file())
        content |= {f"{name}/{path.relative_to(folder)}": path for path in inside}
    added = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=each) for name, each in content.items()]
    api = HfApi(token=target.token)
    with _one_line_error(target):
        there = [each.rfilename for each in api.model_info(target.name, revision=target.branch).siblings or []]
        stale = [name for name in there if "/" not in name and is_of_model(name) and name not in content]
        gone = [CommitOperationDelete(path_in_repo=name) for name in stale]
        commit = api.create_commit(
            target.name, [*added, *gone], commit_message=hide_tokens(message), revision=target.branch
        )
    return str(commit.commit_url)


@contextmanager
def _one_line_error(target: Target) -> Iterator[None]:
    """Turn an error of the Hub's client into one line that names the remedy."""
    try:
        yield
    except PublishingError:
        raise
    except Exception as error:
        reason = _reason(error, target)
        if reason is None:
            raise
        raise PublishingError(
            hide_tokens(reason)
        ) from None  # the chained exception could show a request with its token


def _reason(error: BaseException, target: Target) -> str | None:
    """Return what to do about an error of the client, or None if it is not the Hub's."""
    if isinstance(error, LocalTokenNotFoundError):
        return f"there is no token for the Hub; {_NEW_TOKEN} and {_GIVE_IT}"
    if isinstance(error, HFValidationError):
        return f"{target.name!r} does not name a repository: {error}"
    if isinstance(error, OfflineModeIsEnabled):
        return "the Hub is switched off by $HF_HUB_OFFLINE; unset it to push"
    if isinstance(error, HfHubHTTPError) and error.response is not None:
        return _told_by_status(error.response.status_code, str(error.server_message or ""), target)
    if isinstance(error, _HttpError | ConnectionError | TimeoutError):
        return _reason_by_words(error, target)
    if isinstance(error, ValueError) and "metadata in README.md" in str(error):
        return f"the Hub does not accept the model card: {error}"
    of_cause = None if error.__cause__ is None else _reason(error.__cause__, target)  # for one file among several
    return _reason_by_words(error, target) if of_cause is None and isinstance(error, RuntimeError) else of_cause


def _reason_by_words(error: BaseException, target: Target) -> str:
    """Explain an error without an HTTP answer; hf_xet has the status in its message, or raises RuntimeError."""
    said = " ".join(str(error).split())
    if status := re.search(r"\((\d{3}) [A-Z]", said):
        return _told_by_status(int(status[1]), said, target)
    return (
        f"the Hub at {constants.ENDPOINT} does not answer ({type(error).__name__}: {said[:200]}); nothing was changed "
        "there. Check the network, then push again"
    )


def _told_by_status(status: int, said: str, target: Target) -> str:
    again = "nothing was changed there; push again later, what has been sent is not sent again"
    if status == 401:
        return f"the Hub refuses the token as wrong, expired or revoked; {_NEW_TOKEN} and {_GIVE_IT}"
    if status == 403:
        return (
            f"the token may not write to {target.name}: its account has no permission, or it may only read. Name a "
            f"repository of your own, or {_NEW_TOKEN}"
        )
    if status == 404:
        return f"the Hub has no {target.name}, or the token may not see it ({said or 'not found'})"
    if status == 429:
        return f"the Hub asks for a pause (429, too many requests); {again}"
    if status >= 500:
        return f"the Hub is out of order (it answers {status}); {again}"
    return f"the Hub refuses with {status}: {said}"
