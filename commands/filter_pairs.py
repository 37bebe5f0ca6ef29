"""Keep the good pairs of a parallel text, or the best of several translations of each line; count what is dropped."""

import argparse
from pathlib import Path

from vaswani.evaluation.metric_table import SENTENCE_METRICS
from vaswani.flags import numbers, shares, whole
from vaswani.translation.models import MODEL

from .best_translations import choose_best
from .pairs_kept import keep_pairs

OF_PAIRS = {
    "targets": None,
    "scores": None,
    "column": None,
    "min_score": None,
    "max_score": None,
    "drop_lowest": None,
    "drop_highest": None,
    "max_ratio": None,
    "max_tokens": None,
    "tokenizer": None,
    "check_script": None,
    "drop_html": False,
    "drop_identical": False,
    "drop_duplicates": False,
}
"""Flags of pairs with what they are where they are not given."""
OF_BEST = {"references": None, "by": None, "language": None, "resume": False}
"""Those of the best of several translations."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani filter` takes."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--sources", metavar="FILE", type=Path, help="one side of the pairs; or --n_best (default: none)")
    what.add_argument(
        "--n_best",
        metavar="FILE",
        type=Path,
        help="several translations of each line, as `vaswani translate --format tsv --n_best N` writes them: keep the "
        "best by --references (default: none)",
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        nargs="+",
        required=True,
        help="where sources and targets of the kept pairs go, two files, or the best translations, one file; packed if "
        "the name ends with .gz, .zst, .xz, .bz2 or .lz4 (default: none, it is needed)",
    )
    add_pairs(parser)
    best = parser.add_argument_group("the best translation of each line (--n_best)")
    best.add_argument("--references", metavar="FILE", type=Path, help="the right translations (default: none)")
    best.add_argument(
        "--by",
        choices=tuple(SENTENCE_METRICS),
        help="the score of a sentence that decides; of equal ones the first translation is kept (default: bleu)",
    )
    best.add_argument(
        "--language", metavar="CODE", help="language of --references, such as de or zh (default: by their script)"
    )
    best.add_argument(
        "--resume",
        action="store_true",
        help="go on with an --output that is not finished; begin it if there is none (default: no)",
    )


def add_pairs(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of pairs."""
    pairs = parser.add_argument_group(
        "pairs (--sources)",
        "Pairs with a blank side, control characters or bytes that are not UTF-8 are always dropped, as in training.",
    )
    pairs.add_argument("--targets", metavar="FILE", type=Path, help="the other side, line for line (default: none)")
    pairs.add_argument(
        "--scores",
        metavar="FILE",
        type=Path,
        help="columns of figures, a row a pair, as `vaswani score --model` or --sentences writes them (default: none)",
    )
    pairs.add_argument(
        "--column",
        type=whole(1),
        metavar="N",
        help="number of the column of --scores that decides, from 1 (default: last)",
    )
    pairs.add_argument(
        "--min_score",
        type=numbers(),
        metavar="X",
        help="drop pairs whose number in that column is less (default: none)",
    )
    pairs.add_argument(
        "--max_score",
        type=numbers(),
        metavar="X",
        help="drop pairs whose number in that column is more (default: none)",
    )
    worst = pairs.add_mutually_exclusive_group()
    of_share = "of the pairs that nothing else drops, such as 0.05; of equal ones the earlier are kept (default: none)"
    worst.add_argument("--drop_lowest", type=shares(), metavar="SHARE", help=f"drop the lowest: a share {of_share}")
    worst.add_argument("--drop_highest", type=shares(), metavar="SHARE", help=f"drop the highest: a share {of_share}")
    pairs.add_argument(
        "--max_ratio",
        type=numbers(1),
        metavar="X",
        help="largest ratio of the longer side to the shorter, in words, not counting 5 free ones (default: any)",
    )
    pairs.add_argument("--max_tokens", type=whole(1), metavar="N", help="most words of a side (default: any)")
    pairs.add_argument(
        "--tokenizer",
        metavar="MODEL",
        help=f"count its tokens, </s> included, in place of words between spaces: {MODEL} (default: words)",
    )
    pairs.add_argument(
        "--check_script",
        metavar="LANGUAGE",
        nargs=2,
        help="drop pairs with a side that is mostly not in the script of its language, such as en ru (default: no)",
    )
    pairs.add_argument("--drop_html", action="store_true", help="drop pairs with HTML or XML tags, or &amp; and the "
                       "like (default: no)")  # fmt: skip
    pairs.add_argument("--drop_identical", action="store_true", help="drop pairs of equal sides (default: no)")
    pairs.add_argument(
        "--drop_duplicates",
        action="store_true",
        help="drop pairs that repeat an earlier one on both sides (default: no)",
    )


def run(args: argparse.Namespace) -> None:
    """Write what is kept, and print the counts of what is not.

    Raises:
        ValueError: flags do not go together, the files differ in length, or one is damaged.
        OSError: a file cannot be read or written.

    """
    others, mode = (OF_PAIRS, "--n_best") if args.n_best is not None else (OF_BEST, "--sources")
    if given := [f"--{name}" for name, default in others.items() if getattr(args, name) != default]:
        raise ValueError(f"{', '.join(given)} cannot be used with {mode}: leave them out")
    choose_best(args) if args.n_best is not None else keep_pairs(args)
