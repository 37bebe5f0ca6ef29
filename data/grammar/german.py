"""German: inflection by the endings of article, adjective and verb, and word order by fields.

A main clause has its finite verb second, a question first, a subordinate clause last; infinitive, participle and
separable prefix close it. Between them stand, in this order: pronouns, time, dative, known object, nicht, place, new
object, goal.
"""

from .clause import Clause
from .lexicon import Adjective, Modal, Noun, Verb

CASES = ("nom", "acc", "dat", "gen")
# Endings by gender (p: plural) and case. "Strong" ones show the case: of dieser, kein-, and an adjective on its own.
_STRONG = {
    "m": dict(zip(CASES, ("er", "en", "em", "es"), strict=True)),
    "f": dict(zip(CASES, ("e", "e", "er", "er"), strict=True)),
    "n": dict(zip(CASES, ("es", "es", "em", "es"), strict=True)),
    "p": dict(zip(CASES, ("e", "e", "en", "er"), strict=True)),
}
ARTICLE = {
    "m": dict(zip(CASES, ("der", "den", "dem", "des"), strict=True)),
    "f": dict(zip(CASES, ("die", "die", "der", "der"), strict=True)),
    "n": dict(zip(CASES, ("das", "das", "dem", "des"), strict=True)),
    "p": dict(zip(CASES, ("die", "die", "den", "der"), strict=True)),
}
RELATIVE = {
    "m": ARTICLE["m"] | {"gen": "dessen"},
    "f": ARTICLE["f"] | {"gen": "deren"},
    "n": ARTICLE["n"] | {"gen": "dessen"},
    "p": ARTICLE["p"] | {"dat": "denen", "gen": "deren"},
}
_BARE = {("m", "nom"), ("n", "nom"), ("n", "acc")}  # where ein, kein and mein have no ending
_DER_WORDS = {"dies", "jed", "welch", "all"}
_CONTRACTIONS = {
    "in dem": "im",
    "in das": "ins",
    "an dem": "am",
    "an das": "ans",
    "zu dem": "zum",
    "zu der": "zur",
    "von dem": "vom",
    "bei dem": "beim",
}
REFLEXIVE = ("mich", "dich", "sich", "uns", "sich")

_SEIN = ("bin", "bist", "ist", "sind", "sind"), ("war", "warst", "war", "waren", "waren")
_HABEN = ("habe", "hast", "hat", "haben", "haben"), ("hatte", "hattest", "hatte", "hatten", "hatten")
_WERDEN = ("werde", "wirst", "wird", "werden", "werden"), ("wurde", "wurdest", "wurde", "wurden", "wurden")


def noun(word: Noun, gender: str, case: str) -> str:
    """The form of a noun; `gender` is "p" for the plural."""
    if gender == "p":
        return word.plural + "n" if case == "dat" and word.plural[-1] not in "ns" else word.plural
    if case == "gen" or (case != "nom" and gender == "m" and word.genitive[-1] != "s"):
        return word.genitive
    return word.de


def determiner(stem: str, gender: str, case: str) -> tuple[str, bool]:
    """The form of a determiner, and whether it shows the case itself (so that an adjective need not)."""
    if stem == "der":
        return ARTICLE[gender][case], True
    if stem in _DER_WORDS:
        return stem + _STRONG[gender][case], True
    if stem in ("viel", "einig"):  # themselves strong adjectives
        return stem + _STRONG[gender][case], False
    if stem.endswith("ein") or stem in ("ihr", "unser"):
        return (stem, False) if (gender, case) in _BARE else (stem + _STRONG[gender][case], True)
    return stem, False  # nothing, a number, a name in the genitive


def adjective(word: Adjective, shown: bool, gender: str, case: str) -> str:
    """An adjective before its noun; `shown`: the determiner has shown the case."""
    if shown:
        weak = case == "nom" or (case == "acc" and gender in "fn")
        return word.stem + ("e" if weak and gender != "p" else "en")
    return word.stem + ("en" if case == "gen" and gender in "mn" else _STRONG[gender][case])


def contracted(preposition: str, phrase: str) -> str:
    """`im Garten` for `in dem Garten`."""
    article, _, rest = phrase.partition(" ")
    short = _CONTRACTIONS.get(f"{preposition} {article}")
    return f"{short} {rest}" if short else f"{preposition} {phrase}"


def _present(verb: Verb) -> tuple[str, str, str, str, str]:
    if verb.de == "wissen":
        return "weiß", "weißt", "weiß", "wissen", "wissen"
    third = verb.third
    second = third if third[-2] in "sßzx" else third[:-1] + "st"
    return verb.de.removesuffix("n").removesuffix("e") + "e", second, third, verb.de, verb.de


def _modal(modal: Modal, tense: str, person: int) -> str:
    return (modal.past if tense == "past" else modal.present)[(0, 1, 0, 2, 2)[person]]


def verb_group(clause: Clause) -> tuple[str, str]:
    """The finite verb, and what closes the clause (prefix, participle, infinitive)."""
    verb, person, tense, past = clause.verb, clause.subject.person, clause.tense, clause.tense == "past"
    if verb is None:
        if clause.modal:
            return _modal(clause.modal, tense, person), "sein"
        return (_WERDEN[0][person], "sein") if tense == "future" else (_SEIN[past][person], "")
    infinitive = f"{verb.participle} werden" if clause.passive else verb.prefix + verb.de
    if clause.modal:
        return _modal(clause.modal, tense, person), infinitive
    if tense == "future":
        return _WERDEN[0][person], infinitive
    if clause.passive:
        if tense == "perfect":
            return _SEIN[0][person], f"{verb.participle} worden"
        return _WERDEN[past][person], verb.participle
    if tense in ("past", "perfect", "pluperfect"):
        auxiliary = _SEIN if verb.auxiliary == "sein" else _HABEN
        return auxiliary[tense == "pluperfect"][person], verb.participle
    return _present(verb)[person], verb.prefix


def request(clause: Clause) -> str:
    """`Mach bitte das Fenster auf`, `Gib es ihm bitte`: bitte follows the pronouns."""
    assert clause.verb
    words = [word for word in middle(clause) if word]
    pronouns = sum(word in _PRONOUNS for word in words)
    words = [imperative(clause.verb), *words[:pronouns], "bitte", *words[pronouns:], clause.verb.prefix]
    return " ".join(filter(None, words))


def zu_infinitive(verb: Verb) -> str:
    """`zu kaufen`, `aufzumachen`."""
    return f"{verb.prefix}zu{verb.de}" if verb.prefix else f"zu {verb.de}"


_LATE = {"schon", "nie", "noch nie"}  # these stand where nicht does
# Pronouns that go before a subject which is a noun; sie, es and ihr could be mistaken for it
_SHORT = {"mich", "dich", "sich", "ihn", "mir", "dir", "ihm", "ihnen", "uns"}
_PRONOUNS = _SHORT | {"sie", "es", "ihr"}


def middle(clause: Clause) -> list[str]:
    """What stands between the two parts of the verb, the subject aside."""
    known = new = dative = ""
    pronouns = [REFLEXIVE[clause.subject.person]] if clause.verb and "reflexive" in clause.verb.notes else []
    if clause.accusative:
        if clause.accusative.weight == "pronoun":
            pronouns.append(clause.accusative.de)
        elif clause.accusative.weight == "definite":
            known = clause.accusative.de
        else:
            new = clause.accusative.de
    if clause.dative:
        if clause.dative.weight == "pronoun":
            pronouns.append(clause.dative.de)
        else:
            dative = clause.dative.de
    adverb = clause.adverb.de if clause.adverb else ""
    late = adverb in _LATE
    denied = clause.accusative is not None and clause.accusative.weight == "negative"
    return [
        *pronouns,
        clause.time.de if clause.time else "",
        "" if late else adverb,
        dative,
        known,
        adverb if late else "",
        "nicht" if clause.negated and not denied else "",
        clause.place.de if clause.place else "",
        new,
        clause.goal.de if clause.goal else "",
    ]


def order(clause: Clause, verb: str) -> str:
    """The clause with its finite verb "second", "first" or "last"."""
    finite, closing = verb_group(clause)
    subject, fields = clause.subject.de, middle(clause)
    inner = subject  # as it stands behind the verb or the conjunction: a short pronoun goes before it
    if clause.subject.weight != "pronoun" and fields[0] in _SHORT and fields[1] not in _PRONOUNS:
        inner = f"{fields[0]} {subject}"
        if clause.opening or verb != "second":
            fields = fields[1:]
    tail = [phrase.after.de for phrase in (clause.dative, clause.accusative) if phrase]  # relative clauses wait
    if verb == "last":
        separable = clause.verb and closing and closing == clause.verb.prefix
        opening = clause.opening.de if clause.opening else ""
        words = [opening, inner, *fields, *([closing + finite] if separable else [closing, finite]), *tail]
    elif verb == "first":
        words = [finite, inner, *fields, closing, *tail]
    elif clause.opening:
        words = [clause.opening.de, finite, inner, *fields, closing, *tail]
    else:
        words = [subject, finite, *fields, closing, *tail]
    return " ".join(filter(None, words))


def infinitive_clause(clause: Clause) -> str:
    """`das Fenster aufzumachen`: a clause without subject and finite verb."""
    assert clause.verb
    return " ".join(filter(None, [*middle(clause), zu_infinitive(clause.verb)]))


def imperative(verb: Verb) -> str:
    """`nimm`, `lade`, `mach`: said to a friend."""
    stem, plain = verb.third[:-1], verb.de.removesuffix("n").removesuffix("e")
    if stem != plain and "ä" not in stem:  # e turns to i, but a does not turn to ä
        return stem
    return plain + "e" if plain.endswith(("d", "t", "er")) else plain
