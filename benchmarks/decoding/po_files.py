"""Translates PO files of real projects from nothing and checks what comes out, by gettext's own program and by polib.

    python -m benchmarks.decoding.po_files MODEL FOLDER OUTPUT

FOLDER holds PO files, such as the de.po of Debian's source packages. Their translations are emptied first. Prints a row
a file, and the sum: messages, how many were translated, how many of them in pieces, how many kept placeholders that
polib and a plain pattern see, whether `msgfmt --check` takes the file, seconds and megabytes.
"""

import argparse
import re
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polib

PLAIN = re.compile(r"%(?:\d+\$)?[-+#0-9.*]*[hlzj]*[diouxXcsfegp]|%%|<[^<> ]+>|https?://[\w./-]+|\$\w+|\{\w*\}")
"""What counts as a placeholder here: another pattern than the program's own, so that it is a check."""
COUNTS = re.compile(r"([\d,]+) of ([\d,]+) untranslated unit\(s\) translated, ([\d,]+) of them")


def main() -> None:
    """Translate and check all files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="trained model")
    parser.add_argument("folder", type=Path, help="PO files")
    parser.add_argument("output", type=Path, help="folder for the emptied files and the translated ones")
    parser.add_argument("--engine", default="torch", help="of vaswani translate (default: torch)")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    print("file\tunits\ttranslated\tin pieces\tplaceholders kept\tof\tmsgfmt --check\tseconds")
    total: Counter[str] = Counter()
    for path in sorted(args.folder.glob("*.po")):
        emptied, output = args.output / f"{path.stem}.empty.po", args.output / path.name
        empty(path, emptied)
        start = time.monotonic()
        command = [
            sys.executable,
            "-m",
            "vaswani.commands",
            "translate",
            args.model,
            "--engine",
            args.engine,
            "--split_sentences",
            "en",
        ]
        told = subprocess.run(
            [*command, "--input", emptied, "--output", output], check=True, capture_output=True, text=True
        ).stderr
        found = COUNTS.search(told)
        assert found is not None, told
        translated, units, in_pieces = (int(each.replace(",", "")) for each in found.groups())
        pairs = list(checked(output))
        check = subprocess.run(["msgfmt", "--check", "-o", "/dev/null", output], capture_output=True, text=True)
        row = {"units": units, "translated": translated, "in pieces": in_pieces}
        row |= {"kept": sum(kept for kept, _ in pairs), "placeholders": sum(count for _, count in pairs)}
        total.update(row | {"clean": check.returncode == 0, "files": 1, "seconds": round(time.monotonic() - start)})
        said = "clean" if check.returncode == 0 else check.stderr.strip().splitlines()[0]
        print(path.name, *row.values(), said, round(time.monotonic() - start), sep="\t", flush=True)
    print(*(f"{name} {count:,}" for name, count in total.items()), sep=", ")
    print(f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MB at most")


def empty(path: Path, output: Path) -> None:
    """Write a PO file without its translations and marks, as a new translation begins."""
    file = polib.pofile(path)
    for entry in file:
        entry.msgstr = ""
        entry.msgstr_plural = dict.fromkeys(entry.msgstr_plural, "")
        entry.flags = [flag for flag in entry.flags if flag != "fuzzy"]
    for entry in list(file.obsolete_entries()):
        file.remove(entry)
    file.save(output)


def checked(path: Path) -> Iterator[tuple[int, int]]:
    """Yield the placeholders of each translated message that its translation has, and how many there are."""
    for entry in polib.pofile(path):
        plural = list(entry.msgstr_plural.values())
        pairs = [(entry.msgid, entry.msgstr)] if not plural else [(entry.msgid_plural, plural[-1])]
        for source, target in pairs:
            if target:
                here, there = Counter(PLAIN.findall(source)), Counter(PLAIN.findall(target))
                yield (here & there).total(), here.total()


if __name__ == "__main__":
    main()
