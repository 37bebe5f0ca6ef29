"""A user's folder: files of lines, tables and documents, by the names of its splits; text may be compressed."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from .arrow_files import ArrowCorpus
from .containers import PACKINGS
from .directions import near_direction
from .documents import READERS, Asked, DocumentCorpus, read_sgm_pair
from .pairs import Corpus
from .parquet import LocalParquet
from .shards import Shard, Shards, check_complete, shard_of
from .splits import choose_split
from .tables import JsonLinesCorpus, TsvCorpus
from .text_files import TextFilesCorpus

_PACKED = ("", *PACKINGS)
_WHOLE = (".zip",)
"""Documents that are compressed themselves."""
_SGM = ".sgm"
_SHARDS = "data"
"""The folder in which a data set of the Hub has its shards."""


class Opening(NamedTuple):
    """How the files of a folder are opened."""

    source: str
    target: str
    tsv_quoting: str | None = None
    cache: Path = Path()

    def document(self, ending: str, path: Path) -> Corpus:
        """Open a document."""
        asked = Asked(self.source, self.target)
        return DocumentCorpus(str(path), [path], partial(READERS[ending], path), asked, self.cache, ending)

    def sgm(self, source: Path, target: Path) -> Corpus:
        """Open two SGM files of a test set."""
        read = partial(read_sgm_pair, source, target)
        asked = Asked(self.source, self.target)
        return DocumentCorpus(f"{source} + {target}", [source, target], read, asked, self.cache, _SGM)


_TEXT_TABLES: dict[str, Callable[[Path, Opening], Corpus]] = {
    ".tsv": lambda path, how: TsvCorpus(path, how.source, how.target, how.tsv_quoting),
    ".jsonl": lambda path, how: JsonLinesCorpus(path, how.source, how.target),
}
"""By the ending of a file's name, which one of a compression may follow."""
_OTHER_TABLES: dict[str, Callable[[Path, Opening], Corpus]] = {
    ".parquet": lambda path, how: LocalParquet(path, how.source, how.target),
    ".arrow": lambda path, how: ArrowCorpus(path, how.source, how.target),
}


def _document(ending: str) -> Callable[[Path, Opening], Corpus]:
    return lambda path, how: how.document(ending, path)


_TABLES: dict[str, Callable[[Path, Opening], Corpus]] = {
    **{f"{ending}{packed}": kind for ending, kind in _TEXT_TABLES.items() for packed in _PACKED},
    **_OTHER_TABLES,
    **{
        f"{ending}{packed}": _document(ending)
        for ending in READERS
        for packed in (_PACKED if ending not in _WHOLE else ("",))
    },
    ".txt.zip": _document(".zip"),
}
"""What opens a file, by the ending of its name; of several endings that fit the longest counts."""
_ENDINGS = sorted(_TABLES, key=len, reverse=True)


class Form(NamedTuple):
    """One of the forms in which a folder holds a split: its files, and what opens them."""

    files: tuple[Path, ...]
    open: Callable[[Opening], Corpus]


def open_folder(
    folder: Path,
    split: str,
    source: str,
    target: str,
    tsv_quoting: str | None,
    cache: Path,
) -> Corpus:
    """Open one split of a folder, with TSV read as `tsv_quoting` says (`tables.QUOTINGS`).

    The rows of documents are kept in `cache`. Raises ValueError if the folder has no
    such split, or holds it in more than one format.
    """
    if not folder.is_dir():
        raise ValueError(f"--data_dir {folder} is not a folder. Give one that holds {known_forms(source, target)}.")
    splits = find_splits(folder, source, target)
    if not splits:
        files = sorted(path.name for path in folder.iterdir())
        listed = ", ".join(files[:10]) + (f" and {len(files) - 10:,} more" if len(files) > 10 else "")
        raise ValueError(
            f"--data_dir {folder} should hold {known_forms(source, target)}. It holds: {listed or 'nothing'}."
            f"{near_direction(source, target, _languages(files))}"
        )
    split = choose_split(split, splits, f"--data_dir {folder}")
    forms = splits[split]
    if len(forms) > 1:
        listed = ", ".join(sorted(" + ".join(path.name for path in form.files) for form in forms))
        raise ValueError(f'{folder} holds split "{split}" in {len(forms)} formats: {listed}. Keep one of them.')
    return forms[0].open(Opening(source, target, tsv_quoting, cache))


def find_splits(folder: Path, source: str, target: str) -> dict[str, list[Form]]:
    """Return, for each split of a folder, the forms in which it is there."""
    splits: dict[str, list[Form]] = defaultdict(list)
    shards: dict[tuple[str, str], list[Path]] = defaultdict(list)
    paths = sorted(folder.iterdir())
    names = {path.name for path in paths if path.is_file()}
    for path in paths:
        if path.is_dir():
            if path.name == _SHARDS:
                for inner in sorted(path.iterdir()):
                    _file_shard(inner, shards)
            elif files := [each for each in sorted(path.iterdir()) if _ending(each) and each.is_file()]:
                splits[path.name].append(Form(tuple(files), partial(_open_several, path, files)))
        elif not _file_shard(path, shards) and (ending := _ending(path)) and path.is_file():
            split = path.name.removesuffix(ending)
            splits[split].append(Form((path,), partial(_TABLES[ending], path)))
    for (split, _), files in shards.items():
        splits[split].append(Form(tuple(files), partial(_open_several, files[0].parent / split, files)))
    for split, form in _couples(folder, names, source, target):
        splits[split].append(form)
    return {split: forms for split, forms in splits.items() if split and forms}


def _ending(path: Path) -> str:
    """Return the ending by which a file is opened, or nothing."""
    return next((ending for ending in _ENDINGS if path.name.endswith(ending)), "")


def _file_shard(path: Path, shards: dict[tuple[str, str], list[Path]]) -> bool:
    """Put a file into its place among the shards, by split and ending, and return whether it is one."""
    ending = _ending(path)
    shard = shard_of(path.name.removesuffix(ending)) if ending else None
    if shard is None:
        return False
    shards[shard.split, ending].append(path)
    return True


def _open_several(name: Path, files: list[Path], how: Opening) -> Corpus:
    shards: dict[str, list[Shard]] = defaultdict(list)
    for path in files:
        if shard := shard_of(path.name.removesuffix(_ending(path))):
            shards[shard.split].append(shard)
    for of_one in shards.values():
        check_complete(of_one, str(files[0].parent))
    opened = [_TABLES[_ending(path)](path, how) for path in files]
    return opened[0] if len(opened) == 1 else Shards(f"{name} ({len(files):,} files)", opened)


def _couples(folder: Path, names: set[str], source: str, target: str) -> Iterable[tuple[str, Form]]:
    """Yield splits that two files make up, one for each language, with their form."""
    for packed in _PACKED:
        for other in _PACKED:
            for ends, opens in (
                ((f".{source}", f".{target}"), _open_lines),
                ((f".{source}{_SGM}", f".{target}{_SGM}"), _open_sgm),
                ((f"-src.{source}{_SGM}", f"-ref.{target}{_SGM}"), _open_sgm),
            ):
                first, second = ends[0] + packed, ends[1] + other
                for name in names:
                    split = name.removesuffix(first)
                    if split != name and f"{split}{second}" in names:
                        pair = folder / name, folder / f"{split}{second}"
                        yield split, Form(pair, partial(opens, pair))


def _languages(names: list[str]) -> list[str]:
    """Return the languages that the names of files of lines may end in: pt-BR of train.pt-BR.gz."""
    endings = [name.split(".")[1:] for name in names]
    return [parts[-1] for parts in ([each for each in its if f".{each}" not in PACKINGS] for its in endings) if parts]


def _open_lines(files: tuple[Path, Path], how: Opening) -> Corpus:  # noqa: ARG001
    return TextFilesCorpus(*files)


def _open_sgm(files: tuple[Path, Path], how: Opening) -> Corpus:
    return how.sgm(*files)


def known_forms(source: str, target: str) -> str:
    """Return what a folder may hold, for messages and help."""
    *texts, last = (f"train{ending}" for ending in _TEXT_TABLES)
    documents = ", ".join(ending for ending in READERS if ending not in _WHOLE)
    return (
        f"train.{source} and train.{target}, {', '.join(texts)} or {last}, a document train{documents} or a pair of "
        f"{_SGM} (each also {', '.join(PACKINGS)}), train.zip of Moses' form, or "
        f"{' or '.join(f'train{ending}' for ending in _OTHER_TABLES)}, also in files such as "
        "train-00000-of-00002.parquet or in a folder train, and other splits alike"
    )
