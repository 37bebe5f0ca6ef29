"""Commands as stages: one of `vaswani`, and a run of a recipe."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from vaswani.data.folders import find_splits
from vaswani.data.splits import choose_split

from .data_arguments import DataArguments
from .stages import Stages, as_words


def vaswani(launcher: Sequence[str], *words: object) -> list[str]:
    """Return the words of a command of this package."""
    return [*launcher, "-m", "vaswani.commands", *map(str, words)]


class Training(NamedTuple):
    """How runs are started."""

    launcher: Sequence[str]
    """The words before the recipe."""
    recipe: str
    """Its file."""


def trained(
    stages: Stages,
    name: str,
    training: Training,
    flags: Mapping[str, Sequence[str]],
    places: Mapping[str, Sequence[str]],
    files: Mapping[str, Path],
    models: Mapping[str, Path] | None = None,
) -> Path:
    """Train a run to its end as a stage, and return its folder.

    Args:
        stages: of which it is one.
        name: of the stage.
        training: how runs are started.
        flags: of the run, by name.
        places: further flags, which name files and folders; what these hold is in the stamp, not where they are.
        files: which these are, by name.
        models: likewise.

    """

    def work(folder: Path) -> None:
        own = {"output_dir": [str(folder / "run")], "resume": ["true"]}
        stages.run([*training.launcher, training.recipe, *as_words({**flags, **places, **own})])

    files = {"recipe": Path(training.recipe), **files}
    stamped = {each: list(values) for each, values in flags.items() if not each.endswith("_token")}  # no secrets
    return stages.do(name, work, stamped, files, models) / "run"


def files_of_text(data: DataArguments) -> dict[str, Path]:
    """Return the files in the folders that a run reads its text from, by number of the folder and name in it."""
    folders = [Path(each) for each in ([] if data.data_dir is None else [data.data_dir]) + data.extra_dirs]
    return {
        f"text {number}: {path.relative_to(folder)}": path
        for number, folder in enumerate(folders, 1)
        for path in sorted({*filter(Path.is_file, folder.glob("*")), *files_of_splits(folder, data)})
    }


def files_of_splits(folder: Path, data: DataArguments) -> set[Path]:
    """Return the files of the splits that a run reads, which may lie in folders below."""
    found = find_splits(folder, data.source, data.target)
    files: set[Path] = set()
    for split in (data.train_split, data.validation_split, *data.test_splits):
        with contextlib.suppress(ValueError):  # a folder of further text has no other splits
            files.update(path for form in found[choose_split(split, found, str(folder))] for path in form.files)
    return files
