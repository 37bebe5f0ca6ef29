"""The mark before the letter that chooses an entry of a menu: & (Qt, Windows), _ (GTK), ~ (LibreOffice)."""

import re
from typing import NamedTuple

MARK = re.compile(r"(?<![\w/])[&_~](?=\w)|(?<=[A-Za-z])[&_~](?=[a-z])")
LONGEST = 60
"""Characters of an entry; a longer text is prose."""


class Accelerator(NamedTuple):
    """One mark in a text."""

    mark: str
    letter: str
    """The one after it."""
    place: int
    """Of the mark."""


def accelerator_of(text: str, placeholder: re.Pattern[str]) -> Accelerator | None:
    """Return the mark of a text that has a single one outside its placeholders.

    It stands in front of a word, or within a capitalised one: `E&xit`, not `black&white`, `R&D` or `foo_bar`.
    """
    plain = placeholder.sub(lambda found: " " * len(found.group()), text)
    found = list(MARK.finditer(plain))
    if len(found) != 1 or len(text) > LONGEST:
        return None
    place = found[0].start()
    word = re.split(r"[^\w&~]", plain[:place])[-1]
    if word and not word[0].isupper():
        return None
    return Accelerator(text[place], text[place + 1], place)


def without(text: str, accelerator: Accelerator) -> str:
    """Return the text without its mark."""
    return text[: accelerator.place] + text[accelerator.place + 1 :]


def marked(text: str, accelerator: Accelerator, placeholder: re.Pattern[str]) -> str:
    """Set the mark: before the letter of the source at the head of a word, else within one, else before the first.

    Returns the text as it is if it has no place for a mark outside its placeholders.
    """
    letter = re.escape(accelerator.letter)
    for pattern in (rf"(?<!\w){letter}", letter, r"(?<!\w)\w"):
        for found in re.finditer(pattern, text, re.IGNORECASE):
            with_mark = text[: found.start()] + accelerator.mark + text[found.start() :]
            if accelerator_of(with_mark, placeholder) == (accelerator.mark, found.group(), found.start()):
                return with_mark
    return text
