"""Average checkpoints into a model folder: the last ones of a run, the best ones by validation, or those named."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vaswani.evaluation.metric_table import DEFAULT, METRICS, choices
from vaswani.flags import numbers, whole
from vaswani.translation.models import check_name, find_model, repository_of

if TYPE_CHECKING:
    from vaswani.publishing.derived_model import DerivedModel

STATE = "trainer_state.json"
"""What makes a folder a checkpoint."""
LAST = 5  # as section 6.1 for the base model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani average` takes."""
    parser.add_argument(
        "folders",
        metavar="FOLDER",
        nargs="+",
        help="a run, such as runs/mine, or the checkpoints to average, oldest first (these also OWNER/NAME on the Hub)",
    )
    parser.add_argument(
        "--output", metavar="OUT", type=Path, required=True, help="folder to make; it must not exist yet"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--last", metavar="N", type=whole(1), help=f"the last N checkpoints of the run (default: {LAST})"
    )
    which.add_argument(
        "--best", metavar="N", type=whole(1), help="the N checkpoints that were best in validation (default: --last)"
    )
    parser.add_argument(
        "--metric",
        choices=choices(),
        help=f"validation metric by which --best chooses; f1 is for parsers (default: {DEFAULT})",
    )
    parser.add_argument(
        "--ema",
        metavar="D",
        type=numbers(above=0, below=1),
        help="exponential moving average over these checkpoints: each counts D times as much as the next one, such as "
        "0.7 (default: all count the same)",
    )


class Chosen(NamedTuple):
    """A model to average."""

    folder: Path
    figure: float | None = None
    """In validation, if it was chosen by that."""
    repository: str | None = None
    """On the Hub, where it is from,"""
    commit: str | None = None
    """and which of its commits it is."""


def run(args: argparse.Namespace) -> None:
    """Write the average, with configuration, code and tokenizer of the newest checkpoint, to `args.output`.

    Raises:
        ValueError: there are fewer checkpoints than asked for, one is damaged, their networks differ, or OUT exists.
        OSError: a file cannot be read or written.
    """
    check_given(args)
    metric = args.metric or DEFAULT

    from transformers.utils import logging

    import vaswani.modeling  # noqa: F401  teaches Auto* our classes
    from vaswani.publishing.derived_model import DerivedModel, record
    from vaswani.training.checkpointing import averaging
    from vaswani.training.checkpointing.consolidation import write_model

    logging.disable_progress_bar()
    chosen = choose(args, metric)
    folders = [each.folder for each in chosen]
    shares = [1.0] * len(chosen) if args.ema is None else averaging.moving(len(chosen), args.ema)
    origins = [part(each, share / sum(shares), metric) for each, share in zip(chosen, shares, strict=True)]
    made = DerivedModel(
        [its for each in origins for its in each.parts],
        {name: run for each in origins for name, run in each.runs.items()},
    )
    write_model(folders[-1], averaging.average_weights(folders, shares), args.output, record(made))
    digits = METRICS[metric].digits if metric in METRICS else 2
    for each, entry in zip(chosen, made.parts, strict=True):
        seen = "" if each.figure is None else f"  validation {metric} {each.figure:.{digits}f}"
        print(f"{entry.share:6.1%}  {entry.checkpoint}{seen}")
    print(
        f"Their average is in {args.output}; it can be worse than each of them, so score it on the validation set first"
    )


def check_given(args: argparse.Namespace) -> None:
    """Raise ValueError unless what is given can be averaged, by its names and flags alone."""
    check_name(args.output, "--output")
    for given in args.folders:
        check_name(Path(given))
    if args.output.exists():
        raise ValueError(f"{args.output} exists already; name a folder that does not")
    for given in args.folders:
        if repository_of(given) is None and not Path(given).is_dir():
            raise ValueError(f"{given} is not a folder; give a run, such as runs/mine, or its checkpoints")
    if not is_run(args.folders) and (args.last is not None or args.best is not None):
        raise ValueError("--last and --best choose among the checkpoints of one run; name the run, or leave them out")
    if args.metric is not None and args.best is None:
        raise ValueError(f"--metric {args.metric} is only used by --best; give --best N, or leave it out")
    if len({Path(given).resolve() for given in args.folders}) < len(args.folders):
        raise ValueError("a checkpoint is named twice; name each once")


def is_run(folders: Sequence[str]) -> bool:
    """Tell whether what is given is one run, of whose checkpoints some are to be chosen."""
    return len(folders) == 1 and repository_of(folders[0]) is None and not (Path(folders[0]) / STATE).is_file()


def choose(args: argparse.Namespace, metric: str) -> list[Chosen]:
    """Return the models to average, oldest first.

    Raises:
        ValueError: there are not so many, one is damaged, or they are of unlike networks.

    """
    from vaswani.training.checkpointing import averaging

    if not is_run(args.folders):
        return named(args.folders)
    run = Path(args.folders[0])
    if args.best is None:
        last = LAST if args.last is None else args.last
        check_kept(run, last)
        return list(map(Chosen, averaging.last_checkpoints(run, last)))
    return [Chosen(folder, figure) for folder, figure in averaging.best_checkpoints(run, args.best, metric).items()]


def check_kept(run: Path, last: int) -> None:
    """Raise ValueError if a run keeps fewer of its last checkpoints: what else lies there is kept as its best."""
    from vaswani.publishing.run_record import RUN, read_run

    keeps = read_run(run).training.save_total_limit if (run / RUN).is_file() else None
    if keeps is not None and last > keeps:
        raise ValueError(
            f"{run} was trained with --save_total_limit {keeps}, and its last {last} checkpoints cannot be averaged: "
            f"give --last {keeps} or less, or --best, or name the checkpoints"
        )


def named(given: Sequence[str]) -> list[Chosen]:
    """Return the models that were named, those of the Hub fetched.

    Raises:
        ValueError: two are the same, there is but one, one is damaged, or they are of unlike networks.

    """
    from vaswani.training.checkpointing.averaging import check_whole
    from vaswani.translation.model_files import check_files

    chosen = []
    for name in given:
        if (repository := repository_of(name)) is None:
            chosen.append(Chosen(Path(name)))
        else:
            model = find_model(name)
            chosen.append(Chosen(model.folder, repository=repository.name, commit=model.commit))
    if len(chosen) == 1 and chosen[0].repository is not None:
        raise ValueError(f"{given[0]} is one model, and an average needs two or more")
    if len({each.folder for each in chosen}) < len(chosen):
        raise ValueError(f"{' '.join(given)}: two are one commit of a repository; name each once")
    folders = check_whole([each.folder for each in chosen])
    for folder in folders:
        check_files(folder)
    check_alike(folders)
    return chosen


def part(chosen: Chosen, share: float, metric: str) -> "DerivedModel":
    """Return a model as a part of the average, with what is known of its weights and of the runs behind them."""
    from vaswani.publishing.average_record import PartRecord, with_figure
    from vaswani.publishing.derived_model import DerivedModel, part_of

    if chosen.repository is not None:
        name = f"{chosen.repository}@{chosen.commit}"
        of_hub = PartRecord(name, share, repository=chosen.repository, commit=chosen.commit)
        return DerivedModel([of_hub], {})
    found = part_of(chosen.folder, share)
    if chosen.figure is None:
        return found
    return found._replace(parts=[with_figure(each, metric, chosen.figure) for each in found.parts])


def check_alike(folders: list[Path]) -> None:
    """Raise ValueError unless models compute alike and use the same vocabulary; shapes alone show neither."""
    from transformers import AutoConfig

    from vaswani.data.tokenizer import fingerprint
    from vaswani.modeling.configuration_vaswani import COMPUTED
    from vaswani.translation.loading import check_network, load_tokenizer

    for folder in folders:
        check_network(folder)
    first, *others = folders
    config, vocabulary = AutoConfig.from_pretrained(first), fingerprint(load_tokenizer(first))
    for folder in others:
        other = AutoConfig.from_pretrained(folder)
        for name in ("model_type", *COMPUTED):
            one, its = getattr(config, name, None), getattr(other, name, None)
            if one != its:
                raise ValueError(f"{folder} has {name} {its!r} and {first} has {one!r}: they are different networks")
        if fingerprint(load_tokenizer(folder)) != vocabulary:
            raise ValueError(f"{folder} has another vocabulary than {first}: their tokens mean different things")
