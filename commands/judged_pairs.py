"""`vaswani score --model`: how probable each pair of a text is to a network, as columns."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from .columns import check_columns, write_columns


def judge(args: argparse.Namespace) -> None:
    """Write log P, tokens and cross-entropy of each pair, a line for a line.

    The columns are empty where a source is blank, and where a text is too long; these are counted on stderr.

    Raises:
        ValueError: there is no such model, a file is missing on the command line, or the texts differ in length.
        OSError: a file cannot be read or written.

    """
    if args.sources is None or len(args.hypotheses) > 1:
        raise ValueError(
            "--model judges one translation of --sources: give --sources FILE and one file as --hypotheses"
        )
    files = [args.sources, args.hypotheses[0]]
    check_columns(args, files, ["--sources", "--hypotheses"])
    from vaswani.data.blank_text import is_blank
    from vaswani.translation.forced import judge_pairs, most_tokens
    from vaswani.translation.made_of import judged_by
    from vaswani.translation.models import find_device, find_model, load_model

    found = find_model(args.model)
    model, tokenizer = load_model(found.folder, find_device(None))

    too_long: list[int] = []

    def columns(lines: Sequence[Sequence[str]], first: int) -> Iterator[str]:
        sources, targets = lines
        for number, each in enumerate(judge_pairs(model, tokenizer, sources, targets), first):
            if each is None and not is_blank(sources[number - first]):
                too_long.append(number)
            yield "\t\t" if each is None else f"{each.log_p:.4f}\t{each.tokens}\t{each.cross_entropy:.6f}"

    def made_of() -> dict[str, Any]:
        return judged_by(found)

    write_columns(args, files, made_of, columns)
    if too_long and sys.stderr is not None:
        print(
            f"{len(too_long):,} pair(s) with a text of more than {most_tokens(model):,} tokens have no figures, the "
            f"first is pair {too_long[0]:,}; split them into sentences",
            file=sys.stderr,
        )
