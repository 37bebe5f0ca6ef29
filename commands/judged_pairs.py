"""`vaswani score --model`: how probable each pair of a text is to a network, as columns."""

import argparse
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from .line_files import each_line, windows, writing


def judge(args: argparse.Namespace) -> None:
    """Print log P, tokens and cross-entropy of each pair, a line for a line; empty columns where a source is blank.

    Raises:
        ValueError: there is no such model, a file is missing on the command line, or the texts differ in length.
        OSError: a file cannot be read.

    """
    if args.sources is None or len(args.hypotheses) > 1:
        raise ValueError(
            "--model judges one translation of --sources: give --sources FILE and one file as --hypotheses"
        )
    from vaswani.translation.forced import judge_pairs
    from vaswani.translation.models import find_device, find_model, load_model

    model, tokenizer = load_model(find_model(args.model).folder, find_device(None))
    with writing(None) as write:
        first = 1
        for window in windows(pairs(args.sources, args.hypotheses[0])):
            sources, targets = zip(*(line.split("\n") for line in window), strict=True)
            found = judge_pairs(model, tokenizer, sources, targets, first=first)
            first += len(window)
            write(
                "\t\t" if each is None else f"{each.log_p:.4f}\t{each.tokens}\t{each.cross_entropy:.6f}"
                for each in found
            )


def pairs(sources: Path, targets: Path | None) -> Iterator[str]:
    """Yield source and target of each pair, with a line end between them."""
    for number, (source, target) in enumerate(zip_longest(each_line(sources), each_line(targets)), 1):
        if source is None or target is None:
            short, long = (sources, targets) if source is None else (targets, sources)
            raise ValueError(
                f"{short or 'stdin'} ends behind line {number - 1:,}, and {long or 'stdin'} goes on: they must have as "
                "many lines"
            )
        yield f"{source}\n{target}"
