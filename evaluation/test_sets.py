"""Test sets that sacreBLEU knows by name (wmt14, iwslt17, ...): it fetches them once and keeps them in a folder.

The folder is $SACREBLEU, by default ~/.sacrebleu, the same that its own command uses.
"""

from pathlib import Path

from sacrebleu import DATASETS, SACREBLEU_DIR
from sacrebleu.utils import get_available_testsets

from vaswani.data.directions import languages_of


def files_of(name: str, direction: str) -> tuple[Path, list[Path]]:
    """Return the file of sources of a test set, and those of its references, fetched if they are not here.

    Args:
        name: as sacreBLEU has it, such as wmt14, or wmt14/full.
        direction: such as en-de.

    Raises:
        ValueError: there is no such test set or direction, or it is not here and cannot be fetched.

    """
    pair = "-".join(languages_of(direction))
    if name not in DATASETS:
        listed = ", ".join(sorted(each for each in get_available_testsets() if each[:3] == name[:3]))
        alike = f"; alike are {listed}" if listed else ""
        raise ValueError(f"sacreBLEU has no test set {name!r}{alike}. sacrebleu --list shows all.")
    data_set = DATASETS[name]
    if pair not in data_set.langpairs:
        raise ValueError(f"{name} has no {pair}; it has {', '.join(sorted(data_set.langpairs))}")
    try:
        return Path(data_set.get_source_file(pair)), [Path(each) for each in data_set.get_reference_files(pair)]
    except (Exception, SystemExit) as error:  # it ends the process where a checksum does not fit
        raise ValueError(
            f"{name} {pair} is not in {SACREBLEU_DIR} and cannot be fetched ({error or type(error).__name__}). Connect "
            f"once, or copy the folder {name} of another machine's ~/.sacrebleu there; $SACREBLEU names another place."
        ) from error
