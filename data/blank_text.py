"""Whether a text says anything: white space and characters that nobody sees do not."""

import re

# Control characters; what Unicode has every program hide that cannot show it (Default_Ignorable_Code_Point); the
# format characters (Cf) that show nothing by themselves; and the Braille cell without dots. Written out, so that the
# same pairs are dropped whatever the Unicode tables of a Python; tests/test_blank.py compares them with such tables.
_UNSEEN = (
    "\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_SEEN = re.compile(rf"[^\s{_UNSEEN}]")


def is_blank(text: str) -> bool:
    """Return whether a text has nothing to read: no character at all, or only white space and unseen ones.

    Unseen are zero-width spaces and joiners, byte order marks, soft hyphens, marks of direction, variation selectors,
    tags, Hangul fillers, control characters and the like. A combining accent is seen, and so is a private character.
    """
    return _SEEN.search(text) is None
