"""Whether a text is blank: only white space and invisible characters."""

import re

# Control characters; characters that Unicode tells programs to hide if they cannot show them
# (Default_Ignorable_Code_Point); the format characters (Cf) that are invisible by themselves; and the Braille cell
# without dots. Written out, so that the same pairs are dropped with every Python's Unicode tables; tests/test_blank.py
# compares them with these.
UNSEEN = (
    "\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Invisible characters and ranges of them, as in a class of a regular expression."""
_SEEN = re.compile(rf"[^\s{UNSEEN}]")


def is_blank(text: str) -> bool:
    """Return whether a text has nothing to read: no characters, or only white space and invisible ones.

    Invisible are zero-width spaces and joiners, byte order marks, soft hyphens, marks of direction, variation
    selectors, tags, Hangul fillers, control characters and the like. Combining accents and private characters are
    visible.
    """
    return _SEEN.search(text) is None
