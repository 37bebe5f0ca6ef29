"""From the folder of a run to a repository on the Hub: what goes there, its model card, and one commit."""

from .card import Progress, model_card
from .contents import checksums, contents
from .hub import Target, open_repository, push
from .made import Made, languages_of, read_made
from .made_card import card_of_made
from .records import METRICS, RUN, read_records
from .secrets import hide_in_command, hide_tokens

__all__ = [
    "METRICS",
    "RUN",
    "Made",
    "Progress",
    "Target",
    "card_of_made",
    "checksums",
    "contents",
    "hide_in_command",
    "hide_tokens",
    "languages_of",
    "model_card",
    "open_repository",
    "push",
    "read_made",
    "read_records",
]
