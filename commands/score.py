"""Score a translation, or compare several: sacreBLEU, chrF, TER and the paper's BLEU, with signatures."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .lines import check_readable, check_writable, read_lines, write_lines

if TYPE_CHECKING:
    from vaswani.evaluation.significance import Comparison, Comparisons


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani score` takes."""
    parser.add_argument("--references", metavar="FILE", type=Path, required=True, help="the right translation, UTF-8")
    parser.add_argument(
        "--hypotheses", metavar="FILE", type=Path, nargs="+", default=[None],
        help="the translation to judge (default: stdin); further ones are compared with the first by paired "
             "approximate randomisation",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON, figures unrounded")


def run(args: argparse.Namespace) -> None:
    """Print every score, one a line; of several outputs a table for each score.

    Raises:
        ValueError: the counts of lines differ, there are none, or a line is not UTF-8.
        OSError: a file cannot be read.
    """
    check_writable(None, "send it to a file or a terminal")
    if None in args.hypotheses:
        check_readable(None, "--hypotheses")
    references = read_lines(args.references)
    outputs = [read_lines(path) for path in args.hypotheses]
    if len(outputs) > 1:
        from vaswani.evaluation.significance import compare

        try:
            comparisons = compare(outputs, references, progress=sys.stderr.isatty())
        except ValueError as error:
            sizes = ", ".join(f"{path} {len(each)}" for path, each in zip(args.hypotheses, outputs, strict=True))
            raise ValueError(f"{error}; lines: {sizes}, {args.references} {len(references)}") from error
        names = [str(path) for path in args.hypotheses]
        write_lines(None, as_json(comparisons, names) if args.json else as_table(comparisons, names))
        return

    from vaswani.evaluation.scores import score

    scores = score(outputs[0], references)
    if args.json:
        write_lines(None, [json.dumps({key: part._asdict() for key, part in scores._asdict().items()}, indent=2)])
    else:
        width = max(len(part.name) for part in scores)
        write_lines(None, [f"{part.name:<{width}}  {part.value:6.2f}  {part.signature}" for part in scores])


def as_table(comparisons: "Comparisons", names: list[str]) -> list[str]:
    """Return lines: of each score its signature, then value, mean and 95% interval, and two-sided p of each output."""
    lines = []
    for each in comparisons:
        lines.append(f"{each.name}  {each.signature}")
        for name, found in zip(names, each.outputs, strict=True):
            chance = "first output" if found.p_value is None else f"p = {found.p_value:.4f}  "
            lines.append(f"  {found.value:6.2f}  ({found.mean:.2f} ± {found.interval:.2f})  {chance}  {name}")
    return lines


def as_json(comparisons: "Comparisons", names: list[str]) -> list[str]:
    """Return the same as JSON, unrounded."""

    def part(each: "Comparison") -> dict[str, Any]:
        outputs = [{"file": name} | found._asdict() for name, found in zip(names, each.outputs, strict=True)]
        return {"name": each.name, "signature": each.signature, "outputs": outputs}

    return [json.dumps({key: part(each) for key, each in comparisons._asdict().items()}, indent=2)]
