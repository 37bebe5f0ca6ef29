r"""Count what survives translation as it is written: addresses and paths, options, numbers, code and placeholders.

python -m benchmarks.scoring.literals --sources test.en --references test.de --hypotheses out.de [another.de ...]

A literal that stands in both the source and the reference has to be copied. Its recall is the share of these that stand
in the output too; a line that holds one twice has to have it twice. Invented are those in the output that stand neither
in the source nor in the reference of the line. The first row of each table is the source itself, copied as the output:
nothing that copies more can be asked for, and whatever translates has to come near it.

Each kind is looked for by itself, so that a piece may be of two: in B<--all> the option and the whole are counted.
Literals are compared character by character: 1.5 and 1,5 are two numbers.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import regex

from vaswani.commands.line_files import read_lines
from vaswani.data.wiki_notation import CODE_SPAN

COPY = "the source, copied"

_FLAGS = regex.VERBOSE | regex.VERSION1
_W = "[A-Za-z0-9_]"
"""A letter of a word of code; unlike \\w it tells such a word from the Japanese around it, where no space does."""

_STOP = r"(?<! [.,:;!?'] )"
"""A sentence's punctuation behind an address is none of it."""

KINDS = {
    "URLs and paths": regex.compile(
        rf"""
          (?<!{_W}) (?: [A-Za-z][A-Za-z0-9+.-]{{1,20}} :// | www\. | mailto: ) [!-~--[<>"`()\\]]+ {_STOP}
        | (?<! [A-Za-z0-9_./] | (?<![A-Z])< ) (?: ~ | \.{{1,2}} )?
          / [A-Za-z0-9_.@%+*~-]+ (?: / [A-Za-z0-9_.@%+*~-]+ )* /? {_STOP}
        """,
        _FLAGS,
    ),
    "options": regex.compile(
        rf"(?<! [A-Za-z0-9_\-] ) (?: --[A-Za-z0-9]{_W}*(?:-{_W}+)* | -[A-Za-z0-9](?!{_W}) )", _FLAGS
    ),
    "numbers": regex.compile(
        r"(?<! [A-Za-z0-9_] | [A-Za-z0-9_][.\-/:] ) [0-9]+ (?: [.,:][0-9]+ )* (?! [A-Za-z0-9_] )", _FLAGS
    ),
    "code and placeholders": regex.compile(
        rf"""
          {CODE_SPAN.pattern}
        | (?<!{_W}) [A-Z] (?: <<+\s .*? \s>>+ | < [^<>]++ > )  # B<cat> and C<< x->y >> of manual pages
        | % (?: \( [^()\s]++ \) )? [-\#0+']*+ [0-9]*+ (?: \.[0-9]++ )? (?: hh? | ll? | [qjzt] )? [A-Za-z] (?!{_W})
        | \$ (?: \{{ [^{{}}]*+ \}} | [A-Za-z_]{_W}*+ )
        | \{{ [!-z|~]*+ \}}  # {{name}} and {{0}}
        """,
        _FLAGS,
    ),
}
"""What counts as a literal of each kind."""


class Tally(NamedTuple):
    """Literals of one kind in one output."""

    wanted: int
    """In source and reference both, and so to be copied."""
    kept: int
    """Of these, in the output too."""
    written: int
    """In the output, whatever they are."""
    invented: int
    """Of these, in neither source nor reference."""


def literals(text: str, kind: str) -> Counter[str]:
    """Return the literals of a kind in a text, each with how often it stands there."""
    return Counter(match[0] for match in KINDS[kind].finditer(text))


def tally(sources: Sequence[str], references: Sequence[str], outputs: Sequence[str], kind: str) -> Tally:
    """Count the literals of a kind over the lines of a test set.

    Raises:
        ValueError: there are not as many outputs, sources and references.

    """
    wanted = kept = written = invented = 0
    for texts in zip(sources, references, outputs, strict=True):
        source, reference, output = (literals(text, kind) for text in texts)
        both = source & reference
        wanted += both.total()
        kept += (both & output).total()
        written += output.total()
        invented += sum(count for literal, count in output.items() if literal not in source | reference)
    return Tally(wanted, kept, written, invented)


def as_table(sources: Sequence[str], references: Sequence[str], outputs: dict[str, Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown: for each kind a row for the copied source and one for each output."""
    yield "| kind | output | to be copied | kept | recall | written | invented |"
    yield "|---|---|---|---|---|---|---|"
    for kind in KINDS:
        for name, lines in ({COPY: sources} | outputs).items():
            found = tally(sources, references, lines, kind)
            recall = f"{found.kept / found.wanted:.1%}" if found.wanted else "-"
            counts = f"{found.wanted:,} | {found.kept:,} | {recall} | {found.written:,} | {found.invented:,}"
            yield f"| {kind} | {name} | {counts} |"


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=Path, required=True, metavar="FILE", help="what was translated, UTF-8")
    parser.add_argument(
        "--references", type=Path, required=True, metavar="FILE", help="the right translation, a line a line"
    )
    parser.add_argument(
        "--hypotheses",
        type=Path,
        required=True,
        nargs="+",
        metavar="FILE",
        help="the translations to judge, a file each",
    )
    given = parser.parse_args()
    sources, references = read_lines(given.sources), read_lines(given.references)
    outputs: dict[str, Sequence[str]] = {str(path): read_lines(path) for path in given.hypotheses}
    for name, lines in {str(given.references): references, **outputs}.items():
        if len(lines) != len(sources):
            parser.error(f"{name} has {len(lines):,} lines and {given.sources} {len(sources):,}: give one a line")
    for row in as_table(sources, references, outputs):
        print(row)


if __name__ == "__main__":
    main()
