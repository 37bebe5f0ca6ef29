"""Average checkpoints into a model folder: the last ones of a run, the best ones by validation, or those named."""

import argparse
import json
import os
from pathlib import Path

from .models import check_name

LAST = 5  # as section 6.1 for the base model
COMPUTED = (
    "model_type", "vocab_size", "d_model", "d_ff", "num_heads", "d_k", "d_v", "encoder_layers", "decoder_layers",
    "norm", "positions", "max_positions", "pad_token_id", "eos_token_id", "decoder_start_token_id",
)  # fmt: skip
"""Of a configuration: what a network computes; how it learned may differ."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani average` takes."""
    parser.add_argument(
        "folders", metavar="FOLDER", type=Path, nargs="+",
        help="a run, such as runs/mine, or the checkpoints to average, oldest first",
    )  # fmt: skip
    parser.add_argument(
        "--output", metavar="OUT", type=Path, required=True, help="folder to make; it must not exist yet"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--last", metavar="N", type=int, help=f"the last N checkpoints of the run (default: {LAST})")
    which.add_argument("--best", metavar="N", type=int, help="the N checkpoints that were best in validation")
    parser.add_argument(
        "--metric",
        choices=("bleu", "f1", "chrf", "ter", "wmt14_bleu", "loss", "perplexity"),
        help="what --best goes by; f1 is a parser's (default: bleu)",
    )
    parser.add_argument(
        "--ema", metavar="D", type=float,
        help="exponential moving average over these checkpoints: each counts D times as much as the next one, such as "
             "0.7 (default: all count the same)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> None:
    """Write the average, with configuration, code and tokenizer of the newest checkpoint, to `args.output`.

    Raises:
        ValueError: there are fewer checkpoints than asked for, one is damaged, they are of unlike networks, or OUT
            exists.
        OSError: a file cannot be read or written.
    """
    check_name(args.output, "--output")
    for folder in args.folders:
        check_name(folder)
    if args.output.exists():
        raise ValueError(f"{args.output} exists already; name a folder that does not")
    for folder in args.folders:
        if not folder.is_dir():
            raise ValueError(f"{folder} is not a folder; give a run, such as runs/mine, or its checkpoints")
    is_run = len(args.folders) == 1 and not (args.folders[0] / "trainer_state.json").is_file()
    if not is_run and (args.last is not None or args.best is not None):
        raise ValueError("--last and --best choose among the checkpoints of one run; name the run, or leave them out")

    if args.metric is not None and args.best is None:
        raise ValueError(f"--metric {args.metric} is what --best goes by; give --best N, or leave it out")
    if len({folder.resolve() for folder in args.folders}) < len(args.folders):
        raise ValueError("a checkpoint is named twice; name each once")
    metric = args.metric or "bleu"

    os.environ.setdefault("DS_ACCELERATOR", "cpu")  # where this works; DeepSpeed would complain of finding no GPU

    from transformers.utils import logging

    import vaswani.modeling  # noqa: F401  teaches Auto* our classes
    from vaswani.serving.loading import check_files
    from vaswani.training import averaging
    from vaswani.training.consolidation import write_model

    logging.disable_progress_bar()
    figures: dict[Path, float] = {}
    if not is_run:
        chosen = averaging.check_whole(args.folders)
        for folder in chosen:
            check_files(folder)
        check_alike(chosen)
    elif args.best is not None:
        figures = averaging.best_checkpoints(args.folders[0], args.best, metric)
        chosen = list(figures)
    else:
        chosen = averaging.last_checkpoints(args.folders[0], LAST if args.last is None else args.last)
    shares = [1.0] * len(chosen) if args.ema is None else averaging.moving(len(chosen), args.ema)
    record = [
        {"checkpoint": str(folder), "share": share / sum(shares)}
        | ({f"validation_{metric}": figures[folder]} if folder in figures else {})
        for folder, share in zip(chosen, shares, strict=True)
    ]
    notes = {"average.json": json.dumps(record, indent=2) + "\n"}
    write_model(chosen[-1], averaging.average_weights(chosen, shares), args.output, notes)
    for entry in record:
        figure = f"  validation {metric} {figures[Path(str(entry['checkpoint']))]:.2f}" if figures else ""
        print(f"{entry['share']:6.1%}  {entry['checkpoint']}{figure}")
    print(
        f"Their average is in {args.output}; it can be worse than each of them, so score it on the validation set first"
    )


def check_alike(folders: list[Path]) -> None:
    """Raise ValueError unless models compute alike and write the same symbols; their shapes do not tell either."""
    from transformers import AutoConfig

    from vaswani.data.tokenizer import fingerprint
    from vaswani.serving.loading import load_tokenizer

    first, *others = folders
    config, symbols = AutoConfig.from_pretrained(first), fingerprint(load_tokenizer(first))
    for folder in others:
        other = AutoConfig.from_pretrained(folder)
        for name in COMPUTED:
            one, its = getattr(config, name, None), getattr(other, name, None)
            if one != its:
                raise ValueError(f"{folder} has {name} {its!r} and {first} has {one!r}: they are not of one network")
        if fingerprint(load_tokenizer(folder)) != symbols:
            raise ValueError(f"{folder} has another vocabulary than {first}: their symbols mean different things")
