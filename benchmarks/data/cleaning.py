"""What --drop_html and --check_script take out of real text, and what they let through.

python -m benchmarks.data.cleaning FOLDER [--html FOLDER] [--drops FOLDER]

FOLDER holds files KIND.LANGUAGE.tsv of lines "English<TAB>translation", without a header. The drops of each language
are counted by what they are, those that have to be read by somebody are written to the folder of --drops, and lines of
other languages, and lines of the HTML files under --html, are judged to see how many are caught. Run it on the commit
before a change of the rules and on the one after.
"""

import argparse
import random
from collections import defaultdict
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import regex

from vaswani.data.markup import has_markup
from vaswani.data.pairs import Pair
from vaswani.data.scripts import is_written_in, scripts_of
from vaswani.storage import write_text

SOURCE = "en"
SAMPLE = 200
"""Drops of a language and a reason that are looked at."""
INJECTED = 3_000
"""Sentences of another language that a column is given: lines other than their source with five plain words, or, where
no spaces divide words, ten letters of the language."""
Texts = dict[str, list[Pair]]  # by language


class Drops(NamedTuple):
    """Pairs of one language that a rule drops, by what their targets are."""

    all: list[Pair]
    copies: list[Pair]
    """Of a sample: English, as the source has it."""
    foreign: list[Pair]
    """No letter of the language, but no copy."""
    own: list[Pair]
    """Some letters of the language: most of these are sentences of it."""


def read(folder: Path) -> Texts:
    """Return all pairs by language."""
    texts: Texts = defaultdict(list)
    for path in sorted(folder.glob("*.*.tsv")):
        lines = path.read_text(encoding="utf-8").splitlines()
        texts[path.name.split(".")[1]] += [Pair(*line.split("\t")) for line in lines]
    return dict(texts)


def wrong_scripts(language: str, pairs: list[Pair]) -> Drops:
    """Return the pairs whose target is called another script."""
    scripts = scripts_of(language)
    dropped = [pair for pair in pairs if not is_written_in(pair.target, scripts)]
    sample = random.Random(0).sample(dropped, min(SAMPLE, len(dropped)))
    letter = letters(language)
    own = [pair for pair in sample if letter.search(pair.target)]
    rest = [pair for pair in sample if not letter.search(pair.target)]
    copies = [pair for pair in rest if pair.source == pair.target]
    return Drops(dropped, copies, [pair for pair in rest if pair.source != pair.target], own)


def letters(language: str) -> "regex.Pattern[str]":
    """Return a pattern of a letter of a language's scripts."""
    return regex.compile("|".join(rf"\p{{Script={script}}}" for script in scripts_of(language).split()))


def lines_of(language: str, texts: Texts) -> list[str]:
    """Return sentences in a language for the columns of others."""
    letter, plain = letters(language), regex.compile(r"(?<!\S)\p{L}+[,.;:]?(?!\S)")
    sides = (
        [pair.source for pairs in texts.values() for pair in pairs]
        if language == SOURCE
        else [pair.target for pair in texts[language] if pair.source != pair.target]
    )
    found = [
        side
        for side in sorted(set(sides))
        if (len(letter.findall(side)) >= 10 if language in ("ja", "zh") else len(plain.findall(side)) >= 5)
    ]
    return random.Random(0).sample(found, min(INJECTED, len(found)))


class Marked(HTMLParser):
    """Notes the lines on which a tag or an entity stands whole."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.lines: set[int] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        """Called by the parser."""
        if "\n" not in (self.get_starttag_text() or "\n"):
            self.lines.add(self.getpos()[0])

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        """Called by the parser."""
        self.lines.add(self.getpos()[0])

    def handle_comment(self, data: str) -> None:  # noqa: ARG002
        """Called by the parser."""
        self.lines.add(self.getpos()[0])

    def handle_entityref(self, name: str) -> None:  # noqa: ARG002
        """Called by the parser."""
        self.lines.add(self.getpos()[0])

    def handle_charref(self, name: str) -> None:  # noqa: ARG002
        """Called by the parser."""
        self.lines.add(self.getpos()[0])


def marked_lines(folder: Path) -> Iterator[str]:
    """Yield the lines of HTML files on which a tag or an entity stands."""
    for path in sorted(each for each in folder.rglob("*.html*") if each.is_file()):
        text = path.read_bytes().decode("utf-8", "replace")
        parser = Marked()
        parser.feed(text)
        lines = text.split("\n")
        yield from (lines[number - 1] for number in sorted(parser.lines) if number <= len(lines))


def main() -> None:
    """Print tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="files KIND.LANGUAGE.tsv")
    parser.add_argument("--html", type=Path, help="folder of HTML files, whose lines are judged too (default: none)")
    parser.add_argument(
        "--drops", type=Path, help="folder for the drops that somebody has to read (default: they are counted alone)"
    )
    args = parser.parse_args()
    texts = read(args.folder)
    print("| language | pairs | wrong script | of a sample: copies | no letter of it | some | HTML |")
    print("|---|---|---|---|---|---|---|")
    for language, pairs in texts.items():
        found = wrong_scripts(language, pairs)
        html = [pair for pair in pairs if any(map(has_markup, pair))]
        counts = [len(part) for part in (pairs, *found, html)]
        print(f"| {language} | {' | '.join(f'{count:,}' for count in counts)} |")
        if args.drops:
            args.drops.mkdir(parents=True, exist_ok=True)
            sample = random.Random(0).sample(html, min(SAMPLE, len(html)))
            for name, shown in {"script": found.foreign + found.own, "html": sample}.items():
                content = "".join(f"{pair.source}\t{pair.target}\n" for pair in shown)
                write_text(args.drops / f"{language}.{name}.tsv", content)
    print("\n| column of | lines of | lines | caught |\n|---|---|---|---|")
    lines = {language: lines_of(language, texts) for language in (SOURCE, *texts)}
    for column in lines:
        scripts = scripts_of(column)
        for language, given in lines.items():
            if not set(scripts.split()) & set(scripts_of(language).split()):
                caught = sum(not is_written_in(line, scripts) for line in given)
                print(f"| {column} | {language} | {len(given):,} | {caught / len(given):.2%} |")
    if args.html:
        judged = [has_markup(line) for line in marked_lines(args.html)]
        print(f"\n{len(judged):,} lines of HTML, {sum(judged) / len(judged):.3%} caught")


if __name__ == "__main__":
    main()
