"""Our readers of documents beside translate-toolkit's: a large memory in turns, and every unit's text of given files.

python -m venv toolkit && toolkit/bin/pip install translate-toolkit lxml
python -m benchmarks.data.documents memory toolkit/bin/python --megabytes 1000
python -m benchmarks.data.documents units toolkit/bin/python de.po a.tmx a.xlf --direction en-de

translate-toolkit is under the GPL, so it runs in an environment of its own and is never imported here. Each reading of
the memory is a process by itself, whose peak is what Linux tells of it.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from importlib.metadata import version
from pathlib import Path

from vaswani.data import Corpus, NoPair
from vaswani.data.documents import READERS, Asked, DocumentCorpus

TOOLKIT = """
import json, resource, sys, time
from translate.storage import factory
started = time.monotonic()
store = factory.getobject(sys.argv[1])
units = [unit for unit in store.units if not unit.isheader()]
texts = lambda text: [str(each) for each in getattr(text, "strings", [text or ""])]
found = [(texts(u.source), texts(u.target), bool(u.isfuzzy()), bool(u.isobsolete())) for u in units]
seconds = time.monotonic() - started
print(json.dumps({"units": len(found), "seconds": seconds,
                  "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
                  "found": found if len(sys.argv) > 2 else []}))
"""
WORDS = "the a of to and in is it you that he was for on are with as his they at be this have from or one had by word"


def main() -> None:
    """Run what is asked for, and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what", choices=["memory", "units", "ours"], help="what to compare; ours is one reading of ours"
    )
    parser.add_argument(
        "python", type=Path, help="the Python of an environment with translate-toolkit; or, a file to read"
    )
    parser.add_argument("files", type=Path, nargs="*", help="the documents of `units` (default: none)")
    parser.add_argument("--direction", default="en-de", help="their languages (default: en-de)")
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the memory (default: 1000)")
    args = parser.parse_args()
    if args.what == "ours":
        print(json.dumps(ours(args.python)))
    elif args.what == "memory":
        compare_speed(args.python, args.megabytes)
    else:
        for file in args.files:
            print(compare_units(args.python, file, Asked(*args.direction.split("-"))))


def opened(path: Path, asked: Asked, cache: Path) -> Corpus:
    """Open one document."""
    ending = next(each for each in READERS if path.name.endswith(each))
    return DocumentCorpus(str(path), [path], partial(READERS[ending], path), asked, cache, ending)


def ours(path: Path) -> dict[str, float]:
    """Read a memory, as the first opening does, and then all of its row groups, and return the figures."""
    with tempfile.TemporaryDirectory() as cache:
        started = time.monotonic()
        corpus = opened(path, Asked("en", "de"), Path(cache))
        read = time.monotonic()
        rows = sum(len(corpus.read(group)) for group in range(corpus.groups))
        again = time.monotonic()
        kept = sum(file.stat().st_size for file in Path(cache).rglob("*.parquet"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"units": rows, "seconds": read - started, "again": again - read, "peak": peak, "kept": kept}


def compare_speed(python: Path, megabytes: int) -> None:
    """Make a memory, and let each reader read it in turn, twice."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memory.tmx"
        units = make_memory(path, megabytes * 1_000_000)
        print(
            f"{path.stat().st_size:,} bytes, {units:,} units; translate-toolkit {toolkit_version(python)}", flush=True
        )
        commands = {
            "ours": [sys.executable, "-m", "benchmarks.data.documents", "ours", str(path)],
            "translate-toolkit": [str(python), "-c", TOOLKIT, str(path)],
        }
        for _ in range(2):
            for name, command in commands.items():
                run = subprocess.run(command, capture_output=True, text=True, check=False)
                if run.returncode:
                    print(f"{name}: ended with {run.returncode}: {run.stderr.strip()[-300:]}", flush=True)
                    continue
                found = json.loads(run.stdout)
                assert found["units"] == units
                more = f", all row groups again in {found['again']:.1f} s" if "again" in found else ""
                print(
                    f"{name}: {found['seconds']:.1f} s, {units / found['seconds']:,.0f} units/s, peak "
                    f"{found['peak'] / 1e3:,.0f} MB{more}",
                    flush=True,
                )


def make_memory(path: Path, size: int) -> int:
    """Write a memory of about so many bytes, in sentences like those of documents; return its units."""
    draw, words, units = random.Random(1), WORDS.split(), 0
    with path.open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n<tmx version="1.4">\n')
        file.write('<header srclang="en" segtype="sentence" datatype="plaintext"/>\n<body>\n')
        while file.tell() < size:
            for _ in range(1_000):
                units += 1
                sides = (" ".join(draw.choices(words, k=draw.randint(3, 40))) for _ in range(2))
                source, target = sides
                tagged = f'<bpt i="1">&lt;b&gt;</bpt>{source}<ept i="1">&lt;/b&gt;</ept>' if units % 10 == 0 else source
                file.write(
                    f'<tu tuid="{units}" creationdate="20261130T120000Z">\n<tuv xml:lang="en-US"><seg>{tagged}</seg>'
                )
                file.write(f'</tuv>\n<tuv xml:lang="de-DE"><seg>{target} ä &amp; ö</seg></tuv>\n</tu>\n')
        file.write("</body>\n</tmx>\n")
    return units


def compare_units(python: Path, path: Path, asked: Asked) -> str:
    """Return how many units both readers find in a document, and in how many the text of ours is not theirs."""
    run = subprocess.run([python, "-c", TOOLKIT, str(path), "units"], capture_output=True, text=True, check=True)
    theirs = Counter[tuple[str, str]]()
    units = json.loads(run.stdout)["found"]
    for source, target, is_fuzzy, is_obsolete in units:
        if not is_fuzzy and not is_obsolete:
            theirs.update((source[min(form, len(source) - 1)], text) for form, text in enumerate(target) if text)
    with tempfile.TemporaryDirectory() as cache:
        corpus = opened(path, asked, Path(cache))
        rows = [row for group in range(corpus.groups) for row in corpus.read(group)]
    pairs = Counter((row.source, row.target) for row in rows if not isinstance(row, NoPair))
    reasons = Counter(row.reason for row in rows if isinstance(row, NoPair))
    only_ours, only_theirs = pairs - theirs, theirs - pairs
    examples = "".join(
        f"\n    {name} {pair}"
        for name, side in (("ours", only_ours), ("theirs", only_theirs))
        for pair in list(side)[:3]
    )
    return (
        f"{path.name}: {len(units):,} units of theirs, {pairs.total():,} pairs of ours ({dict(reasons)}), "
        f"{theirs.total():,} of theirs; only ours {only_ours.total():,}, only theirs {only_theirs.total():,}{examples}"
    )


def toolkit_version(python: Path) -> str:
    """Return the version of translate-toolkit in its environment; ours is only asked for its own libraries."""
    script = "from importlib.metadata import version; print(version('translate-toolkit'))"
    run = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True)
    return f"{run.stdout.strip()}, pyarrow {version('pyarrow')}"


if __name__ == "__main__":
    main()
