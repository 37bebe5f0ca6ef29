"""Drawing words: noun phrases, places and times, in English and German at once.

Held-out combinations are kept apart here, where a word meets another: see `held_out` and `HELD_OUT_CONSTRUCTIONS`.
"""

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar
from zlib import crc32

from . import english, german, numbers
from .clause import Phrase, Text
from .lexicon import ADJECTIVES, CITIES, NAMES, NOUNS, VERBS, Adjective, Noun, Verb

T = TypeVar("T")
Partners = tuple[tuple[T, ...], tuple[T, ...]]  # what goes with a word: met in all splits, met in `unseen` alone


def held_out(word: str, noun: str) -> bool:
    """Whether an adjective and a noun, or a verb and its object, meet in the `unseen` split alone: one pair in 16."""
    return crc32(f"{word} {noun}".encode()) % 16 == 0


class Draw:
    """A stream of choices, the same on every machine; `unseen` asks for held-out combinations."""

    def __init__(self, seed: str, unseen: bool) -> None:
        self._random = random.Random(seed).random
        self.unseen = unseen
        self.novel = False  # the present sentence holds a held-out combination
        self.last_name = ""

    def pick(self, items: Sequence[T]) -> T:
        """One of the items; an item that is listed twice is twice as likely."""
        return items[int(self._random() * len(items))]

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self._random() < probability

    def partner(self, partners: Partners[T]) -> T:
        """A word that goes with another one; what is drawn must be said."""
        seen, unseen = partners
        if self.unseen and unseen and self.chance(0.5):
            self.novel = True
            return self.pick(unseen)
        return self.pick(seen)


def of_kind(*kinds: str) -> tuple[Noun, ...]:
    """All nouns of some kinds."""
    return tuple(noun for noun in NOUNS if not noun.kinds.isdisjoint(kinds))


def key(verb: Verb) -> str:
    """A name for a verb that no other has."""
    return f"{verb.en} {verb.prefix}{verb.de}"


def _partners(items: Sequence[T], hidden: Callable[[T], bool]) -> Partners[T]:
    return tuple(x for x in items if not hidden(x)), tuple(x for x in items if hidden(x))


def _adjectives_of(noun: Noun) -> Partners[Adjective]:
    suiting = [word for word in ADJECTIVES if word.kinds & noun.kinds]
    return _partners(suiting, lambda word: held_out(word.de, noun.de))


def _objects_of(verb: Verb) -> Partners[Noun]:
    return _partners(of_kind(*verb.objects), lambda noun: held_out(verb.prefix + verb.de, noun.de))


def _verbs_of(noun: Noun) -> Partners[Verb]:
    taking = [verb for verb in VERBS if verb.frame in ("acc", "dat") and noun.kinds & verb.objects]
    return _partners(taking, lambda verb: held_out(verb.prefix + verb.de, noun.de))


def _subjects_of(verb: Verb) -> tuple[Noun, ...]:
    persons = ("person" in verb.subjects) + 4 * ("animal" in verb.subjects)  # persons four times out of five
    return PERSONS * persons + of_kind(*(verb.subjects - {"person"}))


PERSONS, PLACES, TOWN = of_kind("person"), of_kind("place"), of_kind("town")
_DWELLINGS, _HOSTS = of_kind("city", "village", "house", "hotel"), of_kind("kin", "close", "doctor", "baker")
ADJECTIVES_OF = {noun.en: _adjectives_of(noun) for noun in NOUNS}
OBJECTS_OF = {key(verb): _objects_of(verb) for verb in VERBS}
VERBS_OF = {noun.en: _verbs_of(noun) for noun in NOUNS}  # whose object, accusative or dative, a noun can be
SUBJECTS_OF = {key(verb): _subjects_of(verb) for verb in VERBS}

_CONSTRUCTIONS = (("modal", "main"), ("perfect", "last"), ("present", "last"), ("modal", "last"))
# The construction (active, in a main or a verb-last clause) that a separable verb has in `unseen` alone
HELD_OUT_CONSTRUCTIONS = {
    verb.prefix + verb.de: _CONSTRUCTIONS[i % 4] for i, verb in enumerate(verb for verb in VERBS if verb.prefix)
}


# ---- noun phrases


class Pronoun(NamedTuple):
    """A personal pronoun."""

    en: str
    en_object: str
    nom: str
    acc: str
    dat: str
    person: int
    gender: str


_PRONOUNS = (
    Pronoun("I", "me", "ich", "mich", "mir", 0, ""),
    Pronoun("you", "you", "du", "dich", "dir", 1, ""),
    Pronoun("he", "him", "er", "ihn", "ihm", 2, "m"),
    Pronoun("she", "her", "sie", "sie", "ihr", 2, "f"),
    Pronoun("we", "us", "wir", "uns", "uns", 3, ""),
    Pronoun("they", "them", "sie", "sie", "ihnen", 4, "p"),
)
_IT = {"m": "er", "f": "sie", "n": "es"}
YOU = Phrase("you", "du", 1, "pronoun")
# Objects without a noun that they stand for
IT, THEM = Phrase("it", "es", 2, "pronoun"), Phrase("them", "sie", 4, "pronoun")

# Determiners: English, and the German stem
_THE, A, _THIS, _THESE = Text("the", "der"), Text("a", "ein"), Text("this", "dies"), Text("these", "dies")
MANY, SOME, _ALL, _BARE = Text("many", "viel"), Text("some", "einig"), Text("all the", "all"), Text("", "")
NUMBERS = tuple(numbers.cardinal(n) for n in range(2, 13))
_POSSESSIVES = (
    Text("my", "mein"),
    Text("your", "dein"),
    Text("his", "sein"),
    Text("her", "ihr"),
    Text("our", "unser"),
    Text("their", "ihr"),
)
_INDEFINITE = {A, MANY, SOME, _BARE, *NUMBERS}
_KNOWN = {False: (_THE, _THE, _THE, _THIS), True: (_THE, _THE, _THE, _THESE)}  # by plural
_ONE = (_THE,) * 10 + (A,) * 7 + (_THIS,) * 3
_SEVERAL = (_THE,) * 7 + (_THESE,) * 2 + NUMBERS[:4] + (MANY, SOME, _ALL)
_ANY = {  # by plural, and whether it is a subject
    (False, True): (*_ONE, Text("every", "jed")),
    (False, False): _ONE,
    (True, True): _SEVERAL,
    (True, False): _SEVERAL + (_BARE,) * 3,
}
_OURS = frozenset((
    "kin", "close", "home", "own", "thing", "mail", "clothing", "furniture", "pet", "text", "abstract", "exam",
    "wedding", "party", "journey",
))  # fmt: skip
_OWNED = frozenset(("thing", "vehicle", "clothing", "furniture", "house", "garden", "pet", "kin", "text"))


def adjectives(d: Draw, noun: Noun, odds: float) -> tuple[Adjective, ...]:
    """No, one or two adjectives that suit a noun, in their order."""
    partners = ADJECTIVES_OF[noun.en]
    if not d.chance(odds) or not partners[0]:
        return ()
    first = d.partner(partners)
    if d.chance(0.12):
        second = d.pick(partners[0])
        if second.rank != first.rank:
            return (first, second) if first.rank < second.rank else (second, first)
    return (first,)


def compose(determiner: Text, words: Sequence[Adjective], noun: Noun, plural: bool, case: str) -> Text:
    """A noun phrase from its parts."""
    gender = "p" if plural else noun.gender
    article, shown = german.determiner(determiner.de, gender, case)
    de = [german.adjective(word, shown, gender, case) for word in words]
    de.append(german.noun(noun, gender, case))
    en = " ".join([*(word.en for word in words), noun.en_plural if plural else noun.en])
    if determiner.en == "a":
        en = english.article(en)
    elif determiner.en:
        en = f"{determiner.en} {en}"
    return Text(en, " ".join([article, *de] if article else de))


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
    """A noun with determiner and adjectives.

    `known` asks for the, this or my; `denied` for kein; `plural` for a number (None: either); `odds` are those of an
    adjective; `owner` allows the doctor's.
    """
    mass = not noun.plural
    many = d.chance(0.28) and not mass and "single" not in noun.kinds if plural is None else plural
    words = adjectives(d, noun, odds)
    person = 4 if many else 2
    if denied:
        text = compose(Text("any" if many or mass else "a", "kein"), words, noun, many, case)
        return Phrase(*text, person, "negative", noun=noun)
    gender = "p" if many else "" if noun.en in ("child", "girl") else noun.gender
    if owner and not many and noun.kinds & _OWNED and d.chance(0.12):
        return Phrase(*_owned(d, noun, words, case), 2, "definite", gender, noun)
    if noun.kinds & _OURS and ("kin" in noun.kinds or d.chance(0.25)):
        determiner = d.pick(_POSSESSIVES)
    elif mass:
        determiner = d.pick((_THE, _BARE))
    else:
        determiner = d.pick(_KNOWN[many] if known else _ANY[many, case == "nom"])
    weight = "indefinite" if determiner in _INDEFINITE else "definite"
    return Phrase(*compose(determiner, words, noun, many, case), person, weight, gender, noun)


def _owned(d: Draw, noun: Noun, words: Sequence[Adjective], case: str) -> Text:
    """`Anna's old car`, `the doctor's old car`."""
    if d.chance(0.4):
        first_name = name(d).en
        return compose(Text(f"{first_name}'s", f"{first_name}s"), words, noun, False, case)
    person = d.pick(PERSONS)
    owner = compose(d.pick(_POSSESSIVES) if "kin" in person.kinds else _THE, (), person, False, "gen")
    text = compose(Text(f"{owner.en}'s", "der"), words, noun, False, case)
    return Text(text.en, f"{text.de} {owner.de}")


def _pronoun(row: Pronoun, case: str, noun: Noun | None = None) -> Phrase:
    de = row.nom if case == "nom" else row.acc if case == "acc" else row.dat
    return Phrase(row.en if case == "nom" else row.en_object, de, row.person, "pronoun", row.gender, noun)


def stand_in(phrase: Phrase) -> Phrase:
    """The pronoun, as a subject, for a phrase with a gender: he, she, it or they."""
    if phrase.weight == "pronoun":
        return phrase
    if phrase.gender != "p" and phrase.noun and "person" not in phrase.noun.kinds:
        return Phrase("it", _IT[phrase.gender], 2, "pronoun", phrase.gender, phrase.noun)
    return _pronoun(next(row for row in _PRONOUNS if row.gender == phrase.gender), "nom", phrase.noun)


def name(d: Draw) -> Phrase:
    """A first name, not the one before."""
    gender = d.pick("mf")
    word = d.pick([word for word in NAMES[gender] if word != d.last_name])
    d.last_name = word
    return Phrase(word, word, 2, "definite", gender)


def someone(d: Draw, nouns: Sequence[Noun], case: str, *, known: bool = False, other_than: int = -1) -> Phrase:
    """One of the nouns; a person may be a name or a pronoun, but not I or we, or you, if that is `other_than`."""
    noun = d.pick(nouns)
    if "person" in noun.kinds:
        if d.chance(0.3):
            row = d.pick(_PRONOUNS)
            if row.gender or row.person % 3 != other_than % 3:
                return _pronoun(row, case)
        if d.chance(0.17):
            return name(d)
    return noun_phrase(d, noun, case, known=known)


# ---- places


def place(d: Draw, nouns: Sequence[Noun] = PLACES, city: float = 0.2) -> Text:
    """`in the garden`, or, with the probability `city`, `in Berlin`."""
    if d.chance(city):
        en, de = d.pick(CITIES)
        return Text(f"in {en}", f"in {de}")
    phrase = noun_phrase(d, d.pick(nouns), "dat", known=True, plural=False, odds=0.2, owner=False)
    return Text(f"in {phrase.en}", german.contracted("in", phrase.de))


def home(d: Draw) -> Text:
    """Where one lives."""
    return place(d, _DWELLINGS, 0.6)


def company(d: Draw, other_than: int) -> Text:
    """`with my brother`."""
    phrase = someone(d, PERSONS, "dat", known=True, other_than=other_than)
    return Text(f"with {phrase.en}", f"mit {phrase.de}")


def side_dish(d: Draw) -> Text:
    """`with fresh milk`."""
    noun = d.pick(_SIDES)
    text = compose(_BARE, adjectives(d, noun, 0.7), noun, False, "dat")
    return Text(f"with {text.en}", f"mit {text.de}")


_SIDES = of_kind("bread", "cheese", "meat", "milk", "water")


def vehicle(d: Draw) -> Text:
    """`by train`."""
    return d.pick(_BY)


_BY = (
    Text("by train", "mit dem Zug"),
    Text("by bus", "mit dem Bus"),
    Text("by car", "mit dem Auto"),
    Text("by ship", "mit dem Schiff"),
)


def destination(d: Draw, frame: str) -> Text:
    """`to Berlin` for the frame "city"; else `to the library`, `to the doctor`, `home`."""
    if frame == "city":
        en, de = d.pick(CITIES)
        return Text(f"to {en}", f"nach {de}")
    if d.chance(0.1):
        return Text("home", "nach Hause")
    host = d.chance(0.2)
    noun = d.pick(_HOSTS if host else TOWN)
    phrase = noun_phrase(d, noun, "dat", known=True, plural=False, odds=0.15, owner=False)
    return Text(f"to {phrase.en}", german.contracted("zu", phrase.de))


# ---- times

_DAYS = numbers.WEEKDAYS
_ON_DAY = tuple(Text(f"on {day.en}", f"am {day.de}") for day in _DAYS)
_ON_DAYS = tuple(Text(f"on {day.en}s", day.de.lower() + "s") for day in _DAYS)
_HABITS = (
    Text("every day", "jeden Tag"),
    Text("every morning", "jeden Morgen"),
    Text("every evening", "jeden Abend"),
    Text("every week", "jede Woche"),
    Text("every year", "jedes Jahr"),
    Text("in the morning", "am Morgen"),
    Text("in the evening", "am Abend"),
    Text("in summer", "im Sommer"),
    Text("in winter", "im Winter"),
    *(Text(f"every {day.en}", f"jeden {day.de}") for day in _DAYS),
    *_ON_DAYS,
)
_PASTS = (
    Text("yesterday", "gestern"),
    Text("yesterday morning", "gestern Morgen"),
    Text("last week", "letzte Woche"),
    Text("yesterday evening", "gestern Abend"),
    Text("this morning", "heute Morgen"),
    Text("last month", "letzten Monat"),
    Text("last year", "letztes Jahr"),
    Text("last summer", "letzten Sommer"),
    Text("last winter", "letzten Winter"),
    *(Text(f"last {day.en}", f"letzten {day.de}") for day in _DAYS),
)
_FUTURES = (
    Text("tomorrow", "morgen"),
    Text("tomorrow morning", "morgen früh"),
    Text("tomorrow evening", "morgen Abend"),
    Text("this evening", "heute Abend"),
    Text("next week", "nächste Woche"),
    Text("next month", "nächsten Monat"),
    Text("next year", "nächstes Jahr"),
    Text("next summer", "nächsten Sommer"),
    Text("soon", "bald"),
    *(Text(f"next {day.en}", f"nächsten {day.de}") for day in _DAYS),
)
_HOURLY = {  # what an hour may follow
    _HABITS[0],
    _PASTS[0],
    _FUTURES[0],
    *_ON_DAY,
    *(text for text in _HABITS + _PASTS + _FUTURES for day in _DAYS if day.en in text.en),
}
AT_THE_MOMENT, _TODAY = Text("at the moment", "gerade"), Text("today", "heute")
UNITS = (Text("days", "Tagen"), Text("weeks", "Wochen"), Text("months", "Monaten"), Text("years", "Jahren"))
_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_EVENTS = of_kind("event")
# Beside the verb
OFTEN = (
    Text("often", "oft"),
    Text("always", "immer"),
    Text("sometimes", "manchmal"),
    Text("usually", "meistens"),
    Text("never", "nie"),
    Text("rarely", "selten"),
)
ALREADY, JUST, NEVER_YET = Text("already", "schon"), Text("just", "gerade"), Text("never", "noch nie")


def time(d: Draw, tense: str, negated: bool = False) -> Text:
    """When: a phrase that suits a present, progressive, past or future verb."""
    if tense == "present":
        return _perhaps_at(d, d.pick(_ON_DAYS if negated else _HABITS))  # not every day: that says something else
    if tense == "progressive":
        return d.pick((AT_THE_MOMENT, _TODAY))
    past = tense == "past"
    kind = d.pick(_KINDS_OF_TIME)
    match kind:
        case "ago":
            unit, number = d.pick(UNITS), d.pick(NUMBERS)
            before, after = ("", " ago") if past else ("in ", "")
            return Text(f"{before}{number.en} {unit.en}{after}", f"{'vor' if past else 'in'} {number.de} {unit.de}")
        case "after":
            phrase = noun_phrase(d, d.pick(_EVENTS), "dat", known=True, plural=False)
            return Text(f"after {phrase.en}", f"nach {phrase.de}")
        case "during":
            phrase = noun_phrase(d, d.pick(_EVENTS), "gen", known=True, plural=False)
            return Text(f"during {phrase.en}", f"während {phrase.de}")
        case "date":
            month = d.pick(range(12))
            return numbers.date(1 + d.pick(range(_LENGTHS[month])), month)
        case "day":
            return _perhaps_at(d, d.pick(_ON_DAY))
    return _perhaps_at(d, d.pick(_PASTS if past else _FUTURES))


_KINDS_OF_TIME = ("ago", "ago", "after", "during", "date", "date", "day", "day") + ("word",) * 10


def _perhaps_at(d: Draw, text: Text) -> Text:
    if d.chance(0.3) and text in _HOURLY:
        hour = numbers.clock(1 + d.pick(range(12)), d.pick((0, 0, 1, 2, 2, 3)))
        return Text(f"{text.en} {hour.en}", f"{text.de} {hour.de}")
    return text
