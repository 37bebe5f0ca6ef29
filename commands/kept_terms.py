"""`vaswani score --terms`: how many terms of a glossary each translation keeps, and which it misses most."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .asked_languages import asked_languages
from .line_files import check_readable, check_writable, distinct, read_lines, write_lines

if TYPE_CHECKING:
    from vaswani.evaluation.terms import KeptTerms

SHOWN = 10
"""Terms that are named as missed most; JSON has all."""


def score_terms(args: argparse.Namespace) -> None:
    """Print a line for each translation, one for the references, and the terms that the first translation misses most.

    Raises:
        ValueError: the sources are not given, the counts of lines differ, or the glossary is damaged.
        OSError: a file cannot be read.

    """
    if args.test_set is None and args.sources is None:
        raise ValueError("--terms looks for terms in the sources: give --sources FILE")
    check_writable(None, "send it to a file or a terminal")
    if None in args.hypotheses:
        check_readable(None, "--hypotheses")

    from vaswani.data.file_names import printable
    from vaswani.data.glossary.reading import read_glossary
    from vaswani.evaluation.terms import kept_terms

    from .reference_files import read_references, read_sources, read_test_set_of_sacrebleu

    glossary = read_glossary(args.terms, asked_languages(args))
    texts: dict[str, list[str]] = {}
    if args.test_set is not None:
        references, sources = read_test_set_of_sacrebleu(args.test_set, args.direction)
        texts[f"{references.names[0]} (reference)"] = references.first
    if args.sources is not None:
        sources = read_sources(args.sources)
    if args.references is not None:
        references = read_references(args.references, args.language)
        texts[f"{references.names[0]} (reference)"] = references.first
    names = distinct("stdin" if path is None else printable(path) for path in args.hypotheses)
    outputs = dict(zip(names, map(read_lines, args.hypotheses), strict=True))
    found: dict[str, KeptTerms] = {}
    for name, lines in (outputs | texts).items():
        if len(lines) != len(sources):
            raise ValueError(
                f"{name} has {len(lines):,} lines and the sources have {len(sources):,}: they must have as many"
            )
        found[name] = kept_terms(glossary, sources, lines)
    if args.json:
        write_lines(None, [json.dumps({name: as_json(each) for name, each in found.items()}, indent=2)])
        return
    first = found[next(iter(outputs))]
    shown = [f"terms of {printable(Path(glossary.name))}: {len(glossary.terms):,}"]
    shown += [f"  {as_text(each)}  {name}" for name, each in found.items()]
    if first.missed:
        shown.append(f"missed most in {next(iter(outputs))}, of so many:")
    shown += [
        f"  {missed:>6,} of {wanted:,}  {term.source} -> {' | '.join(term.targets)}"
        for term, wanted, missed in first.missed[:SHOWN]
    ]
    write_lines(None, shown)


def as_text(found: "KeptTerms", what: str = "lines") -> str:
    """Return the share of the terms that are kept, and the numbers behind it; `what` was looked at."""
    share = "     -" if found.share is None else f"{found.share:>6.1%}"
    return f"{share} kept, {found.kept:,} of {found.wanted:,} in {found.with_terms:,} of {found.lines:,} {what}"


def as_json(found: "KeptTerms") -> dict[str, Any]:
    """Return the same for JSON, unrounded, with all terms that are missed."""
    missed = [
        {"source": term.source, "targets": term.targets, "wanted": wanted, "missed": number}
        for term, wanted, number in found.missed
    ]
    return {
        "share": found.share,
        "kept": found.kept,
        "wanted": found.wanted,
        "lines_with_terms": found.with_terms,
        "lines": found.lines,
        "missed": missed,
    }
