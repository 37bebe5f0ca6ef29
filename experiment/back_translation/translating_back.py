"""The stages from text of the target language to a model that has learned from it, in their order."""

import sys
from pathlib import Path
from typing import Any, NamedTuple

from vaswani.experiment.original_text import lines_of, paths_of
from vaswani.experiment.stage_commands import Training, files_of_text, trained, vaswani
from vaswani.experiment.stages import Stages
from vaswani.storage import atomic_write

from .options import Options, tokens

OF_START = ("peak_learning_rate", "warmup_steps", "vocab_size")
"""Flags that a run does not take which goes on from another: its rate follows from where that one ended."""


class Translated(NamedTuple):
    """The folders of the stages that a report is of."""

    pairs: Path
    runs: dict[str, Path]
    """By what they were trained on."""


def translate_back(asked: Options, stages: Stages) -> Translated:
    """Do all stages that have not ended yet."""
    data, steps = asked.arguments.data, asked.arguments.training.max_steps
    training = Training(asked.launcher, asked.recipe)
    pairs = synthetic(asked, stages)
    original = files_of_text(data)
    files = original | {f"synthetic: {each.name}": each for each in paths_of(pairs, data, data.train_split)}
    weights = [*(weight * asked.mix[0] for weight in data.weights or [1] * (1 + len(data.extra_dirs))), asked.mix[1]]
    flags = asked.flags | {"weights": list(map(str, weights))} | tokens(asked.arguments, asked.tag)
    extra = [*data.extra_dirs, str(pairs)]
    mixed = trained(stages, "mixed", training, without(flags, "extra_dirs"), {"extra_dirs": extra}, files)
    last_flags = without(asked.flags, *OF_START) | {"max_steps": [str(asked.last_steps)]}
    last = trained(stages, "last", training, last_flags, {"init_from": [str(mixed)]}, original, {"init_from": mixed})
    runs = {"original and synthetic": mixed, "then the original alone": last}
    if asked.is_compared:
        as_long = asked.flags | {"max_steps": [str(steps + asked.last_steps)]}
        runs = {"the original alone": trained(stages, "none", training, as_long, {}, original)} | runs
    return Translated(pairs, runs)


def without(flags: dict[str, list[str]], *names: str) -> dict[str, list[str]]:
    """Return flags without some of them."""
    return {name: values for name, values in flags.items() if name not in names}


def synthetic(asked: Options, stages: Stages) -> Path:
    """Return the folder of the synthetic pairs."""
    data, name = asked.arguments.data, f"train.{asked.arguments.data.source}"

    def translate(folder: Path) -> None:
        words = ["translate", asked.reverse, "--input", asked.monolingual, "--output", folder / name, *asked.search]
        if not (folder / name).exists():
            stages.run(vaswani(asked.launcher, *words, "--resume"))

    texts = {"monolingual": asked.monolingual}
    models: dict[str, str | Path] = {"reverse": asked.reverse}
    translated = stages.do("translations", translate, {"search": asked.search}, texts, models) / name

    def keep(folder: Path) -> None:
        sources, targets = paths_of(folder, data, data.train_split)
        kept = folder / f"untagged.{data.source}"
        words = ["filter", "--sources", translated, "--targets", asked.monolingual, "--drop_duplicates"]
        stages.run(vaswani([sys.executable], *words, "--output", kept, targets))
        with atomic_write(sources) as file:
            for line in lines_of(kept):
                file.write(f"{line}\n".encode() if asked.tag is None else f"{asked.tag} {line}\n".encode())
        kept.unlink()

    flags: dict[str, Any] = {"tag": asked.tag, "split": data.train_split, "direction": data.direction}
    return stages.do("pairs", keep, flags, texts | {"translations": translated})
