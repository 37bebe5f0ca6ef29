"""A user's folder: {split}.{language} pairs, or {split}.tsv, .jsonl or .parquet; text may be compressed."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from .containers import PACKINGS
from .pairs import Corpus
from .parquet import LocalParquet
from .splits import choose_split
from .tables import JsonLinesCorpus, TsvCorpus
from .text_files import TextFilesCorpus

_PACKED = ("", *PACKINGS)
_TEXT_TABLES: dict[str, Callable[[Path, str, str], Corpus]] = {
    ".tsv": TsvCorpus,
    ".jsonl": JsonLinesCorpus,
}
"""By the ending of a file's name, which one of a compression may follow."""
_OTHER_TABLES: dict[str, Callable[[Path, str, str], Corpus]] = {".parquet": LocalParquet}
_TABLES = {f"{ending}{packed}": kind for ending, kind in _TEXT_TABLES.items() for packed in _PACKED} | _OTHER_TABLES


def open_folder(folder: Path, split: str, source: str, target: str, tsv_quoting: str | None = None) -> Corpus:
    """Open one split of a folder, with TSV read as `tsv_quoting` says (`tables.QUOTINGS`).

    Raises ValueError if the folder has no such split, or holds it in more than one format.
    """
    if not folder.is_dir():
        raise ValueError(f"--data_dir {folder} is not a folder. Give one that holds {known_forms(source, target)}.")
    splits = find_splits(folder, source, target)
    if not splits:
        files = sorted(path.name for path in folder.iterdir())
        listed = ", ".join(files[:10]) + (f" and {len(files) - 10:,} more" if len(files) > 10 else "")
        raise ValueError(
            f"--data_dir {folder} should hold {known_forms(source, target)}. It holds: {listed or 'nothing'}."
        )
    split = choose_split(split, splits, f"--data_dir {folder}")
    forms = splits[split]
    if len(forms) > 1:
        listed = ", ".join(" + ".join(path.name for path in files) for files in forms)
        raise ValueError(f'{folder} holds split "{split}" in {len(forms)} formats: {listed}. Keep one of them.')
    paths = forms[0]
    if len(paths) == 2:
        return TextFilesCorpus(*paths)
    table = _TABLES[paths[0].name.removeprefix(split)]
    return TsvCorpus(paths[0], source, target, tsv_quoting) if table is TsvCorpus else table(paths[0], source, target)


def find_splits(folder: Path, source: str, target: str) -> dict[str, list[tuple[Path, ...]]]:
    """Return, for each split of a folder, the files that hold it, by format: two text files, or one table."""
    splits: dict[str, list[tuple[Path, ...]]] = defaultdict(list)
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    for name in names:
        for ending in _TABLES:
            if name.endswith(ending):
                splits[name.removesuffix(ending)].append((folder / name,))
        for ending in (f".{source}{packed}" for packed in _PACKED):
            if name.endswith(ending):
                split = name.removesuffix(ending)
                partners = [other for packed in _PACKED if (other := f"{split}.{target}{packed}") in names]
                splits[split] += [(folder / name, folder / other) for other in partners]
    return {split: forms for split, forms in splits.items() if split and forms}


def known_forms(source: str, target: str) -> str:
    """Return what a folder may hold, for messages and help."""
    *texts, last = (f"train{ending}" for ending in _TEXT_TABLES)
    return (
        f"train.{source} and train.{target}, {', '.join(texts)} or {last} (each also {', '.join(PACKINGS)}), or "
        f"{' or '.join(f'train{ending}' for ending in _OTHER_TABLES)}, and other splits alike"
    )
