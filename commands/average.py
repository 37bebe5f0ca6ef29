"""Average checkpoints into a model folder: the last ones of a run, the best ones by validation, or those named."""

import argparse
import os
from pathlib import Path
from typing import Any

from vaswani.evaluation.metric_table import DEFAULT, METRICS, choices
from vaswani.translation.models import check_name, find_model, repository_of

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
    which.add_argument("--last", metavar="N", type=int, help=f"the last N checkpoints of the run (default: {LAST})")
    which.add_argument(
        "--best", metavar="N", type=int, help="the N checkpoints that were best in validation (default: --last)"
    )
    parser.add_argument(
        "--metric",
        choices=choices(),
        help=f"validation metric by which --best chooses; f1 is for parsers (default: {DEFAULT})",
    )
    parser.add_argument(
        "--ema",
        metavar="D",
        type=float,
        help="exponential moving average over these checkpoints: each counts D times as much as the next one, such as "
        "0.7 (default: all count the same)",
    )


def run(args: argparse.Namespace) -> None:
    """Write the average, with configuration, code and tokenizer of the newest checkpoint, to `args.output`.

    Raises:
        ValueError: there are fewer checkpoints than asked for, one is damaged, their networks differ, or OUT exists.
        OSError: a file cannot be read or written.
    """
    check_name(args.output, "--output")
    for given in args.folders:
        check_name(Path(given))
    if args.output.exists():
        raise ValueError(f"{args.output} exists already; name a folder that does not")
    repositories = {given: repository_of(given) for given in args.folders}
    for given, repository in repositories.items():
        if repository is None and not Path(given).is_dir():
            raise ValueError(f"{given} is not a folder; give a run, such as runs/mine, or its checkpoints")
    run = Path(args.folders[0])
    is_run = len(args.folders) == 1 and repositories[args.folders[0]] is None and not (run / STATE).is_file()
    if not is_run and (args.last is not None or args.best is not None):
        raise ValueError("--last and --best choose among the checkpoints of one run; name the run, or leave them out")

    if args.metric is not None and args.best is None:
        raise ValueError(f"--metric {args.metric} is only used by --best; give --best N, or leave it out")
    if len({Path(given).resolve() for given in args.folders}) < len(args.folders):
        raise ValueError("a checkpoint is named twice; name each once")
    metric = args.metric or DEFAULT

    os.environ.setdefault("DS_ACCELERATOR", "cpu")  # where this works; DeepSpeed would complain of finding no GPU

    from transformers.utils import logging

    import vaswani.modeling  # noqa: F401  teaches Auto* our classes
    from vaswani.publishing.derived_model import DerivedModel, described_part, record
    from vaswani.training.checkpointing import averaging
    from vaswani.training.checkpointing.consolidation import write_model
    from vaswani.translation.loading import check_files

    logging.disable_progress_bar()
    figures: dict[Path, float] = {}
    fetched: dict[Path, dict[str, Any]] = {}
    if not is_run:
        folders = []
        for given, repository in repositories.items():
            model = None if repository is None else find_model(given)
            folders.append(Path(given) if model is None else model.folder)
            if model is not None and repository is not None:
                whence = {"repository": repository.name, "commit": model.commit}
                fetched[model.folder] = {"checkpoint": f"{repository.name}@{model.commit}"} | whence
        if len(folders) == 1 and fetched:
            raise ValueError(f"{args.folders[0]} is one model, and an average needs two or more")
        if len(set(folders)) < len(folders):
            raise ValueError(f"{' '.join(args.folders)}: two are one commit of a repository; name each once")
        chosen = averaging.check_whole(folders)
        for folder in chosen:
            check_files(folder)
        check_alike(chosen)
    elif args.best is not None:
        figures = averaging.best_checkpoints(run, args.best, metric)
        chosen = list(figures)
    else:
        chosen = averaging.last_checkpoints(run, LAST if args.last is None else args.last)
    shares = [1.0] * len(chosen) if args.ema is None else averaging.moving(len(chosen), args.ema)
    made = DerivedModel([], {})
    for folder, share in zip(chosen, shares, strict=True):
        facts, runs = ({}, {}) if folder in fetched else described_part(folder)
        figure = {f"validation_{metric}": figures[folder]} if folder in figures else {}
        part = {"checkpoint": str(folder), "share": share / sum(shares)}
        made.parts.append(part | figure | facts | fetched.get(folder, {}))
        made.runs.update(runs)
    write_model(chosen[-1], averaging.average_weights(chosen, shares), args.output, record(made))
    digits = METRICS[metric].digits if metric in METRICS else 2
    for folder, entry in zip(chosen, made.parts, strict=True):
        seen = f"  validation {metric} {figures[folder]:.{digits}f}" if figures else ""
        print(f"{entry['share']:6.1%}  {entry['checkpoint']}{seen}")
    print(
        f"Their average is in {args.output}; it can be worse than each of them, so score it on the validation set first"
    )


def check_alike(folders: list[Path]) -> None:
    """Raise ValueError unless models compute alike and use the same vocabulary; shapes alone show neither."""
    from transformers import AutoConfig

    from vaswani.data.tokenizer import fingerprint
    from vaswani.modeling.configuration_vaswani import COMPUTED
    from vaswani.translation.loading import load_tokenizer

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
