"""What a clause says, before either language has put it in order."""

from typing import NamedTuple

from .lexicon import Modal, Noun, Verb


class Text(NamedTuple):
    """The same words in both languages."""

    en: str
    de: str


class Phrase(NamedTuple):
    """A noun phrase, name or pronoun, already in its case."""

    en: str
    de: str
    person: int = 2  # row of a verb table: ich 0, du 1, er 2, wir 3, sie 4
    weight: str = "definite"  # or "indefinite", "pronoun", "negative" (kein): decides its place in German
    gender: str = ""  # m, f, n or p (plural): of the pronoun that may stand for it; "" where none should
    noun: Noun | None = None
    after: Text = Text("", "")  # a relative clause that German may put behind the verb


class Clause(NamedTuple):
    """One clause; the two grammars differ only in how they order and inflect it."""

    subject: Phrase
    verb: Verb | None  # None: to be
    tense: str  # present, progressive, past, perfect, pluperfect or future
    modal: Modal | None = None
    passive: bool = False
    negated: bool = False
    accusative: Phrase | None = None
    dative: Phrase | None = None
    goal: Text | None = None  # what stands next to the verb: a direction, a prepositional object, a predicate
    place: Text | None = None  # where, with whom, by whom
    adverb: Text | None = None  # often, already: beside the verb in English
    time: Text | None = None
    opening: Text | None = None  # what comes first, instead of the subject
