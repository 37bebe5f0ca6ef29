"""The page of a model in the browser, bundled by npm from engines/browser/page, once for each version of its source.

package-lock.json pins every package by its digest, and no package runs a script of its own when it is installed. What
was bundled is kept in the cache folder, so that further exports need neither npm nor a network.
"""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from vaswani.storage import atomic_folder
from vaswani.storage.cache_folder import default_cache

SOURCE = Path(__file__).resolve().with_name("page")
BUNDLED = ("node_modules", "dist")
"""Folders that npm leaves, if somebody works on the page in its own folder."""
OLDEST_NODE = 20


def bundled_page(say: Callable[[str], object] = lambda _: None) -> Path:
    """Return a folder with the files of the page, from the cache or made now.

    Args:
        say: called with a line before npm begins.

    Raises:
        ValueError: npm is missing or fails.
        OSError: the cache cannot be written.

    """
    page = Path(default_cache(), "browser_page", fingerprint())
    if page.is_dir():
        return page
    npm = shutil.which("npm")
    if npm is None:
        raise ValueError(
            f"npm is not installed, and the page is bundled by it: install Node.js {OLDEST_NODE} or later "
            "(https://nodejs.org), or export where it is installed and copy the folder"
        )
    say("npm bundles the page, which is kept for the next time")
    page.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary, "page")
        shutil.copytree(SOURCE, work, ignore=shutil.ignore_patterns(*BUNDLED))
        run([npm, "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"], work)
        run([npm, "run", "--silent", "build"], work)
        if page.is_dir():  # another process was faster
            return page
        with atomic_folder(page) as draft:
            shutil.copytree(work / "dist", draft, dirs_exist_ok=True)
    return page


def fingerprint() -> str:
    """Return 16 hexadecimal digits of the source of the page."""
    digest = hashlib.sha256()
    for file in sorted(file for file in SOURCE.iterdir() if file.is_file()):
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def run(command: list[str], folder: Path) -> None:
    """Run a command of npm; ValueError with its last lines if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-8:])
        raise ValueError(
            f"npm could not bundle the page ({' '.join(command[1:])}):\n{said}\nIt needs Node.js {OLDEST_NODE} or "
            "later and, for the first time, npm's registry; or export where both are there and copy the folder"
        )
