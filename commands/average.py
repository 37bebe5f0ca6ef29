"""Average checkpoints into a model folder: the last ones of a run, the best ones by validation, or those named."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani average` takes."""
    parser.add_argument(
        "folders",
        metavar="FOLDER",
        type=Path,
        nargs="+",
        help="a run, such as runs/mine, or the checkpoints to average",
    )
    parser.add_argument(
        "--output", metavar="OUT", type=Path, required=True, help="folder to make; it must not exist yet"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--last", metavar="N", type=int, help="the last N checkpoints of the run (default: 5)")
    which.add_argument("--best", metavar="N", type=int, help="the N checkpoints that were best in validation")
    parser.add_argument(
        "--metric", choices=("bleu", "loss", "perplexity"), default="bleu", help="what --best goes by (default: bleu)"
    )
    parser.add_argument(
        "--decay", metavar="D", type=float, default=1.0,
        help="each checkpoint counts D times as much as the next one; 0.7, say, is an exponentially weighted mean of "
             "what was saved (default: 1, all the same)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> None:
    """Write the average, with configuration, code and tokenizer of the newest checkpoint, to `args.output`.

    Raises:
        ValueError: there are fewer checkpoints than asked for, one is damaged, they are of unlike networks, or OUT
            exists.
        OSError: a file cannot be read or written.
    """
    if args.output.exists():
        raise ValueError(f"{args.output} exists already; name a folder that does not")
    is_run = len(args.folders) == 1 and not (args.folders[0] / "trainer_state.json").is_file()
    if not is_run and (args.last is not None or args.best is not None):
        raise ValueError("--last and --best choose among the checkpoints of one run; name the run, or leave them out")
    for folder in args.folders:
        if not folder.is_dir():
            raise ValueError(f"{folder} is not a folder; give a run, such as runs/mine, or its checkpoints")

    from transformers.utils import logging

    import vaswani.modeling  # noqa: F401  teaches Auto* our classes
    from vaswani.training import averaging
    from vaswani.training.consolidation import write_model

    logging.disable_progress_bar()
    figures: dict[Path, float] = {}
    if not is_run:
        chosen = averaging.check_whole(args.folders)
    elif args.best is not None:
        figures = averaging.best_checkpoints(args.folders[0], args.best, args.metric)
        chosen = list(figures)
    else:
        chosen = averaging.last_checkpoints(args.folders[0], 5 if args.last is None else args.last)
    shares = averaging.decaying(len(chosen), args.decay)
    write_model(chosen[-1], averaging.average_weights(chosen, shares), args.output)
    for folder, share in zip(chosen, shares, strict=True):
        figure = f"  validation {args.metric} {figures[folder]:.2f}" if folder in figures else ""
        print(f"{share / sum(shares):6.1%}  {folder}{figure}")
    print(
        f"Their average is in {args.output}; it can be worse than each of them, so score it on the validation set first"
    )
