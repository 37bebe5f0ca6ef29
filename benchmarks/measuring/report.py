"""A benchmark's report: what was measured, on which day, by which command, on what; to read, and with every figure."""

import argparse
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from vaswani.plots import save
from vaswani.storage import write_text

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path("runs", "benchmarks")


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the flag that `leave` is given."""
    parser.add_argument(
        "--output",
        type=Path,
        help=f"a name for the report, without .md and .json (default: by day and benchmark, in {FOLDER})",
    )


def leave(
    output: Path | None, about: Mapping[str, str], text: str, figures: Mapping[str, Any], picture: Figure | None = None
) -> Path:
    """Print a report, and write it as OUTPUT.md, with every figure as OUTPUT.json, and a picture as .png and .svg.

    Args:
        output: as `--output` gave it; what is there under its name is replaced. None: a name that nothing has yet.
        about: what the figures hang on, by name; what is empty is left out.
        text: tables, in Markdown.
        figures: what the tables were made from.
        picture: of them, if there is one.

    Returns:
        The name, without .md and .json.

    """
    today, benchmark = date.today(), Path(sys.argv[0]).stem
    command = shlex.join(["python", *asked(sys.argv)])
    stem = free(FOLDER / f"{today}-{benchmark}") if output is None else named(output)
    facts = "\n".join(f"- {name}: {value}" for name, value in about.items() if value)
    report = f"# {today.day} {today:%B %Y}: {benchmark}\n\n```bash\n{command}\n```\n\n{facts}\n\n{text.strip()}\n"
    print(report)
    stem.parent.mkdir(parents=True, exist_ok=True)
    if picture is not None:
        save(picture, stem)
        report += f"\n![{benchmark}]({stem.name}.png)\n"
    figures = {"date": str(today), "command": command, "machine": dict(about), **figures}
    write_text(stem.with_name(f"{stem.name}.md"), report)
    write_text(stem.with_name(f"{stem.name}.json"), json.dumps(figures, indent=2) + "\n")
    print(f"Written to {stem}.md, with every figure in {stem}.json")
    return stem


def asked(words: Sequence[str]) -> list[str]:
    """Return how a program was asked for: a module of this checkout by its name, as `-m` gives its whole path."""
    path = Path(words[0])
    if path.is_absolute() and path.is_relative_to(ROOT):
        return ["-m", ".".join(path.relative_to(ROOT).with_suffix("").parts), *words[1:]]
    return list(words)


def named(output: Path) -> Path:
    """Return a name without the suffix of one of its files."""
    return output.with_suffix("") if output.suffix in (".md", ".json") else output


def free(stem: Path) -> Path:
    """Return a name that no report has yet: itself, or with a number behind it."""
    names = (stem.with_name(stem.name + (f"-{number}" if number > 1 else "")) for number in count(1))
    return next(name for name in names if not name.with_name(f"{name.name}.md").exists())
