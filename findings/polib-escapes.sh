#!/usr/bin/env bash
# polib 1.2.0, a PO file with the escapes and the strings that gettext's own programs read.
#
# What one would guess: polib and msgfmt give the same text for a file that msgfmt compiles without a word.
#
# What happens: "\x41", "\101" and "\a" of C, which msgfmt reads as A, A and the bell, stay in the text as a backslash
# and what follows, without a word. Two strings on one line, one text to msgfmt, are an error of syntax to polib.
#
# Output seen on 2026-11-30 (Python 3.11.7, gettext 0.21):
#
# polib 1.2.0 '\\x41 \\101 \\a' gettext 'A A \x07'
# two strings on one line: polib Syntax error in po file (line 5): unescaped double quote found; gettext 'one two'
#
# It fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet polib==1.2.0
cd "$folder"
header='msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgid "a"\n'
printf "$header"'msgstr "\\x41 \\101 \\a"\n' >escapes.po
printf "$header"'msgstr "one" " two"\n' >strings.po
for name in escapes strings; do msgfmt -o "$name.mo" "$name.po"; done
cat >read.py <<'PYTHON'
import gettext

import polib


def compiled(name):
    with open(name, "rb") as file:
        return gettext.GNUTranslations(file).gettext("a")


ours, theirs = polib.pofile("escapes.po")[0].msgstr, compiled("escapes.mo")
print("polib", polib.__version__, repr(ours), "gettext", repr(theirs))
assert theirs == "A A \a"
assert ours == r"\x41 \101 \a", "polib knows these escapes now"
try:
    polib.pofile(open("strings.po").read())
except OSError as error:
    print("two strings on one line: polib", f"{error}; gettext", repr(compiled("strings.mo")))
else:
    raise AssertionError("polib reads two strings on one line now")
PYTHON
venv/bin/python read.py
