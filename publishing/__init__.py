"""From the folder of a run to a repository on the Hub: which files are pushed, the model card, and one commit."""

from .card import Progress, PushedNative, model_card
from .derived_model import DerivedModel, languages_of, read_derived_model
from .derived_model_card import derived_model_card
from .files_to_push import checksums, files_to_push
from .hub import Target, open_repository, push
from .metrics_record import METRICS, MetricsRecord, read_metrics, write_metrics
from .records import read_records
from .run_record import RUN, RunRecord, read_run, write_run
from .secrets import hide_in_command, hide_tokens

__all__ = [
    "METRICS",
    "RUN",
    "DerivedModel",
    "MetricsRecord",
    "Progress",
    "PushedNative",
    "RunRecord",
    "Target",
    "checksums",
    "derived_model_card",
    "files_to_push",
    "hide_in_command",
    "hide_tokens",
    "languages_of",
    "model_card",
    "open_repository",
    "push",
    "read_derived_model",
    "read_metrics",
    "read_records",
    "read_run",
    "write_metrics",
    "write_run",
]
