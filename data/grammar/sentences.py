"""What is said: constructions that draw their words, decide tense, time and negation, and say it in both languages."""

from collections.abc import Callable, Sequence

from . import english, german, numbers
from .clause import Clause, Phrase, Text
from .lexicon import ADJECTIVES, MODALS, NOUNS, VERBS, Adjective, Verb
from .phrases import (
    ADJECTIVES_OF,
    ALREADY,
    AT_THE_MOMENT,
    HELD_OUT_CONSTRUCTIONS,
    IT,
    JUST,
    MANY,
    NEVER_YET,
    NUMBERS,
    OBJECTS_OF,
    OFTEN,
    PERSONS,
    SOME,
    SUBJECTS_OF,
    THEM,
    TOWN,
    UNITS,
    VERBS_OF,
    YOU,
    A,
    Draw,
    adjectives,
    company,
    compose,
    destination,
    home,
    key,
    name,
    noun_phrase,
    of_kind,
    place,
    side_dish,
    someone,
    stand_in,
    time,
    vehicle,
)

# ---- one clause

_BY_FRAME = {frame: [verb for verb in VERBS if verb.frame == frame] for frame in {verb.frame for verb in VERBS}}
_FRAMES = (
    *("acc",) * 11,
    *("none",) * 3,
    "goal",
    *("city",) * 2,
    *("place",) * 2,
    *("dat",) * 3,
    *("dat+acc",) * 3,
    *("prep",) * 3,
)
_TENSES = (
    *("present",) * 5,
    *("progressive",) * 2,
    *("past",) * 5,
    *("perfect",) * 2,
    *("future",) * 2,
    *("modal",) * 4,
)
_CAN, _MUST, _SHOULD = MODALS[0], MODALS[1], MODALS[4]


def _suits(verb: Verb, tense: str, habit: bool) -> bool:
    """Whether a verb is used in a tense."""
    if "stative" in verb.notes:
        return tense == "present"
    if tense == "progressive":
        return not verb.notes & {"simple", "sense"}
    if tense == "modal":
        return "simple" not in verb.notes
    return not (habit and tense == "present" and "once" in verb.notes)


def _construction(tense: str, last: bool) -> tuple[str, str]:
    return {"past": "perfect", "progressive": "present"}.get(tense, tense), "last" if last else "main"


_HIDDEN: dict[tuple[str, str], list[Verb]] = {
    construction: [verb for verb in VERBS if HELD_OUT_CONSTRUCTIONS.get(verb.prefix + verb.de) == construction]
    for construction in HELD_OUT_CONSTRUCTIONS.values()
}


def _allowed(d: Draw, verb: Verb, tense: str, last: bool) -> bool:
    """Whether the split may have a separable verb in a construction."""
    if not verb.prefix or HELD_OUT_CONSTRUCTIONS[verb.prefix + verb.de] != _construction(tense, last):
        return True
    if d.unseen:
        d.novel = True
    return d.unseen


def event(
    d: Draw,
    tense: str = "",
    *,
    last: bool = False,
    frames: Sequence[str] = _FRAMES,
    verbs: Sequence[Verb] = (),
    subject: Phrase | None = None,
    timed: bool = True,
    known: bool = False,
    negated: float = 0.1,
    gap: bool = False,
) -> Clause:
    """Something that someone does.

    It is drawn from `verbs`, or from all of some `frames`. `last`: it will be a subordinate clause. `timed`: it may say
    when. `known`: the subject is no news, and nothing is denied (as in a question). `gap`: leaves out the object.
    """
    tense = tense or d.pick(_TENSES)
    if d.unseen and frames is _FRAMES and not verbs and subject is None and d.chance(0.2):
        verbs = _HIDDEN.get(_construction(tense, last), ())
    while True:
        verb = d.pick(verbs or _BY_FRAME[d.pick(frames)])
        acts = subject is None or not verb.subjects.isdisjoint(subject.noun.kinds if subject.noun else ("person",))
        if acts and _suits(verb, tense, timed) and _allowed(d, verb, tense, last):
            break
    no = not known and d.chance(negated) and tense in ("present", "past", "future", "modal")
    if subject is None:
        subject = someone(d, SUBJECTS_OF[key(verb)], "nom", known=no or known)
    modal = None
    if tense == "modal":
        person = subject.noun is None or "person" in subject.noun.kinds
        modal = d.pick((_CAN,) if "sense" in verb.notes else MODALS if person else (_CAN, _MUST, _SHOULD))
        tense = "past" if modal.en_past and timed and d.chance(0.3) else "present"
        no = no and modal is not MODALS[5]
    clause = Clause(subject, verb, tense, modal, negated=no)
    if not gap:
        clause = _with_objects(d, clause)
    if not timed or "stative" in verb.notes:
        return clause._replace(adverb=d.pick((ALREADY, JUST))) if tense == "perfect" else clause
    return _with_time(d, clause, known)


def _partaker(d: Draw, verb: Verb, case: str, known: bool, other_than: int = -1) -> Phrase:
    """What a verb is done to."""
    noun = d.partner(OBJECTS_OF[key(verb)])
    if "person" in noun.kinds and noun not in OBJECTS_OF[key(verb)][1]:  # a held-out noun must be said
        return someone(d, (noun,), case, known=known, other_than=other_than)
    return noun_phrase(d, noun, case, known=known)


def _object(d: Draw, clause: Clause, case: str, known: bool) -> Phrase:
    verb = clause.verb
    assert verb
    if clause.negated and verb.frame in ("acc", "dat+acc") and "person" not in verb.objects and d.chance(0.5):
        return noun_phrase(d, d.partner(OBJECTS_OF[key(verb)]), case, denied=True)
    return _partaker(d, verb, case, known, clause.subject.person)


def _with_objects(d: Draw, clause: Clause) -> Clause:
    verb = clause.verb
    assert verb
    match verb.frame:
        case "acc":
            return clause._replace(accusative=_object(d, clause, "acc", clause.negated))
        case "dat":
            return clause._replace(dative=_object(d, clause, "dat", True))
        case "dat+acc":
            thing = d.pick((IT, THEM)) if d.chance(0.12) else _object(d, clause, "acc", clause.negated)
            person = someone(d, PERSONS, "dat", known=True, other_than=clause.subject.person)
            return clause._replace(accusative=thing, dative=person)
        case "prep":
            thing = _object(d, clause, verb.case, True)
            return clause._replace(goal=Text(thing.en, german.contracted(verb.preposition, thing.de)))
        case "city":
            way = vehicle(d) if verb.en == "travel" and not clause.negated and d.chance(0.4) else None
            return clause._replace(goal=destination(d, "city"), place=way)
        case "goal":
            return clause._replace(goal=destination(d, "goal"))
        case "place":
            return clause._replace(goal=home(d) if verb.en == "live" else place(d))
    return clause


def _moment(d: Draw, verb: Verb, tense: str, negated: bool = False) -> Text | None:
    text = time(d, tense, negated)
    return None if verb.en_particle == "on" and text.en.startswith("on ") else text  # not: was switched on on Monday


def _with_time(d: Draw, clause: Clause, asked: bool) -> Clause:
    tense, verb = clause.tense, clause.verb
    assert verb
    if tense == "perfect":
        return clause._replace(adverb=d.pick((ALREADY,) if asked else (ALREADY, JUST, NEVER_YET)))
    when = "future" if clause.modal and tense == "present" else tense
    if when == "present" and not clause.negated and d.chance(0.45):
        clause = clause._replace(adverb=d.pick(OFTEN[:4] if asked else OFTEN))
    elif when == "present" or d.chance(0.75):
        clause = clause._replace(time=_moment(d, verb, when, clause.negated))
    if clause.negated or clause.place:
        return clause
    if "for" in verb.notes and d.chance(0.2):
        person = someone(d, PERSONS, "acc", known=True, other_than=clause.subject.person)
        return clause._replace(place=Text(f"for {person.en}", f"für {person.de}"))
    if "dish" in verb.notes and d.chance(0.25):
        return clause._replace(goal=side_dish(d))
    if "somewhere" in verb.notes and d.chance(0.3):
        return clause._replace(place=company(d, clause.subject.person) if d.chance(0.4) else place(d))
    return clause


def _passive(d: Draw) -> Clause:
    """Something that is done, perhaps by someone."""
    tense = d.pick(("present", "past", "past", "past", "perfect", "modal", "modal", "future"))
    while True:
        verb = d.pick(_PASSIVE)
        if _suits(verb, tense, True):
            break
    no = tense in ("past", "future", "modal") and d.chance(0.12)
    subject = _partaker(d, verb, "nom", no)
    modal = None
    if tense == "modal":
        modal, tense = _CAN if "sense" in verb.notes else d.pick((_CAN, _MUST, _SHOULD)), "present"
    clause = Clause(subject, verb, tense, modal, passive=True, negated=no)
    if tense == "perfect":
        return clause._replace(adverb=ALREADY)
    if not no and d.chance(0.35):
        agent = someone(d, PERSONS, "dat", known=True, other_than=subject.person)
        clause = clause._replace(place=Text(f"by {agent.en}", german.contracted("von", agent.de)))
    when = "future" if modal else tense
    return clause._replace(time=_moment(d, verb, when)) if when == "present" or d.chance(0.7) else clause


_PASSIVE = [verb for verb in _BY_FRAME["acc"] if not verb.notes & {"active", "stative"} and verb.en_particle != "for"]


def copular(d: Draw, subject: Phrase, past: bool, passing: bool = False) -> Clause:
    """Someone or something is old (and is not called so already). `passing`: with what one is for a time only."""
    assert subject.noun
    seen, unseen = ADJECTIVES_OF[subject.noun.en]
    if passing:
        seen, unseen = tuple(filter(_is_passing, seen)), tuple(filter(_is_passing, unseen))
    word = d.partner((seen, unseen))
    while word.en in subject.en.split():
        word = d.pick(seen)
    return Clause(subject, None, "past" if past else "present", goal=Text(word.en, word.de))


def _is_passing(word: Adjective) -> bool:
    return word.rank == 2 or word.en == "young"


def any_clause(d: Draw) -> Clause:
    """A clause for the end of another."""
    if d.chance(0.15):
        return _passive(d)
    if d.chance(0.15):
        return copular(d, noun_phrase(d, d.pick(_DESCRIBED), "nom", known=True, odds=0.1), d.chance(0.3))
    return event(d, last=True)


_DESCRIBED = [noun for noun in NOUNS if len(ADJECTIVES_OF[noun.en][0]) > 3]


# ---- one sentence


def _say(clause: Clause, verb: str = "second", *, inverted: bool = False) -> Text:
    return Text(english.order(clause, inverted), german.order(clause, verb))


def _fronted(d: Draw, clause: Clause) -> Text:
    """Nearly half of the time, what says when comes first."""
    if clause.time and clause.time is not AT_THE_MOMENT and d.chance(0.45):
        clause = clause._replace(opening=clause.time, time=None)
    return _say(clause)


def statement(d: Draw) -> Text:
    """One main clause."""
    return _fronted(d, event(d))


def passive(d: Draw) -> Text:
    """One main clause in the passive."""
    return _fronted(d, _passive(d))


def question(d: Draw) -> Text:
    """A question to be answered by yes or no."""
    return _say(event(d, known=True), "first", inverted=True)


def wh_question(d: Draw) -> Text:
    """A question for who, what, which, how many, where, when or why."""
    clause, inverted = _asking(d, False)
    return _say(clause, inverted=inverted)


def _asking(d: Draw, last: bool) -> tuple[Clause, bool]:
    """A clause that opens with what it asks for, and whether English inverts it (unless that is the subject)."""
    asked = d.pick(("who", "who", "whom", "whom", "what", "what", "which", "which", "many", "where", "when", "why"))
    match asked:
        case "who":
            return event(d, frames=_OBJECTED, subject=Phrase("who", "wer", 2, "pronoun"), last=last, known=True), False
        case "whom":
            clause = event(d, verbs=_TAKING_PERSONS, last=last, known=True, gap=True)
            assert clause.verb
            return clause._replace(opening=Text("who", "wem" if clause.verb.frame == "dat" else "wen")), True
        case "what":
            clause = event(d, verbs=_TAKING_THINGS, last=last, known=True, gap=True)
            return clause._replace(opening=Text("what", "was")), True
        case "where":
            clause = event(d, frames=("goal", "city", "place"), last=last, known=True, gap=True)
            assert clause.verb
            return clause._replace(opening=Text("where", "wo" if clause.verb.frame == "place" else "wohin")), True
        case "when":
            clause = event(d, d.pick(("past", "past", "future", "modal")), last=last, known=True, timed=False)
            return clause._replace(opening=Text("when", "wann")), True
        case "why":
            return event(d, last=last, known=True)._replace(opening=Text("why", "warum")), True
    clause = event(d, verbs=_TAKING_THINGS, last=last, known=True, gap=True)
    assert clause.verb
    noun = d.partner(OBJECTS_OF[key(clause.verb)])
    many = bool(noun.plural) and (asked == "many" or d.chance(0.3))
    determiner = Text("how many", "wie viele") if many and asked == "many" else Text("which", "welch")
    return clause._replace(opening=compose(determiner, adjectives(d, noun, 0.3), noun, many, "acc")), True


_OBJECTED = ("acc",) * 6 + ("dat", "dat+acc", "prep")
_TAKING_PERSONS = [verb for frame in ("acc", "dat") for verb in _BY_FRAME[frame] if "person" in verb.objects]
_TAKING_THINGS = [verb for verb in _BY_FRAME["acc"] if not verb.objects & {"person", "animal", "pet"}]


def reported(d: Draw) -> Text:
    """That or whether something is so, or who, where and why: the verb goes last."""
    subject = someone(d, PERSONS, "nom", known=True)
    unknown = d.chance(0.4)
    matrix = Clause(subject, _KNOW if unknown else d.pick(_SAYING), "present", negated=unknown)
    if unknown and d.chance(0.4):
        clause, _ = _asking(d, True)
        inner = Text(english.order(clause), german.order(clause, "last"))
    else:
        clause = event(d, last=True, known=True) if unknown else any_clause(d)
        inner = _linked(Text("whether", "ob") if unknown else Text("that", "dass"), clause)
    return _joined(_say(matrix), inner)


def _linked(link: Text, clause: Clause) -> Text:
    return Text(f"{link.en} {english.order(clause)}", f"{link.de} {german.order(clause, 'last')}")


def _joined(main: Text, inner: Text) -> Text:
    return Text(f"{main.en} {inner.en}", f"{main.de}, {inner.de}")


def _plain(en: str, past: str, de: str, third: str, participle: str) -> Verb:
    """A verb that belongs to a construction."""
    none: frozenset[str] = frozenset()
    return Verb(en, past, past, "", de, "", third, participle, "haben", "", none, none, "", "", none)


_KNOW = _plain("know", "knew", "wissen", "weiß", "gewusst")
_SAYING = (
    _plain("say", "said", "sagen", "sagt", "gesagt"),
    _plain("believe", "believed", "glauben", "glaubt", "geglaubt"),
    _plain("hope", "hoped", "hoffen", "hofft", "gehofft"),
    _KNOW,
)
_BECAUSE, _ALTHOUGH = Text("because", "weil"), Text("although", "obwohl")
_BEFORE, _AFTER = Text("before", "bevor"), Text("after", "nachdem")
_IF, _ONCE = Text("if", "wenn"), Text("when", "als")


def complex_sentence(d: Draw) -> Text:
    """A main clause and a subordinate one (cause, time, condition), in either order."""
    link = d.pick((_BECAUSE,) * 4 + (_ALTHOUGH,) * 2 + (_BEFORE, _AFTER, _ONCE, _ONCE, _IF, _IF))
    reason = link in (_BECAUSE, _ALTHOUGH)
    past = d.chance(0.6) if reason else link is not _IF
    tense = "past" if past else d.pick(("progressive", "future")) if reason else d.pick(("future", "future", "modal"))
    main = event(d, tense, timed=False)
    subject = main.subject
    same = stand_in(subject) if subject.gender or subject.weight == "pronoun" else None
    a_while = link is _ONCE and same and same.noun and "person" in same.noun.kinds
    if same and same.noun and (reason or a_while) and d.chance(0.6):
        clause = copular(d, subject, past, passing=not reason)._replace(subject=same)
    else:
        inner = "pluperfect" if link is _AFTER else "past" if past else "present" if link is _IF else "progressive"
        shared = same if same and (not same.noun or "person" in same.noun.kinds) and d.chance(0.4) else None
        clause = event(d, inner, last=True, timed=False, subject=shared, negated=0.1 if reason else 0)
    first = d.chance(0.5)
    if first and clause.subject is same and same is not subject and same:
        clause, main = clause._replace(subject=subject), main._replace(subject=same)  # the noun before its pronoun
    dependent = _linked(link, clause)
    if not first:
        return _joined(_say(main), dependent)
    return Text(f"{dependent.en}, {english.order(main)}", f"{dependent.de}, {german.order(main, 'first')}")


def relative_sentence(d: Draw) -> Text:
    """A relative clause on the subject or on the object."""
    clause = event(d, frames=("acc", "acc", "dat"), timed=False, negated=0.05)
    thing = clause.accusative or clause.dative
    assert thing
    if d.chance(0.5) and _open(clause.subject):
        subject = clause.subject
        tail = relative(d, subject)
        subject = subject._replace(en=f"{subject.en} {tail.en}", de=f"{subject.de}, {tail.de},")
        return _say(clause._replace(subject=subject))
    if not _open(thing):
        return _say(clause)
    tail = relative(d, thing)
    thing = thing._replace(after=Text(f" {tail.en}", f", {tail.de}"))
    return _say(clause._replace(accusative=thing) if clause.accusative else clause._replace(dative=thing))


def _open(phrase: Phrase) -> bool:
    """Whether a relative clause may tell which one is meant."""
    return phrase.noun is not None and phrase.weight in ("definite", "indefinite") and "kin" not in phrase.noun.kinds


def relative(d: Draw, phrase: Phrase) -> Text:
    """`who lives in Berlin`, `that the woman bought`, `whom the boy helped`, `that is old`."""
    noun, many = phrase.noun, phrase.person == 4
    assert noun
    pronouns = german.RELATIVE["p" if many else noun.gender]
    human = "person" in noun.kinds
    subject = Phrase("who" if human else "that", pronouns["nom"], 4 if many else 2, "pronoun")
    if human and d.chance(0.5):
        clause = event(d, subject=subject, last=True, negated=0.05)
        return Text(english.order(clause), german.order(clause, "last"))
    if not human and (d.chance(0.3) or not VERBS_OF[noun.en][0]):
        clause = copular(d, subject._replace(noun=noun), d.chance(0.5))
        return Text(english.order(clause), german.order(clause, "last"))
    verb = d.partner(VERBS_OF[noun.en])
    assert verb
    tense = d.pick([t for t in ("past", "past", "perfect", "future") if _suits(verb, t, False)] or ["present"])
    if not _allowed(d, verb, tense, True):
        tense = "future"
    agent = someone(d, SUBJECTS_OF[key(verb)], "nom", known=True)
    clause = Clause(agent, verb, tense, adverb=d.pick((ALREADY, JUST)) if tense == "perfect" else None)
    if tense == "past" and d.chance(0.4):
        clause = clause._replace(time=time(d, "past"))
    return _linked(Text("whom" if human else "that", pronouns[verb.frame]), clause)


_TRY = _plain("try", "tried", "versuchen", "versucht", "versucht")
_PROMISE = _plain("promise", "promised", "versprechen", "verspricht", "versprochen")
_DECIDE = _plain("decide", "decided", "beschließen", "beschließt", "beschlossen")
_WILLED = [
    verb
    for frame in ("acc", "dat", "dat+acc")
    for verb in _BY_FRAME[frame]
    if "person" in verb.subjects and not verb.notes & {"stative", "simple", "sense", "once"}
]


def infinitive_sentence(d: Draw) -> Text:
    """To do something: one tries, promises or decides to, or goes somewhere in order to."""
    subject = someone(d, PERSONS, "nom", known=True)
    clause = event(d, "future", verbs=_WILLED, subject=subject, timed=False, negated=0)
    aim = d.chance(0.5)
    if aim:
        verb = d.pick(_BY_FRAME["goal"] + _BY_FRAME["city"][:2])
        matrix = Clause(subject, verb, d.pick(("past", "past", "future", "progressive")))
        matrix = matrix._replace(goal=destination(d, verb.frame))
        if d.chance(0.5) and matrix.tense != "progressive":
            matrix = matrix._replace(opening=time(d, matrix.tense))
    else:
        verb = d.pick((_TRY, _TRY, _PROMISE, _DECIDE))
        tense = d.pick(("past", "past", "progressive" if verb is _TRY else "perfect"))
        matrix = Clause(subject, verb, tense, adverb=ALREADY if tense == "perfect" else None)
    inner = Text(english.infinitive_clause(clause), german.infinitive_clause(clause))
    return _joined(_say(matrix), inner._replace(de=f"um {inner.de}") if aim else inner)


def request(d: Draw) -> Text:
    """Please do, please do not."""
    clause = event(d, "future", verbs=_WILLED, subject=YOU, timed=False)
    assert clause.verb
    en = english.infinitive_clause(clause).removeprefix("to ")
    return Text(f"please {'do not ' if clause.negated else ''}{en}", german.request(clause))


def pair_of_clauses(d: Draw) -> Text:
    """Two main clauses about the same person: and, but."""
    subject = name(d) if d.chance(0.5) else someone(d, PERSONS, "nom", known=True)
    if not subject.gender and subject.weight != "pronoun":
        subject = name(d)
    tense = d.pick(("past", "past", "future", "progressive", "modal"))
    first = event(d, tense, subject=subject, timed=False, negated=0)
    contrast = d.chance(0.5)
    second = event(d, tense, subject=stand_in(subject), timed=False, negated=0.6 if contrast else 0)
    one, other = _say(first), _say(second)
    if contrast:
        return Text(f"{one.en}, but {other.en}", f"{one.de}, aber {other.de}")
    return Text(f"{one.en}, and {other.en}", f"{one.de} und {other.de}")


# ---- to be


def description(d: Draw) -> Text:
    """What someone or something is like, and compared with another."""
    noun = d.pick(_DESCRIBED)
    subject = noun_phrase(d, noun, "nom", known=True, odds=0.1)
    clause = copular(d, subject, d.chance(0.4))
    assert clause.goal
    word = next(word for word in ADJECTIVES if clause.goal.en == word.en)
    others = _ALIKE[word.en, noun.en]
    if others and word.comparative and d.chance(0.6):
        other = noun_phrase(d, d.pick(others), "nom", known=True, odds=0)
        goal = Text(f"as {word.en} as {other.en}", f"so {word.de} wie {other.de}")
        if d.chance(0.7):
            goal = Text(f"{word.en_comparative} than {other.en}", f"{word.comparative} als {other.de}")
        return _say(clause._replace(goal=goal))
    return _say(clause._replace(negated=True)) if d.chance(0.3) else _say(clause)


_BROAD = frozenset((
    "person", "animal", "food", "drink", "text", "vehicle", "clothing", "furniture", "thing", "place", "abstract",
    "event",
))  # fmt: skip
_ALIKE = {
    (word.en, noun.en): [
        other
        for other in NOUNS
        if other is not noun and word in ADJECTIVES_OF[other.en][0] and other.kinds & noun.kinds & _BROAD
    ]
    for noun in NOUNS
    for word in sum(ADJECTIVES_OF[noun.en], ())
}


def age(d: Draw) -> Text:
    """How old someone is."""
    subject = someone(d, PERSONS, "nom", known=True)
    young = subject.noun is not None and subject.noun.en in ("child", "girl", "boy")
    years = numbers.cardinal(2 + d.pick(range(16)) if young else 18 + d.pick(range(82)))
    return _say(Clause(subject, None, "present", goal=Text(f"{years.en} years old", f"{years.de} Jahre alt")))


def price(d: Draw) -> Text:
    """What something costs."""
    amount = numbers.cardinal(2 + d.pick(range(998)))
    subject = noun_phrase(d, d.pick(_PRICED), "nom", known=True, plural=False)
    return _say(Clause(subject, _COST, "present", goal=Text(f"{amount.en} euros", f"{amount.de} Euro")))


_COST = _plain("cost", "cost", "kosten", "kostet", "gekostet")
_PRICED = of_kind("vehicle", "clothing", "furniture", "device", "bag", "suitcase", "vase", "book", "picture")
_WHERE = (Text("on", "auf"), Text("on", "auf"), Text("under", "unter"), Text("next to", "neben"))
_SUPPORTS = of_kind("top")
_FLAT, _UPRIGHT = of_kind("flat"), of_kind("upright")


def position(d: Draw) -> Text:
    """Where something is: in German it lies or stands there, with the dative."""
    flat = d.chance(0.5)
    thing = noun_phrase(d, d.pick(_FLAT if flat else _UPRIGHT), "nom", known=True)
    clause = Clause(thing, _LIE if flat else _STAND, "present", goal=_beside(d, "dat"))
    return Text(english.order(clause._replace(verb=None)), german.order(clause, "second"))


def putting(d: Draw) -> Text:
    """Where something is put: in German it is laid or set there, with the accusative."""
    flat = d.chance(0.5)
    tense = d.pick(("past", "past", "progressive", "future", "modal"))
    modal = d.pick(MODALS) if tense == "modal" else None
    when = "future" if modal else tense
    clause = Clause(
        someone(d, PERSONS, "nom", known=True),
        _LAY if flat else _SET,
        "present" if modal else tense,
        modal,
        accusative=noun_phrase(d, d.pick(_FLAT if flat else _UPRIGHT), "acc"),
        goal=_beside(d, "acc"),
        time=time(d, when) if d.chance(0.6) else None,
    )
    return _fronted(d, clause)


def _beside(d: Draw, case: str) -> Text:
    where = d.pick(_WHERE)
    phrase = noun_phrase(d, d.pick(_SUPPORTS), case, known=True, plural=False, odds=0.3, owner=False)
    return Text(f"{where.en} {phrase.en}", f"{where.de} {phrase.de}")


_LIE, _STAND = _plain("", "", "liegen", "liegt", "gelegen"), _plain("", "", "stehen", "steht", "gestanden")
_LAY, _SET = _plain("put", "put", "legen", "legt", "gelegt"), _plain("put", "put", "stellen", "stellt", "gestellt")


def existence(d: Draw) -> Text:
    """There is: es gibt, with the accusative."""
    many = d.chance(0.5)
    noun = d.pick(TOWN)
    number = numbers.cardinal(2 + d.pick(range(98)))
    determiner = d.pick((MANY, SOME, number, number)) if many else A
    en, de = compose(determiner, adjectives(d, noun, 0.6), noun, many, "acc")
    where = place(d, _SETTLEMENTS, 0.4)
    past = d.chance(0.3)
    be = ("were" if many else "was") if past else ("are" if many else "is")
    gives = "gab" if past else "gibt"
    if d.chance(0.5):
        return Text(f"{where.en} there {be} {en}", f"{where.de} {gives} es {de}")
    return Text(f"there {be} {en} {where.en}", f"es {gives} {where.de} {de}")


_SETTLEMENTS = of_kind("city", "village")


def duration(d: Draw) -> Text:
    """For three years: English looks back, German stays in the present with seit."""
    number, unit = d.pick(NUMBERS), d.pick(UNITS)
    verb = d.pick(_LASTING)
    clause = Clause(
        someone(d, PERSONS, "nom", known=True),
        verb,
        "present",
        goal=home(d),
        time=Text(f"for {number.en} {unit[0]}", f"seit {number.de} {unit[1]}"),
    )
    return Text(english.order(clause._replace(tense="perfect")), german.order(clause, "second"))


_LASTING = [verb for verb in VERBS if verb.en in ("live", "work")]

CONSTRUCTIONS: tuple[tuple[Callable[[Draw], Text], str], ...] = (
    *((statement, "."),) * 14,
    *((question, "?"),) * 4,
    *((wh_question, "?"),) * 4,
    *((passive, "."),) * 4,
    *((reported, "."),) * 6,
    *((complex_sentence, "."),) * 8,
    *((relative_sentence, "."),) * 7,
    *((infinitive_sentence, "."),) * 4,
    *((request, "."),) * 2,
    *((pair_of_clauses, "."),) * 2,
    *((description, "."),) * 3,
    (age, "."),
    (price, "."),
    (position, "."),
    *((putting, "."),) * 2,
    *((existence, "."),) * 2,
    (duration, "."),
)


def sentence(d: Draw) -> tuple[str, str]:
    """One sentence, in English and German."""
    construction, mark = d.pick(CONSTRUCTIONS)
    text = construction(d)
    return _finished(text.en, mark), _finished(text.de, mark)


def _finished(text: str, mark: str) -> str:
    """With a capital and its mark at the end, and one comma where two meet."""
    text = f"{text[0].upper()}{text[1:]}{mark}"
    return text.replace(",,", ",").replace(" ,", ",").replace(f",{mark}", mark) if "," in text else text
