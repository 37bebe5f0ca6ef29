"""Documents that other programs wrote, translated by a network that copies, and read again by translate-toolkit.

python -m venv toolkit && toolkit/bin/pip install translate-toolkit lxml
toolkit/bin/po2xliff --progress=none messages.po messages.xlf
toolkit/bin/odf2xliff --progress=none letter.odt letter.xlf
python -m benchmarks.data.round_trips messages.po messages.xlf letter.xlf --toolkit toolkit/bin/python --direction en-de

Of each file it tells how many units were without a translation, how many of them have their source as the translation
now, and how many others the other program reads differently from before: units, sources, translations, notes, states.
A second translation of what came out has to leave every byte. translate-toolkit is under the GPL, so it runs in an
environment of its own and is never imported here.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from vaswani.data.directions import languages_of
from vaswani.documents import document_format, finished, reader_of, translate_units
from vaswani.documents.declared_encoding import decoded

TOOLKIT = """
import json, sys
from pathlib import Path
from translate.storage import factory
from translate.storage.xliff2 import Xliff2File
is_second = "urn:oasis:names:tc:xliff:document:2" in Path(sys.argv[1]).read_text(encoding="utf-8")[:2000]
store = Xliff2File.parsefile(sys.argv[1]) if is_second else factory.getobject(sys.argv[1])
texts = lambda text: [str(each) for each in getattr(text, "strings", [text or ""])]
print(json.dumps([[texts(u.source), texts(u.target), u.getnotes(), u.getid(), bool(u.isfuzzy())]
                  for u in store.units if not u.isheader()]))
"""


class Trip(NamedTuple):
    """What the other program reads before and after."""

    units: int
    untranslated: int
    copied: int
    """Of those, the ones whose translation is their source now."""
    changed: int
    """Of the others, the ones that it reads differently."""
    is_stable: bool
    """Whether a second translation leaves every byte."""


def main() -> None:
    """Send each file through, and print a row of a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", help="documents: .po, .xlf, .tmx")
    parser.add_argument(
        "--toolkit", type=Path, required=True, help="the Python of an environment with translate-toolkit"
    )
    parser.add_argument("--direction", default="en-de", help="languages of the documents (default: en-de)")
    args = parser.parse_args()
    print("| file | units | without a translation | copied | others changed | a second pass changes |")
    print("|---|---|---|---|---|---|")
    for file in args.files:
        trip = round_trip(file, args.toolkit, languages_of(args.direction))
        print(
            f"| {file.name} | {trip.units:,} | {trip.untranslated:,} | {trip.copied:,} | {trip.changed:,} | "
            f"{'nothing' if trip.is_stable else 'bytes'} |",
            flush=True,
        )


def round_trip(path: Path, toolkit: Path, languages: tuple[str, str]) -> Trip:
    """Copy a document, and compare what the other program reads of both."""
    content = path.read_bytes()
    copy = copied(content, path, languages)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / path.name
        draft.write_bytes(copy)
        before, after = units_of(path, toolkit), units_of(draft, toolkit)
    assert len(before) == len(after)
    pairs = list(zip(before, after, strict=True))
    untranslated = [(old, new) for old, new in pairs if any(old[0]) and not any(old[1])]
    others = [(old, new) for old, new in pairs if not any(old[0]) or any(old[1])]
    return Trip(
        len(before),
        len(untranslated),
        sum(is_copy(new) and [old[0], *old[2:4]] == [new[0], *new[2:4]] for old, new in untranslated),
        sum(old != new for old, new in others),
        copied(copy, path, languages) == copy,
    )


def copied(content: bytes, path: Path, languages: tuple[str, str]) -> bytes:
    """Return a document whose new translations are its sources."""
    name = document_format(path)
    assert name is not None
    document = decoded(content, name)
    units = reader_of(name, languages)(document.text)
    translations, _ = translate_units(units, list)
    return document.encoded(finished(document.text, units, translations))


def units_of(path: Path, toolkit: Path) -> list[list[Any]]:
    """Return source, target, notes, name and state of each unit, as translate-toolkit reads them."""
    run = subprocess.run([toolkit, "-c", TOOLKIT, str(path)], capture_output=True, text=True, check=True)
    found: list[list[Any]] = json.loads(run.stdout)
    return found


def is_copy(unit: list[Any]) -> bool:
    """Whether each form of the translation is a form of the source."""
    source, target = unit[:2]
    return [source[min(form, len(source) - 1)] for form in range(len(target))] == target


if __name__ == "__main__":
    main()
