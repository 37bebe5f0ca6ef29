"""What a run leaves in its folder about itself, from which its card is written."""

import json
from pathlib import Path
from typing import Any

from vaswani.training.renamed import rename_run

RUN = "run.json"
METRICS = "metrics.json"


def read_records(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the run of a folder was told, and what it measured.

    Raises:
        ValueError: one of the two is not there.

    """
    missing = [name for name in (RUN, METRICS) if not (folder / name).is_file()]
    if missing == [RUN, METRICS]:
        raise ValueError(
            f"{folder} holds no run, nor what `vaswani average` or `import` recorded, from which the model card is "
            "written. A model that was made otherwise goes to the Hub as it is: write its README.md and "
            f"`hf upload OWNER/NAME {folder}`"
        )
    if missing:
        raise ValueError(
            f"{folder} lacks {', '.join(missing)}, from which the model card is written: has its run come to its end? "
            "Go on with it by --resume"
        )
    told, measured = (read_json(folder / name) for name in (RUN, METRICS))
    return rename_run(told), measured


def read_json(path: Path) -> Any:
    """Return what a file of JSON holds; ValueError with its name if it is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        from vaswani.data.containers import refuse_no_text

        refuse_no_text(path)
        raise ValueError(f"{path} is damaged ({error}); was it cut off?") from error


def not_scored(pairs: dict[str, Any]) -> str | None:
    """Return what has to be said beside the scores of a set of which pairs were left out, by their counts."""
    dropped: dict[str, int] = pairs["dropped"]
    if not dropped:
        return None
    number = sum(dropped.values())
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items())
    return (
        f"{number:,} of {pairs['kept'] + number:,} pairs are not scored ({reasons}); figures of the whole set do not "
        "compare with these"
    )
