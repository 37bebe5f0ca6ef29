"""From the folder of a run to a repository on the Hub: what goes there, its model card, and one commit."""

from .card import Progress, model_card
from .contents import checksums, contents
from .hub import Target, open_repository, push
from .records import METRICS, RUN, read_records
from .secrets import hide_in_command, hide_tokens

__all__ = [
    "METRICS",
    "RUN",
    "Progress",
    "Target",
    "checksums",
    "contents",
    "hide_in_command",
    "hide_tokens",
    "model_card",
    "open_repository",
    "push",
    "read_records",
]
