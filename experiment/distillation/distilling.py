"""The stages from a teacher to a student, in their order; each is a command of its own or a function of its files."""

import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

from vaswani.experiment.original_text import paths_of, scored_splits, write_original
from vaswani.experiment.stage_commands import Training, files_of_text, trained, vaswani
from vaswani.experiment.stages import Stages
from vaswani.storage import atomic_write

from .comparing import COMPARISON, System, compare
from .options import BEAMS, Options


class Distilled(NamedTuple):
    """The folders of the stages that a report is of."""

    text: Path
    pairs: Path
    student: Path
    comparison: Path


def distil(asked: Options, stages: Stages) -> Distilled:
    """Do all stages that have not ended yet."""
    data = asked.arguments.data
    text = stages.do("text", lambda folder: write_original(folder, data), text_flags(asked), files_of_text(data))
    pairs = filtered(asked, stages, text, translated(asked, stages, text))
    student = learned(asked, stages, text, pairs)
    return Distilled(text, pairs, student, compared(asked, stages, text, student))


def learned(asked: Options, stages: Stages, text: Path, pairs: Path) -> Path:
    """Return the folder of the student's run."""
    data, flags, places = asked.arguments.data, asked.student, {"data_dir": [str(pairs)]}
    files = {each.name: each for split in ("train", *scored_splits(data)) for each in paths_of(pairs, data, split)}
    if asked.original:
        flags = flags | {"weights": ["1", str(asked.original)]}
        places["extra_dirs"] = [str(text)]
        files |= {f"original {each.name}": each for each in paths_of(text, data, "train")}
    return trained(stages, "student", Training(asked.launcher, asked.recipe), flags, places, files)


def translated(asked: Options, stages: Stages, text: Path) -> Path:
    """Return the file of the translations that are taught, line for line with the training text."""
    sources, references = paths_of(text, asked.arguments.data, "train")
    name = "train.tsv" if asked.n_best > 1 else references.name
    by_torch, models = asked.teacher_engine == "torch", asked.teacher
    if not by_torch:
        models = [str(exported(stages, "teacher_exported", asked.teacher[0], "float32"))]

    def translate(folder: Path) -> None:
        what = ["--format", "tsv", "--n_best", str(asked.n_best)] if asked.n_best > 1 else []
        what += ["--beams", str(asked.beams), *([] if by_torch else ["--engine", asked.teacher_engine])]
        words = ["translate", *models, "--input", sources, "--output", folder / name, *what]
        if not (folder / name).exists():
            stages.run(vaswani(asked.launcher, *words, "--resume"))

    flags = {"n_best": asked.n_best, "beams": asked.beams, "engine": asked.teacher_engine}
    found = stages.do("translations", translate, flags, {"sources": sources}, teachers(asked)) / name
    return chosen(asked, stages, found, references) if asked.n_best > 1 else found


def teachers(asked: Options) -> dict[str, str | Path]:
    """Return the teacher's models by name."""
    return {f"teacher {number}": each for number, each in enumerate(asked.teacher, 1)}


def compared(asked: Options, stages: Stages, text: Path, student: Path) -> Path:
    """Return the folder of what teacher and student come to on the test sets."""
    data = asked.arguments.data
    in_8_bits = exported(stages, "student_in_8_bits", str(student), "int8")
    files, alone = {"student in 8 bits": in_8_bits / "model.bin"}, []
    if len(asked.teacher) == 1:  # the greedy search and other engines take one model
        of_teacher = exported(stages, "teacher_in_8_bits", asked.teacher[0], "int8")
        files["teacher in 8 bits"] = of_teacher / "model.bin"
        alone = [
            System("teacher", asked.teacher, "torch", 1),
            System("teacher, 8 bits", [str(of_teacher)], "ctranslate2", 1),
        ]
    systems = [
        System("teacher", asked.teacher, "torch", BEAMS),
        *alone,
        System("student", [str(student)], "torch", 1),
        System("student, 8 bits", [str(in_8_bits)], "ctranslate2", 1),
    ]
    return stages.do(
        "comparison",
        lambda folder: compare(systems, text, data, folder / COMPARISON),
        {"systems": [each.name for each in systems], "score_as": data.score_as, "test_splits": data.test_splits},
        files,
        {**teachers(asked), "student": student},
    )


def chosen(asked: Options, stages: Stages, translated: Path, references: Path) -> Path:
    """Return the file of the best translations."""
    name = f"train.{asked.arguments.data.target}"

    def choose(folder: Path) -> None:
        words = ["filter", "--n_best", translated, "--references", references, "--output", folder / name]
        more = ["--by", asked.choose_by, "--language", asked.arguments.data.target, "--resume"]
        if not (folder / name).exists():
            stages.run(vaswani([sys.executable], *words, *more))

    files = {"translations": translated, "references": references}
    return stages.do("best", choose, {"choose_by": asked.choose_by}, files) / name


def filtered(asked: Options, stages: Stages, text: Path, translated: Path) -> Path:
    """Return the folder of the pairs to train on, and of the sets that are scored."""
    data = asked.arguments.data
    sources, _ = paths_of(text, data, "train")
    files, worst, models = {"sources": sources, "translations": translated}, "0", {}
    more: list[str | Path] = []
    if asked.reverse is not None:
        reverse, name = asked.reverse, "scores.tsv"

        def judge(folder: Path) -> None:
            words = ["score", "--model", reverse, "--sources", translated, "--hypotheses", sources]
            if not (folder / name).exists():
                stages.run(vaswani([sys.executable], *words, "--output", folder / name, "--resume"))

        models = {"reverse": reverse}
        scores, worst = stages.do("reverse", judge, {}, files, models) / name, str(asked.drop_worst)
        files["scores"] = scores
        more = ["--scores", scores, "--drop_highest", worst]

    def keep(folder: Path) -> None:
        words = ["filter", "--sources", sources, "--targets", translated, "--output"]
        stages.run(vaswani([sys.executable], *words, *paths_of(folder, data, "train"), *more))
        for split in scored_splits(data):
            for path in paths_of(text, data, split):
                with path.open("rb") as original, atomic_write(folder / path.name) as copy:
                    shutil.copyfileobj(original, copy)

    scored = {each.name: each for split in scored_splits(data) for each in paths_of(text, data, split)}
    return stages.do("pairs", keep, {"drop_worst": worst}, files | scored)


def exported(stages: Stages, stage: str, model: str, quantization: str) -> Path:
    """Return the folder of a model for CTranslate2."""

    def work(folder: Path) -> None:
        words = ["export", model, folder / quantization, "--to", "ctranslate2", "--quantization", quantization]
        if not (folder / quantization).exists():
            stages.run(vaswani([sys.executable], *words))

    return stages.do(stage, work, {}, {}, {"model": model}) / quantization


def text_flags(asked: Options) -> dict[str, Any]:
    """Return what decides which text is taught."""
    data = vars(asked.arguments.data)
    names = ("dataset", "dataset_config", "tsv_quoting", "direction", "train_split", "validation_split", "line_breaks",
             "drop_html", "check_script", "drop_duplicates", "drop_test_text", "max_tokens", "user_tokens")  # fmt: skip
    return {name: data[name] for name in names} | {"splits": scored_splits(asked.arguments.data)}
