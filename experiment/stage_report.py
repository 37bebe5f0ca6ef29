"""A program whose work is done in stages, and its report: report.md, and report.json for programs."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from vaswani.storage import write_text
from vaswani.training.reporting.progress import print_line

from . import markdown
from .arguments import Arguments
from .error_messages import exit_on_bad_input
from .exit_codes import exiting_with_code
from .run_folder import write_json
from .stages import Stages, seconds_of, stage_folders, stages_in


class Asked(Protocol):
    """What a command line says of such work."""

    @property
    def arguments(self) -> Arguments:
        """Of its runs; the output_dir is the folder of all stages."""


AskedT = TypeVar("AskedT", bound=Asked)


def work_in_stages(
    asked: AskedT, check: Callable[[AskedT], object], work: Callable[[AskedT, Path, Stages], str]
) -> None:
    """Do all stages, print the report, and end the process.

    Args:
        asked: the command line.
        check: makes sure that later stages find what they need; raises ValueError if not.
        work: does them in a folder, and returns the report.

    """
    with exiting_with_code(), exit_on_bad_input():
        check(asked)
        folder = Path(str(asked.arguments.training.output_dir))
        with stages_in(folder) as stages:
            print_line(f"\n{work(asked, folder, stages)}")


def leave_report(folder: Path, sections: Sequence[str], record: Mapping[str, Any]) -> str:
    """Write both reports, each with the time of the stages behind it, and return report.md."""
    seconds = {each.name: seconds_of(each) for each in stage_folders(folder)}
    rows = [[name, f"{taken / 60:.1f}"] for name, taken in seconds.items()]
    text = "\n\n".join([*sections, "## Stages", markdown.table(["stage", "minutes"], rows)])
    write_text(folder / "report.md", f"{text}\n")
    write_json(folder / "report.json", {**record, "seconds": seconds})
    return text
