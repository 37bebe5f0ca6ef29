"""Finding the split of a data set that a user names."""

from collections.abc import Iterable

_VALIDATION = ("validation", "valid", "val", "dev")


def choose_split(wanted: str, found: Iterable[str], place: str) -> str:
    """Return the split that `wanted` names: exactly, by a synonym of validation, or by a unique prefix.

    So "test" finds test_2016_flickr where no other split begins with "test", and "validation" finds val or dev_2.
    Raises ValueError, listing what `place` has and the flag that chooses, if no split or several fit.
    """
    found = sorted(found)
    names = _VALIDATION if wanted in _VALIDATION else (wanted,)
    matches = (
        [name for name in found if name == wanted]
        or [name for name in found if name in names]
        or [name for name in found if name.startswith(names)]
    )
    if len(matches) == 1:
        return matches[0]
    problem = f'more than one split "{wanted}": {", ".join(matches)}' if matches else f'no split "{wanted}"'
    role = "validation" if wanted in _VALIDATION else wanted
    flags = {"train": "--train_split", "validation": "--validation_split", "test": "--test_splits"}
    flag = flags.get(role, "--train_split, --validation_split or --test_splits")
    if role == "validation" and found == ["train"]:
        raise ValueError(
            f"{place} has {problem}, only train. Put pairs aside that are not trained on; vaswani plan {place} "
            "shows how."
        )
    raise ValueError(f"{place} has {problem}. It has: {', '.join(found) or 'nothing'}. Name one of these with {flag}.")
