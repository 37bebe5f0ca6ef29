"""English: do-support, the order subject-verb-object, and time at the end."""

from .clause import Clause
from .lexicon import Verb, regular_plural

_BE = ("am", "are", "is", "are", "are"), ("was", "were", "was", "were", "were")
_PARTICLES = {"up", "on", "off", "away", "along", "down", "back"}  # after a pronoun: picks him up


def article(phrase: str) -> str:
    """A or an."""
    return f"an {phrase}" if phrase[0] in "aeiou" else f"a {phrase}"


def _third(verb: str) -> str:
    return {"have": "has", "go": "goes"}.get(verb) or regular_plural(verb)


def gerund(verb: Verb) -> str:
    """The -ing form."""
    word = verb.en
    if word.endswith("ie"):
        return word[:-2] + "ying"
    if word.endswith("e") and not word.endswith("ee"):
        return word[:-1] + "ing"
    if word in ("get", "swim", "begin", "forget", "travel", "put"):
        return word + word[-1] + "ing"
    return word + "ing"


def verb_group(clause: Clause, inverted: bool) -> tuple[str, str]:
    """The auxiliary ("" where there is none) and the rest; a question or `not` calls for do."""
    verb, person, tense, past = clause.verb, clause.subject.person, clause.tense, clause.tense == "past"
    infinitive = f"be {verb.en_participle}" if verb and clause.passive else verb.en if verb else "be"
    support = inverted or clause.negated
    if clause.modal:
        modal = clause.modal
        first, _, rest = modal.en.partition(" ")
        if first in ("be", "would", "should", "can"):
            auxiliary = _BE[past][person] if first == "be" else modal.en_past if past else first
            return auxiliary, f"{rest} {infinitive}".strip()
        if support:
            return _do(past, person), f"{modal.en} {infinitive}"
        return "", f"{modal.en_past if past else _agree(first, person) + ' ' + rest} {infinitive}"
    if tense == "future":
        return "will", infinitive
    if verb is None:
        return _BE[past][person], ""
    if tense in ("perfect", "pluperfect"):
        auxiliary = "had" if tense == "pluperfect" else _agree("have", person)
        return auxiliary, f"been {verb.en_participle}" if clause.passive else verb.en_participle
    if clause.passive:
        return _BE[past][person], verb.en_participle
    if tense == "progressive":
        return _BE[0][person], gerund(verb)
    if support:
        return _do(past, person), verb.en
    return "", verb.en_past if past else _agree(verb.en, person)


def _do(past: bool, person: int) -> str:
    return "did" if past else _agree("do", person)


def _agree(verb: str, person: int) -> str:
    return _third(verb) if person == 2 else verb


def complements(clause: Clause) -> list[str]:
    """What follows the verb: picks up the ball, picks it up; gives her the ball, gives it to her."""
    particle = clause.verb.en_particle if clause.verb else ""
    accusative, dative, adverbial = clause.accusative, clause.dative, particle in _PARTICLES
    direct = accusative.en + accusative.after.en if accusative else ""
    indirect = dative.en + dative.after.en if dative else ""
    if accusative and (accusative.weight == "pronoun" or (adverbial and dative)):
        before, after = ("", particle) if adverbial else (particle, "")
        words = [before, direct, after, f"to {indirect}" if dative else ""]
    else:
        words = [particle, indirect, direct]
    return words + [text.en for text in (clause.goal, clause.place, clause.time) if text]


def order(clause: Clause, inverted: bool = False) -> str:
    """The clause; inverted, its auxiliary stands before the subject."""
    auxiliary, rest = verb_group(clause, inverted)
    subject, opening = clause.subject.en, clause.opening.en if clause.opening else ""
    no = "not" if clause.negated else ""
    adverb = clause.adverb.en if clause.adverb else ""
    if inverted:
        words = [opening, auxiliary, subject, no, adverb, rest, *complements(clause)]
    else:
        words = [opening, subject, auxiliary, no, adverb, rest, *complements(clause)]
    return " ".join(filter(None, words)).replace("can not", "cannot")


def infinitive_clause(clause: Clause) -> str:
    """`to open the window`."""
    assert clause.verb
    return " ".join(filter(None, ["to", clause.verb.en, *complements(clause)]))
