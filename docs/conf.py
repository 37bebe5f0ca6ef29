"""The documentation site, of these pages and the docstrings: `make docs`. Its map is in index.md."""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from sphinx.application import Sphinx

import vaswani
from vaswani.commands import COMMANDS

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
FROM_ROOT = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Pages of the root, and those that show them on the site."""

project, author = "vaswani", "The vaswani contributors"
version = release = vaswani.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
html_theme, html_title = "furo", f"vaswani {version}"
myst_heading_anchors = 3
napoleon_numpy_docstring = False
default_role = "literal"  # single backquotes in docstrings are code, as in Markdown
autodoc_member_order = "bysource"
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!vaswani).*")]  # names of other projects are not looked up


def site_links(text: str, written: Path, shown: Path) -> str:
    """Return a page that was written for one folder with its links to files as another folder needs them."""

    def moved(link: re.Match[str]) -> str:
        file, mark, place = link[1].partition("#")
        if not (written / file).exists():
            return link[0]  # is warned of
        path = os.path.relpath(written / file, ROOT)
        there = DOCS / FROM_ROOT[path] if path in FROM_ROOT else ROOT / path
        return f"]({os.path.relpath(there, shown)}{mark}{place})"

    return re.sub(r"\]\((?!\w+:|#)([^)\s]+)\)", moved, text)


def helps() -> Iterator[str]:
    """Yield what --help says of each command, and of a recipe."""
    os.environ["COLUMNS"] = "90"
    for name, module in COMMANDS.items():
        parser = argparse.ArgumentParser(f"vaswani {name}", description=(module.__doc__ or "").splitlines()[0])
        module.add_arguments(parser)
        yield section(f"vaswani {name}", parser.format_help())
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                yield from (section(each.prog, each.format_help(), 3) for each in action.choices.values())
    recipe = [sys.executable, str(ROOT / "recipes" / "wmt14_base.py"), "--help"]
    flags = subprocess.run(recipe, check=True, capture_output=True, text=True).stdout
    yield section("A recipe", flags)


def section(title: str, text: str, level: int = 2) -> str:
    """Return a section that shows a text as it is."""
    return f"\n{'#' * level} {title}\n\n```text\n{text}```\n"


def setup(app: Sphinx) -> None:
    """Have pages changed as they are read."""

    def read(_: Sphinx, page: str, text: list[str]) -> None:
        folder = (DOCS / page).parent
        text[0] = site_links(text[0], folder, folder) + "".join(helps() if page == "commands" else ())

    def included(_: Sphinx, file: Path, __: str, text: list[str]) -> None:
        text[0] = site_links(text[0], (DOCS / file).parent, DOCS)

    def documented(_: Sphinx, kind: str, __: str, ___: object, ____: object, lines: list[str]) -> None:
        if kind in ("attribute", "property"):
            alias = lines[:1] and lines[0].startswith("Alias for field number")
            lines[:] = [] if alias else ["..", "", *lines]  # or napoleon takes what stands before a colon for a type

    app.connect("source-read", read)
    app.connect("include-read", included)
    app.connect("autodoc-process-docstring", documented, priority=400)  # before napoleon
