"""Our readers of documents beside translate-toolkit's: a large memory in turns, and every unit's text of given files.

python -m venv toolkit && toolkit/bin/pip install translate-toolkit lxml
python -m benchmarks.data.documents memory --toolkit toolkit/bin/python --megabytes 100
python -m benchmarks.data.documents memory --megabytes 1000
python -m benchmarks.data.documents units de.po a.tmx a.xlf --toolkit toolkit/bin/python --direction en-de

translate-toolkit is under the GPL, so it runs in an environment of its own and is never imported here. Each reading of
the memory is a process by itself, whose peak is what Linux tells of it.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

from benchmarks.measuring.process_memory import peak_memory, resident_memory
from vaswani.data import Corpus, NoPair
from vaswani.data.directions import languages_of
from vaswani.data.documents import READERS, Asked, DocumentCorpus

TOOLKIT = """
import json, re, sys, time
from pathlib import Path
from translate.storage import factory
started, cpu = time.monotonic(), time.process_time()
store = factory.getobject(sys.argv[1])
units = [unit for unit in store.units if not unit.isheader()]
texts = lambda text: [str(each) for each in getattr(text, "strings", [text or ""])]
found = [(texts(u.source), texts(u.target), bool(u.isfuzzy()), bool(u.isobsolete())) for u in units]
seconds, cpu = time.monotonic() - started, time.process_time() - cpu
print(json.dumps({"units": len(found), "seconds": seconds, "cpu": cpu,
                  "peak": int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024,
                  "found": found if len(sys.argv) > 2 else []}))
"""
WORDS = "the a of to and in is it you that he was for on are with as his they at be this have from or one had by word"


def main() -> None:
    """Run what is asked for, and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what", choices=["memory", "units", "ours"], help="what to measure; ours is one reading of ours"
    )
    parser.add_argument("files", type=Path, nargs="*", help="the documents of `units` and `ours` (default: none)")
    parser.add_argument(
        "--toolkit", type=Path, help="the Python of an environment with translate-toolkit (default: none, ours alone)"
    )
    parser.add_argument("--direction", default="en-de", help="languages of the documents (default: en-de)")
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the memory (default: 1000)")
    args = parser.parse_args()
    if args.what == "ours":
        print(json.dumps(ours(args.files[0])))
    elif args.what == "memory":
        compare_speed(args.toolkit, args.megabytes)
    else:
        for file in args.files:
            print(compare_units(args.toolkit, file, Asked(*languages_of(args.direction))), flush=True)


def opened(path: Path, asked: Asked, cache: Path) -> Corpus:
    """Open one document."""
    ending = next(each for each in READERS if path.name.endswith(each))
    return DocumentCorpus(str(path), [path], partial(READERS[ending], path), asked, cache, ending)


def ours(path: Path) -> dict[str, float]:
    """Read a memory, as the first opening does, and then all of its row groups, and return the figures."""
    before = resident_memory()
    with tempfile.TemporaryDirectory() as cache:
        started, cpu = time.monotonic(), time.process_time()
        corpus = opened(path, Asked("en", "de"), Path(cache))
        read, cpu = time.monotonic(), time.process_time() - cpu
        rows = sum(len(corpus.read(group)) for group in range(corpus.groups))
        again = time.monotonic()
        kept = sum(file.stat().st_size for file in Path(cache).rglob("*.parquet"))
    figures = {"units": rows, "seconds": read - started, "cpu": cpu, "again": again - read, "kept": kept}
    return figures | {"before": before, "peak": peak_memory()}


def compare_speed(toolkit: Path | None, megabytes: int) -> None:
    """Make a memory, and let each reader read it in turn, twice."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memory.tmx"
        units = make_memory(path, megabytes * 1_000_000)
        print(f"{path.stat().st_size:,} bytes, {units:,} units", flush=True)
        commands = {"ours": [sys.executable, "-m", "benchmarks.data.documents", "ours", str(path)]}
        if toolkit is not None:
            commands[f"translate-toolkit {toolkit_version(toolkit)}"] = [str(toolkit), "-c", TOOLKIT, str(path)]
        for _ in range(2):
            for name, command in commands.items():
                run = subprocess.run(command, capture_output=True, text=True, check=False)
                if run.returncode:
                    print(f"{name}: ended with {run.returncode}: {run.stderr.strip()[-300:]}", flush=True)
                    continue
                found = json.loads(run.stdout)
                assert found["units"] == units
                more = (
                    f" ({found['before'] / 1e6:,.0f} before); all row groups again {found['again']:.1f} s"
                    if "again" in found
                    else ""
                )
                print(
                    f"{name}: {found['seconds']:.1f} s, of a core {found['cpu']:.1f} s, "
                    f"{units / found['cpu']:,.0f} units a second of a core, peak {found['peak'] / 1e6:,.0f} MB{more}",
                    flush=True,
                )


def make_memory(path: Path, size: int) -> int:
    """Write a memory of about so many bytes: 50,000 units of random words, again and again; return its units."""
    draw, words = random.Random(1), WORDS.split()
    block = []
    for number in range(50_000):
        source, target = (" ".join(draw.choices(words, k=draw.randint(3, 40))) for _ in range(2))
        tagged = f'<bpt i="1">&lt;b&gt;</bpt>{source}<ept i="1">&lt;/b&gt;</ept>' if number % 10 == 0 else source
        block.append(
            f'<tu tuid="{number}" creationdate="20261130T120000Z">\n<tuv xml:lang="en-US"><seg>{tagged}</seg></tuv>\n'
            f'<tuv xml:lang="de-DE"><seg>{target} ä &amp; ö</seg></tuv>\n</tu>\n'
        )
    content, units = "".join(block).encode(), 0
    with path.open("wb") as file:
        file.write(b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n<tmx version="1.4">\n')
        file.write(b'<header srclang="en" segtype="sentence" datatype="plaintext"/>\n<body>\n')
        while file.tell() < size:
            file.write(content)
            units += len(block)
        file.write(b"</body>\n</tmx>\n")
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
    """Return the version of translate-toolkit in its environment."""
    script = "from importlib.metadata import version; print(version('translate-toolkit'))"
    return subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
