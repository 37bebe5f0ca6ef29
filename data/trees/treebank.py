"""A treebank in files, as the corpus of its sentences and their linearised trees.

The files are bracketed text, one or several trees each, over any number of lines. A split is a file NAME.mrg (or
NAME.trees), or a folder NAME with such files at any depth; 02-21 are the sections 02, 03 ... 21, as the Wall Street
Journal's part of the Penn Treebank is commonly divided.
"""

import codecs
import hashlib
import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vaswani.data.containers import read_head, refuse
from vaswani.data.opened_file import OpenedFile
from vaswani.data.pairs import ROWS_PER_GROUP, NoPair, Pair, Row, Rows, fingerprint, legible, places
from vaswani.data.splits import choose_split
from vaswani.data.text_files import decode

from .linearization import linearise
from .normalization import normalize_tree
from .tree import leaves, read_trees

ENDINGS = (".mrg", ".trees")
_FORMS = (
    "files of bracketed trees, train.mrg or train.trees, or folders of such files, train/ or 00/ to 24/, "
    "and other splits alike"
)


def open_treebank(folder: Path, split: str) -> "Treebank":
    """Open one split of a folder.

    Raises:
        ValueError: it has no such split, or holds it in more than one format, or a file's brackets do not close.

    """
    if not folder.is_dir():
        raise ValueError(f"--data_dir {folder} is not a folder. Give one that holds {_FORMS}.")
    found = sections(folder)
    if not found:
        raise ValueError(f"--data_dir {folder} has no trees in it. Give a folder that holds {_FORMS}.")
    numbers = re.fullmatch(r"(\d+)-(\d+)", split)
    if numbers is None or split in found:
        names = [choose_split(split, found, f"--data_dir {folder}")]
    else:
        width = len(numbers[1])
        names = [f"{number:0{width}}" for number in range(int(numbers[1]), int(numbers[2]) + 1)]
        if missing := [name for name in names if name not in found]:
            raise ValueError(
                f"--data_dir {folder} lacks {', '.join(missing)} of the sections {split}. It has: {', '.join(found)}. "
                "Complete it, or name other ones with --train_split, --validation_split or --test_splits."
            )
        if not names:
            raise ValueError(f"the sections {split} are empty: the first number is above the second")
    return Treebank(f"{folder}:{split}", [path for name in names for path in found[name]])


def sections(folder: Path) -> dict[str, list[Path]]:
    """Return the files of each split of a folder, by its name.

    Raises:
        ValueError: one exists as a file and as a folder, or with two endings.

    """
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            files = sorted(each for each in path.rglob("*") if each.suffix.lower() in ENDINGS and each.is_file())
        else:
            files = [path] if path.suffix.lower() in ENDINGS else []
        name = path.name if path.is_dir() else path.stem
        if files and name in found:
            raise ValueError(f'{folder} holds "{name}" in two formats: {found[name][0]}, {files[0]}. Keep one of them.')
        if files:
            found[name] = files
    return found


class Treebank:
    """The trees of some files, in their order, as pairs of words and linearised tree.

    A tree that is malformed, not UTF-8 or without a word is `NoPair`. Files are read group by group, and take no
    memory.

    Raises:
        ValueError: a file's brackets do not match, or there is no tree in any file.

    """

    def __init__(self, name: str, paths: Sequence[Path]) -> None:
        self.name = name
        self._files = [_TreeFile(path) for path in paths]
        self._ends = np.cumsum([file.groups for file in self._files]).tolist()
        self.groups = self._ends[-1]
        self.rows = sum(file.trees for file in self._files)
        self.fingerprint = fingerprint("trees", *(file.digest for file in self._files))
        if not self.rows:
            raise ValueError(f"{name} has no tree in it: {', '.join(map(str, paths[:3]))}")

    def read(self, group: int) -> Rows:
        """Return the rows of one group."""
        number = bisect_right(self._ends, group)
        return self._files[number].read(group - (self._ends[number - 1] if number else 0))


class _TreeFile:
    """The trees of one file in groups of 1,000, found by counting brackets: no word of a treebank has one."""

    def __init__(self, path: Path) -> None:
        self._file = OpenedFile(path)
        self._starts = [(0, 1)]  # byte and line where each group begins, then the end of the last tree
        self.trees = 0
        digest = hashlib.sha256()
        offset, line, depth, end = 0, 1, 0, 0
        with path.open("rb") as stream:
            refuse(read_head(stream), str(path))
            stream.seek(0)
            while chunk := stream.read(1 << 22):
                digest.update(chunk)
                depths = _depths(chunk, depth)
                if (depths < 0).any():
                    raise ValueError(
                        f"{path}, line {_line(chunk, line, int((depths < 0).argmax()))}: a closing bracket has no "
                        "opening one. Fix the file, or leave it out."
                    )
                ends = _ends(chunk, depths)
                last_of_groups = ends[-(self.trees + 1) % ROWS_PER_GROUP :: ROWS_PER_GROUP]
                self._starts += [(offset + place, _line(chunk, line, place)) for place in last_of_groups]
                self.trees += len(ends)
                end = offset + ends[-1] if ends else end
                offset, line, depth = offset + len(chunk), _line(chunk, line, len(chunk)), int(depths[-1])
            stream.seek(0)
            line = _line(stream.read(end), 1, end)
            if tail := stream.read(1 << 16).lstrip():
                fault = "is not closed" if depth else "is not a tree"
                raise ValueError(
                    f"{path}: the text after the last complete tree, in line {line}, {fault}: "
                    f"{tail[:40].decode('utf-8', 'replace')!r}. Fix the file, or leave it out."
                )
        if self._starts[-1][0] != end:
            self._starts.append((end, line))
        self.groups = len(self._starts) - 1
        self.digest = digest.hexdigest()

    def read(self, group: int) -> Rows:
        """Return the rows of one group; the line of a tree is that of its first bracket."""
        (start, line), (end, _) = self._starts[group : group + 2]
        path = self._file.unchanged()
        with path.open("rb") as stream:
            stream.seek(start)
            content = stream.read(end - start)
        if start == 0 and content.startswith(codecs.BOM_UTF8):
            content = b" " * len(codecs.BOM_UTF8) + content.removeprefix(codecs.BOM_UTF8)
        trees = [content[begin:end] for begin, end in pairwise([0, *_ends(content, _depths(content, 0))])]
        wheres, place = [], 0
        for tree in trees:
            opening = place + tree.index(b"(")
            line += content.count(b"\n", place, opening)
            wheres.append(f"{path}, line {line}")
            place += len(tree)
            line += content.count(b"\n", opening, place)
        rows = [row(tree, where) for tree, where in zip(trees, wheres, strict=True)]
        return Rows(
            rows, wheres.__getitem__, {position: (legible(trees[position].strip()),) for position in places(rows)}
        )


def _depths(content: bytes, before: int) -> NDArray[np.int64]:
    """Return the bracket depth of each byte, including an opening bracket itself."""
    letters = np.frombuffer(content, np.uint8)
    return before + np.cumsum((letters == ord("(")).astype(np.int8) - (letters == ord(")")), dtype=np.int64)


def _ends(content: bytes, depths: NDArray[np.int64]) -> list[int]:
    """Return where each tree ends."""
    closing = np.frombuffer(content, np.uint8) == ord(")")
    return (np.flatnonzero(closing & (depths == 0)) + 1).tolist()


def _line(content: bytes, first: int, place: int) -> int:
    """Return the line number of a place, if the content begins in line `first`."""
    return first + content.count(b"\n", 0, place)


def row(content: bytes, where: str) -> Row:
    """Return the pair of one bracketed tree."""
    text = decode(content.strip(), where)
    if isinstance(text, NoPair):
        return text
    try:
        [node] = read_trees(text)
    except ValueError as error:
        return NoPair("malformed", f"{where}: {error}")
    tree = normalize_tree(node)
    if tree is None:
        return NoPair("empty", where)
    return Pair(" ".join(leaf.word for leaf in leaves(tree)), linearise(tree))
