"""Drawing words: noun phrases, places and times, in English and German at once.

This is where held-out combinations are kept apart, for words are drawn here and nowhere else: see `held_out`.
"""

import random
from collections.abc import Callable, Sequence
from typing import TypeVar
from zlib import crc32

from . import english, german, numbers
from .clause import Phrase, Text
from .lexicon import ADJECTIVES, CITIES, NAMES, NOUNS, VERBS, Adjective, Noun, Verb

T = TypeVar("T")


def held_out(word: str, partner: str) -> bool:
    """Whether two words meet in the `unseen` split alone: an adjective and its noun, a verb and its object."""
    return crc32(f"{word} {partner}".encode()) % 16 == 0


class Draw:
    """A stream of choices that is the same on every machine; `unseen` asks for held-out combinations."""

    def __init__(self, seed: str, unseen: bool) -> None:
        self._random = random.Random(seed).random
        self.unseen = unseen
        self.novel = False  # whether the present sentence holds a held-out combination

    def pick(self, items: Sequence[T]) -> T:
        """One of the items; an item said twice is twice as likely."""
        return items[int(self._random() * len(items))]

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self._random() < probability

    def partner(self, partners: "Partners[T]") -> T | None:
        """A word that goes with another one, held out or not as the split wants it."""
        seen, unseen = partners
        if self.unseen and unseen and self.chance(0.5):
            self.novel = True
            return self.pick(unseen)
        return self.pick(seen) if seen else None


Partners = tuple[tuple[T, ...], tuple[T, ...]]


def _partners(items: Sequence[T], hidden: Callable[[T], bool]) -> Partners[T]:
    return tuple(x for x in items if not hidden(x)), tuple(x for x in items if hidden(x))


def of_kind(*kinds: str) -> list[Noun]:
    """All nouns of some kinds."""
    return [noun for noun in NOUNS if not noun.kinds.isdisjoint(kinds)]


def key(verb: Verb) -> str:
    """A name for a verb that no other has."""
    return f"{verb.en} {verb.prefix}{verb.de}"


ADJECTIVES_OF: dict[str, Partners[Adjective]] = {
    noun.en: _partners(
        [word for word in ADJECTIVES if word.kinds & noun.kinds], lambda word, noun=noun: held_out(word.de, noun.de)
    )
    for noun in NOUNS
}
OBJECTS_OF: dict[str, Partners[Noun]] = {
    key(verb): _partners(of_kind(*verb.objects), lambda noun, verb=verb: held_out(verb.prefix + verb.de, noun.de))
    for verb in VERBS
}
VERBS_OF: dict[str, Partners[Verb]] = {  # which verbs a noun is the direct object of
    noun.en: _partners(
        [verb for verb in VERBS if verb.frame == "acc" and noun.kinds & verb.objects],
        lambda verb, noun=noun: held_out(verb.prefix + verb.de, noun.de),
    )
    for noun in NOUNS
}
PERSONS = of_kind("person")
SUBJECTS_OF = {
    key(verb): PERSONS * (5 if "animal" in verb.subjects else 1) + of_kind(*(verb.subjects - {"person"}))
    for verb in VERBS
}
PLACES = of_kind("place")
TOWN = of_kind("town")
_DWELLINGS = of_kind("city", "village", "house", "hotel")
_HOSTS = of_kind("kin", "close", "doctor", "baker")
# The construction in which a separable verb is never trained on: an active clause, main or subordinate (True)
_PATTERNS = (("modal", False), ("perfect", True), ("present", True), ("modal", True))
HELD_OUT_CONSTRUCTIONS = {
    verb.prefix + verb.de: _PATTERNS[i % 4] for i, verb in enumerate(verb for verb in VERBS if verb.prefix)
}


# ---- noun phrases

PRONOUNS = (
    ("I", "me", {"nom": "ich", "acc": "mich", "dat": "mir"}, 0, ""),
    ("you", "you", {"nom": "du", "acc": "dich", "dat": "dir"}, 1, ""),
    ("he", "him", {"nom": "er", "acc": "ihn", "dat": "ihm"}, 2, "m"),
    ("she", "her", {"nom": "sie", "acc": "sie", "dat": "ihr"}, 2, "f"),
    ("we", "us", {"nom": "wir", "acc": "uns", "dat": "uns"}, 3, ""),
    ("they", "them", {"nom": "sie", "acc": "sie", "dat": "ihnen"}, 4, "p"),
)
YOU = PRONOUNS[1]
# Without a noun that they stand for
IT, THEM = Phrase("it", "es", 2, "pronoun", "n"), Phrase("them", "sie", 4, "pronoun", "p")
POSSESSIVES = (("my", "mein"), ("your", "dein"), ("his", "sein"), ("her", "ihr"), ("our", "unser"), ("their", "ihr"))
THE, A, NO = ("the", "der"), ("a", "ein"), ("no", "kein")
MANY, SOME, ALL = ("many", "viel"), ("some", "einig"), ("all the", "all")
NUMBERS = tuple(numbers.cardinal(n) for n in range(2, 13))
_INDEFINITE = {"", "a", "many", "some", *(number.en for number in NUMBERS)}
_BARE = ("", "")
_SINGULAR = (THE,) * 10 + (A,) * 7 + (("this", "dies"),) * 3 + (("every", "jed"),)
_PLURAL = (THE,) * 7 + (_BARE,) * 3 + (("these", "dies"),) * 2 + NUMBERS[:4] + (MANY, SOME, ALL)
_MASS = (THE, _BARE)
_KNOWN = {False: (THE,) * 3 + (("this", "dies"),), True: (THE,) * 3 + (("these", "dies"),)}  # spoken of as known
_OURS = frozenset(
    [
        "kin",
        "close",
        "home",
        "own",
        "thing",
        "clothing",
        "furniture",
        "pet",
        "text",
        "abstract",
        "exam",
        "wedding",
        "party",
        "journey",
    ]
)
_OWNED = frozenset(["thing", "vehicle", "clothing", "furniture", "house", "garden", "pet", "kin", "text"])


def adjectives(d: Draw, noun: Noun, odds: float) -> list[Adjective]:
    if not d.chance(odds):
        return []
    first = d.partner(ADJECTIVES_OF[noun.en])
    if first is None:
        return []
    if d.chance(0.12):
        second = d.partner(ADJECTIVES_OF[noun.en])
        if second is not None and second.rank != first.rank:
            return sorted((first, second), key=lambda word: word.rank)
    return [first]


def compose(
    determiner: tuple[str, str], words: Sequence[Adjective], noun: Noun, plural: bool, case: str
) -> tuple[str, str]:
    """A noun phrase in both languages."""
    gender = "p" if plural else noun.gender
    article, shown = german.determiner(determiner[1], gender, case)
    de = [article] if article else []
    en = [word.en for word in words]
    de += [german.adjective(word, shown, gender, case) for word in words]
    de.append(german.noun(noun, gender, case))
    en.append(noun.en_plural if plural else noun.en)
    text = " ".join(en)
    if determiner[0] == "a":
        text = english.article(text)
    elif determiner[0]:
        text = f"{determiner[0]} {text}"
    return text, " ".join(de)


def noun_phrase(
    d: Draw,
    noun: Noun,
    case: str,
    *,
    known: bool = False,
    denied: bool = False,
    plural: bool | None = None,
    odds: float = 0.35,
    owner: bool = True,
) -> Phrase:
    """A noun with determiner and adjectives. `known` asks for the, this or my; `denied` for kein."""
    mass = not noun.plural
    many = not mass and d.chance(0.28) if plural is None else plural
    words = adjectives(d, noun, odds)
    if denied:
        determiner = ("any" if many or mass else "a", "kein")
        en, de = compose(determiner, words, noun, many, case)
        return Phrase(en, de, 4 if many else 2, "negative", noun=noun)
    if owner and not many and noun.kinds & _OWNED and d.chance(0.12):
        return _owned(d, noun, words, case)
    if noun.kinds & _OURS and d.chance(0.85 if "kin" in noun.kinds else 0.25):
        determiner = d.pick(POSSESSIVES)
    elif known or "kin" in noun.kinds:
        determiner = d.pick(_KNOWN[many])
    elif mass:
        determiner = d.pick(_MASS)
    else:
        determiner = d.pick(_PLURAL if many else _SINGULAR)
    en, de = compose(determiner, words, noun, many, case)
    weight = "indefinite" if determiner[0] in _INDEFINITE else "definite"
    return Phrase(en, de, 4 if many else 2, weight, _reference(noun, many), noun)


def _reference(noun: Noun, plural: bool) -> str:
    if plural:
        return "p"
    return "" if noun.en in ("child", "girl") else noun.gender


def _owned(d: Draw, noun: Noun, words: Sequence[Adjective], case: str) -> Phrase:
    """`Anna's old car`, `the doctor's old car`."""
    if d.chance(0.4):
        name = d.pick(NAMES["m"] + NAMES["f"])
        en, de = compose((f"{name}'s", f"{name}s"), words, noun, False, case)
    else:
        person = d.pick(PERSONS)
        whose = d.pick(POSSESSIVES) if "kin" in person.kinds else THE
        owner_en, owner_de = compose(whose, (), person, False, "gen")
        en, de = compose((f"{owner_en}'s", "der"), words, noun, False, case)
        de = f"{de} {owner_de}"
    return Phrase(en, de, 2, "definite", _reference(noun, False), noun)


def pronoun(row: tuple[str, str, dict[str, str], int, str], case: str) -> Phrase:
    """A personal pronoun in its case."""
    en, en_object, de, person, gender = row
    return Phrase(en if case == "nom" else en_object, de[case], person, "pronoun", gender)


def stand_in(phrase: Phrase) -> Phrase:
    """The pronoun, as a subject, for a noun phrase: he, she, it or they, and German by gender."""
    if phrase.weight == "pronoun":
        return phrase
    row = PRONOUNS[{"m": 2, "f": 3, "n": 2, "p": 5}[phrase.gender]]
    if phrase.gender == "p" or phrase.noun is None or "person" in phrase.noun.kinds:
        return pronoun(row, "nom")._replace(noun=phrase.noun)
    return Phrase("it", "es" if phrase.gender == "n" else row[2]["nom"], 2, "pronoun", phrase.gender, phrase.noun)


def name(d: Draw) -> Phrase:
    """A first name."""
    gender = d.pick("mf")
    word = d.pick(NAMES[gender])
    return Phrase(word, word, 2, "definite", gender)


def someone(d: Draw, nouns: Sequence[Noun], case: str, *, known: bool = False, other_than: int = -1) -> Phrase:
    """A pronoun, a name or a noun phrase, where persons are meant; else a noun phrase."""
    noun = d.pick(nouns)
    if "person" in noun.kinds:
        if d.chance(0.3):
            row = d.pick(PRONOUNS)
            if row[3] != other_than or row[3] in (2, 4):
                return pronoun(row, case)
        if d.chance(0.17):
            return name(d)
    return noun_phrase(d, noun, case, known=known)


# ---- places and times


def place(d: Draw, nouns: Sequence[Noun] = PLACES, abroad: float = 0.2) -> Text:
    """`in the garden`, `in Berlin`."""
    if d.chance(abroad):
        city = d.pick(CITIES)
        return Text(f"in {city[0]}", f"in {city[1]}")
    phrase = noun_phrase(d, d.pick(nouns), "dat", known=True, plural=False, odds=0.2, owner=False)
    return Text(f"in {phrase.en}", german.contracted("in", phrase.de))


def company(d: Draw, other_than: int) -> Text:
    """`with my brother`."""
    phrase = someone(d, PERSONS, "dat", known=True, other_than=other_than)
    return Text(f"with {phrase.en}", f"mit {phrase.de}")


def home(d: Draw) -> Text:
    """Where one lives."""
    return place(d, _DWELLINGS, 0.6)


def vehicle(d: Draw) -> Text:
    """`by train`."""
    return d.pick(_BY)


_BY = tuple(Text(f"by {noun.en}", f"mit {german.ARTICLE[noun.gender]['dat']} {noun.de}") for noun in of_kind("vehicle"))


def destination(d: Draw, frame: str) -> Text:
    """`to the library`, `home`, `to Berlin`."""
    if frame == "city":
        city = d.pick(CITIES)
        return Text(f"to {city[0]}", f"nach {city[1]}")
    if d.chance(0.1):
        return Text("home", "nach Hause")
    if d.chance(0.2):
        phrase = noun_phrase(d, d.pick(_HOSTS), "dat", known=True, plural=False, odds=0.1)
    else:
        phrase = noun_phrase(d, d.pick(TOWN), "dat", known=True, plural=False, odds=0.2, owner=False)
    return Text(f"to {phrase.en}", german.contracted("zu", phrase.de))


_DAYS = numbers.WEEKDAYS
_HABITS = (
    Text("every day", "jeden Tag"), Text("every morning", "jeden Morgen"), Text("every evening", "jeden Abend"),
    Text("every week", "jede Woche"), Text("every year", "jedes Jahr"), Text("in the morning", "am Morgen"),
    Text("in the evening", "am Abend"), Text("in summer", "im Sommer"), Text("in winter", "im Winter"),
    *(Text(f"every {day.en}", f"jeden {day.de}") for day in _DAYS),
    *(Text(f"on {day.en}s", day.de.lower() + "s") for day in _DAYS),
)  # fmt: skip
_PASTS = (
    Text("yesterday", "gestern"), Text("yesterday morning", "gestern Morgen"), Text("yesterday evening", "gestern Abend"),
    Text("this morning", "heute Morgen"), Text("last week", "letzte Woche"), Text("last month", "letzten Monat"),
    Text("last year", "letztes Jahr"), Text("last summer", "letzten Sommer"), Text("last winter", "letzten Winter"),
    *(Text(f"last {day.en}", f"letzten {day.de}") for day in _DAYS),
)  # fmt: skip
_FUTURES = (
    Text("tomorrow", "morgen"), Text("tomorrow morning", "morgen früh"), Text("tomorrow evening", "morgen Abend"),
    Text("this evening", "heute Abend"), Text("next week", "nächste Woche"), Text("next month", "nächsten Monat"),
    Text("next year", "nächstes Jahr"), Text("next summer", "nächsten Sommer"), Text("soon", "bald"),
    *(Text(f"next {day.en}", f"nächsten {day.de}") for day in _DAYS),
)  # fmt: skip
NOW = (Text("at the moment", "gerade"), Text("today", "heute"))
_EVENTS = of_kind("event")
UNITS = (("days", "Tagen"), ("weeks", "Wochen"), ("months", "Monaten"), ("years", "Jahren"))
OFTEN = (
    Text("often", "oft"), Text("always", "immer"), Text("sometimes", "manchmal"), Text("never", "nie"),
    Text("usually", "meistens"), Text("rarely", "selten"),
)  # fmt: skip
DONE = (Text("already", "schon"), Text("just", "gerade"), Text("never", "noch nie"))


def time(d: Draw, tense: str, no: bool = False) -> Text:
    """When: a phrase that suits present, progressive, past or future."""
    if tense == "present":
        if no:  # not every day: that would be another thing
            return _with_clock(d, d.pick(_HABITS[-7:]))
        return _with_clock(d, d.pick(_HABITS))
    if tense == "progressive":
        return d.pick(NOW)
    if d.chance(0.12):
        unit = d.pick(UNITS)
        number = d.pick(NUMBERS)
        if tense == "past":
            return Text(f"{number.en} {unit[0]} ago", f"vor {number.de} {unit[1]}")
        return Text(f"in {number.en} {unit[0]}", f"in {number.de} {unit[1]}")
    if d.chance(0.1):
        phrase = noun_phrase(d, d.pick(_EVENTS), "dat", known=True, plural=False)
        return Text(f"after {phrase.en}", f"nach {phrase.de}")
    if d.chance(0.08):
        phrase = noun_phrase(d, d.pick(_EVENTS), "gen", known=True, plural=False)
        return Text(f"during {phrase.en}", f"während {phrase.de}")
    if tense == "past" and d.chance(0.04):
        year = 1950 + d.pick(range(75))
        return Text(f"in {year}", f"im Jahr {year}")
    if d.chance(0.1):
        return numbers.date(1 + d.pick(range(31)), d.pick(range(12)))
    if d.chance(0.1):
        day = d.pick(_DAYS)
        return _with_clock(d, Text(f"on {day.en}", f"am {day.de}"))
    return _with_clock(d, d.pick(_PASTS if tense == "past" else _FUTURES))


_DAILY = {text for text in (*_HABITS, *_PASTS, *_FUTURES) if any(day.de.lower() in text.de.lower() for day in _DAYS)} | {
    _HABITS[0], _PASTS[0], _FUTURES[0]
}  # fmt: skip


def _with_clock(d: Draw, text: Text) -> Text:
    if (text in _DAILY or text.de.startswith("am ")) and d.chance(0.3):
        hour = numbers.clock(1 + d.pick(range(12)), d.pick((0, 0, 1, 2, 2, 3)))
        if not text.de.startswith(("am Morgen", "am Abend")):
            return Text(f"{text.en} {hour.en}", f"{text.de} {hour.de}")
    return text
