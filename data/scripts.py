"""The scripts of languages, and whether a text is in those of its language.

This distinguishes languages only by their letters: Greek from German, but not Dutch from German.
"""

from functools import lru_cache

import regex

from .wiki_notation import without_notation

_LANGUAGES = {
    "Latin": "af ast az bm br bs ca ceb co cs cy da de en eo es et eu ff fi fil fo fr fy ga gd gl gn ha hr hsb ht hu "
    "id ig is it jv ku la lb lg ln lt lv mg mi ms mt nb nds nl nn no nso ny oc pl pt qu rm rn ro rw sc scn sk "
    "sl sm sn so sq sr ss st su sv sw tk tl tn to tr ts uz ve vi wo xh yo zu",
    "Cyrillic": "az ba be bg bs ce cv kk ky mk mn os ru sah sr tg tt uk uz",
    "Greek": "el grc",
    "Armenian": "hy",
    "Georgian": "ka",
    "Hebrew": "he iw yi ji",
    "Arabic": "ar arz az ckb fa ks ku ps sd ug ur",
    "Syriac": "syr",
    "Thaana": "dv",
    "Ethiopic": "am ti",
    "Devanagari": "bho hi kok ks mai mr ne sa sd",
    "Bengali": "as bn",
    "Gurmukhi": "pa",
    "Gujarati": "gu",
    "Oriya": "or",
    "Tamil": "ta",
    "Telugu": "te",
    "Kannada": "kn",
    "Malayalam": "ml",
    "Sinhala": "si",
    "Thai": "th",
    "Lao": "lo",
    "Tibetan": "bo dz",
    "Myanmar": "my shn",
    "Khmer": "km",
    "Mongolian": "mn",
    "Hangul": "ko",
    "Hiragana": "ja",
    "Katakana": "ja",
    "Bopomofo": "zh",
    "Han": "ja ko wuu yue zh",
}
"""The languages of each script; a language in several rows is written in several scripts."""

_MIXED = {
    "Hans": "Han",
    "Hant": "Han Bopomofo",
    "Hani": "Han",
    "Jpan": "Hiragana Katakana Han",
    "Kore": "Hangul Han",
}
"""ISO 15924 codes that do not name a single script."""

WITHOUT_SPACES = (
    "Han",
    "Bopomofo",
    "Hiragana",
    "Katakana",
    "Thai",
    "Lao",
    "Khmer",
    "Myanmar",
    "Tibetan",
    "Tai_Tham",
    "Tai_Le",
    "New_Tai_Lue",
    "Tai_Viet",
    "Javanese",
    "Balinese",
    "Yi",
)
"""Scripts whose languages put no spaces between words."""
_DENSE = regex.compile(r"[\p{Han}\p{Hangul}\p{Hiragana}\p{Katakana}\p{Bopomofo}]", regex.VERSION1)
_LETTERS_OF_A_DENSE_ONE = 3

_A_LETTER = regex.compile(r"\p{L}")
_GLOSS = regex.compile(r"\([^()]*+\)|（[^（）]*+）")

_OF_EVERY_SCRIPT = r"\p{Script=Common}\p{Script=Inherited}"  # letters too: µ, and the long mark of Katakana


def scripts_of(language: str) -> str:
    """Return the Unicode scripts of a language, such as "Latin" or "Hangul Han".

    Args:
        language: a code such as "de", "de_DE" or "zh-Hans". A script in the code (ISO 15924) decides, whatever the
            language: "sr" is Cyrillic and Latin, "sr_Cyrl" only Cyrillic. A region is ignored.

    Raises:
        ValueError: the scripts of the language are unknown.

    """
    name, *further = language.replace("_", "-").split("-")
    for part in further:
        if len(part) == 4 and part.isalpha():
            scripts = _MIXED.get(part.title(), part.title())
            check_scripts(scripts)
            return scripts
    scripts = " ".join(script for script, languages in _LANGUAGES.items() if name.lower() in languages.split())
    if not scripts:
        known = sorted({each for languages in _LANGUAGES.values() for each in languages.split()})
        raise ValueError(
            f'the script of language "{language}" is not known. Add it to the code, such as {language}_Latn '
            f"or {language}_Cyrl, or leave out the check of scripts. Known without that are {' '.join(known)}."
        )
    return scripts


def check_scripts(scripts: str) -> None:
    """Raise ValueError for a script that Unicode does not have."""
    try:
        _patterns(scripts)
    except regex.error as error:
        raise ValueError(
            f'"{scripts}" does not name a Unicode script; give names such as Latin or Latn, separated by spaces'
        ) from error


def is_written_in(text: str, scripts: str) -> bool:
    """Return whether at least half of the letters of a text are in the scripts; true for a text without letters.

    Half, because names and quotations in another script are common in good sentences; an ideograph or a syllable of
    Chinese, Japanese or Korean carries as much as three letters and counts as three. Characters that are not letters,
    and letters that belong to no single script in Unicode, are not counted. Nor are the Latin letters of code,
    addresses, placeholders and the like (`notation`), nor text in parentheses after other words.
    """
    own, other = _patterns(scripts)
    foreign = _weight(other, text)
    if not foreign:
        return True
    in_latin = own.match("a") is not None
    if not in_latin and _weight(own, text) >= foreign:
        return True  # whichever of the foreign letters count
    prose = _without_glosses(without_notation(text))
    return _weight(own, prose if in_latin else text) >= _weight(other, prose)


@lru_cache(maxsize=16)
def _patterns(scripts: str) -> tuple["regex.Pattern[str]", "regex.Pattern[str]"]:
    """Return patterns of runs of letters: in the scripts, and in all others."""
    own = "".join(rf"\p{{Script={script}}}" for script in scripts.split())
    return (
        regex.compile(rf"[\p{{L}}&&[{own}]]+", regex.VERSION1),
        regex.compile(rf"[^\P{{L}}{own}{_OF_EVERY_SCRIPT}]+", regex.VERSION1),
    )


def _weight(pattern: "regex.Pattern[str]", text: str) -> int:
    letters = "".join(pattern.findall(text))
    return len(letters) + (_LETTERS_OF_A_DENSE_ONE - 1) * len(_DENSE.findall(letters))


def _without_glosses(text: str) -> str:
    """Return a text without its parentheses, such as the original of a term; unchanged if there is nothing else."""
    rest = _GLOSS.sub(" ", text)
    return rest if _A_LETTER.search(rest) else text
