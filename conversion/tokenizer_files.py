"""The tokenizer beside a model of transformers, whose files are copied unchanged.

OPUS-MT has a MarianTokenizer: two models of SentencePiece, source.spm and target.spm, whose pieces vocab.json numbers
(and target_vocab.json those of the target, where it has its own). Its folders name no class, since transformers knows
it by the network, which is another one here; so tokenizer_config.json gets the class, and AutoTokenizer finds it.
"""

import json
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from vaswani.storage import write_text

FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "target_vocab.json",
    "source.spm",
    "target.spm",
)
_PAIR = ("source.spm", "target.spm", "vocab.json")


def copy_tokenizer(source: Path, folder: Path, vocab_size: int) -> list[str]:
    """Copy the files of a tokenizer, and return their names.

    Args:
        source: a folder of transformers'.
        folder: where to; may be the same.
        vocab_size: the tokens of its network.

    Raises:
        ValueError: a part is missing, or the vocabulary numbers tokens that the network lacks.

    """
    copied = [name for name in FILES if (source / name).is_file()]
    pair = [name for name in _PAIR if name in copied]
    if any(name.endswith(".spm") for name in pair) and len(pair) < len(_PAIR):
        lacking = [name for name in _PAIR if name not in pair]
        raise ValueError(
            f"{source} has {' and '.join(pair)} without {' and '.join(lacking)}: a MarianTokenizer needs both models "
            "of SentencePiece and vocab.json, which numbers their pieces; put them there"
        )
    if "vocab.json" in copied:
        check_vocabulary(source / "vocab.json", vocab_size)
    for name in copied if source != folder else ():
        shutil.copy(source / name, folder / name)
    if pair and "tokenizer.json" not in copied:
        name_class(folder / "tokenizer_config.json")
    return copied


def check_vocabulary(file: Path, vocab_size: int) -> None:
    """Raise ValueError unless a vocabulary numbers no more tokens than a network has."""
    numbers = content_of(file).values()
    if not numbers or not all(isinstance(number, int) for number in numbers):
        raise ValueError(f"{file} is no vocabulary: it does not number tokens; copy it again")
    check_numbers(file, numbers, vocab_size)


def check_numbers(file: Path, numbers: Collection[int], vocab_size: int) -> None:
    """Raise ValueError if the numbers of a vocabulary's tokens, at least one, go beyond a network's."""
    if max(numbers) >= vocab_size:
        raise ValueError(
            f"{file} numbers tokens up to {max(numbers)}, and the network has {vocab_size}, from 0: they are not of "
            "one model; put the vocabulary and the weights of one model there"
        )


def name_class(file: Path) -> None:
    """Write into tokenizer_config.json that the tokenizer is a MarianTokenizer, unless it names another."""
    settings = content_of(file) if file.exists() else {}
    write_text(file, json.dumps({"tokenizer_class": "MarianTokenizer"} | settings, indent=2) + "\n", "backslashreplace")


def content_of(file: Path) -> dict[str, Any]:
    """Return the contents of a JSON file."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is damaged ({error}); copy it again") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file} is damaged (it holds a {type(content).__name__}, no object); copy it again")
    return content
