"""Whether the time of a document grows as its units do: it is read and written at one size, twice that, and so on.

python -m benchmarks.data.growing_documents --units 1000 --doublings 3

Each format's units stand as its programs write them; XLIFF also on one line, and HTML with empty elements around one
text. Seconds are of the process.
"""

import argparse
import time
from collections.abc import Callable

from vaswani.documents import finished, reader_of
from vaswani.flags import RecipeHelp, whole

TEXT = "Message number {0} is here, and long enough to be a line …"
XLIFF = '<trans-unit id="{0}"><source>' + TEXT + "</source></trans-unit>"


def repeated(unit: str, before: str = "", after: str = "") -> Callable[[int], str]:
    """Return what makes a document of n units, each with its number."""
    return lambda units: before + "".join(unit.format(number) for number in range(units)) + after


FORMATS: dict[str, tuple[str, Callable[[int], str]]] = {
    "PO": ("po", repeated(f'#: file.c:{{0}}\nmsgid "{TEXT}"\nmsgstr ""\n\n', 'msgid ""\nmsgstr ""\n"X: y\\n"\n\n')),
    "XLIFF": ("xliff", repeated(f"{XLIFF}\n", '<xliff version="1.2"><file><body>\n', "</body></file></xliff>")),
    "XLIFF on one line": ("xliff", repeated(XLIFF, '<xliff version="1.2"><file><body>', "</body></file></xliff>")),
    "TMX": (
        "tmx",
        repeated(
            f'<tu><tuv xml:lang="en"><seg>{TEXT}</seg></tuv></tu>\n',
            '<tmx version="1.4"><header/><body>\n',
            "</body></tmx>",
        ),
    ),
    "SubRip": ("srt", repeated(f"{{0}}\n00:00:01,000 --> 00:00:02,000\n{TEXT}\n\n")),
    "HTML": ("html", repeated(f"<p>{TEXT}</p>\n")),
    "HTML, one text": ("html", lambda units: "<br>" * units + "Hello" + "<br>" * units),
    "Markdown": ("markdown", repeated(f"{TEXT}\n\n")),
}


def seconds(name: str, text: str) -> float:
    """Return the seconds in which a document is read and written, with another text in each unit."""
    started = time.process_time()
    units = reader_of(name, ("en", "de"))(text)
    finished(text, units, [unit.source.upper() for unit in units])
    return time.process_time() - started


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=RecipeHelp)
    parser.add_argument("--units", type=whole(1), default=1000, help="units of the smallest document (default: 1000)")
    parser.add_argument("--doublings", type=whole(1), default=3, help="how often it is doubled (default: 3)")
    given = parser.parse_args()
    sizes = [given.units * 2**doubling for doubling in range(given.doublings + 1)]
    print("| units |", " | ".join(f"{size:,}" for size in sizes), "|")
    print("|---|", "---:|" * len(sizes), sep="")
    for label, (name, document) in FORMATS.items():
        print(f"| {label} |", " | ".join(f"{seconds(name, document(size)):.2f}" for size in sizes), "|", flush=True)


if __name__ == "__main__":
    main()
