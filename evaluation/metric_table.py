"""Every metric of outputs, once: its name, which direction is better, its inputs, its cost, and where its code is.

Validation, the choice of weights, scores of test sets, comparisons, cards and pictures read this table when they run,
not when they are imported. A new metric is one entry here and one file with its `Scorer` (`scorer.py`). Nothing is
imported here, least of all the code of metrics: training reads the table too, and a metric may load a network of its
own.
"""

from enum import Enum, IntEnum
from typing import Literal, NamedTuple


class Kind(Enum):
    """The kind of outputs that a metric scores."""

    TRANSLATIONS = "translations"
    PARSES = "parses"


class Cost(IntEnum):
    """How often a metric is affordable; test sets are scored by cheap metrics first."""

    EVERY_VALIDATION = 0
    """In every validation of a run, whatever metric chooses the weights."""
    TEST_SET = 1
    """On test sets, and in the validations of a run whose weights it chooses."""
    LAST = 2
    """The same, but it takes so long that the others are shown before it begins."""


class Metric(NamedTuple):
    """One metric; by convention from 0 to 100, so that two digits and one axis suit all."""

    key: str
    """An identifier: its name in the log of a training (eval_KEY), and in flags."""
    name: str
    """Its name for people."""
    kind: Kind
    cost: Cost
    scorer: str
    """MODULE:NAME of its `Scorer`, loaded only when it is needed."""
    lower_is_better: bool = False
    digits: int = 2
    """Digits that are shown: what looks equal to a reader is equal in the choice of weights."""
    needs_sources: bool = False
    made_for: str | None = None
    """The only language that it fits; a run into another one does without it."""
    blank_references: Literal["wrong", "left out"] | None = None
    """How translations of blank references count: every word as wrong, or the lines are left out."""
    as_score: tuple[str, str] | None = None
    """Key and name among the scores of a test set, if they differ from those above."""
    on_request: bool = False
    """Whether it is computed only where it is asked for: it counts as the papers on one task do."""
    on_hub: str | None = None
    """Its name on the Hub, if that is not its key among scores."""

    @property
    def score_key(self) -> str:
        """Its key among the scores of a test set."""
        return self.key if self.as_score is None else self.as_score[0]

    @property
    def score_name(self) -> str:
        """Its name there."""
        return self.name if self.as_score is None else self.as_score[1]


_SCORERS = "vaswani.evaluation.scorers"

METRICS = {
    each.key: each
    for each in (
        Metric("bleu", "BLEU", Kind.TRANSLATIONS, Cost.EVERY_VALIDATION, f"{_SCORERS}.sacrebleu:BLEU",
               blank_references="wrong", as_score=("sacrebleu", "sacreBLEU")),
        Metric("f1", "F1", Kind.PARSES, Cost.EVERY_VALIDATION, f"{_SCORERS}.evalb:F1", needs_sources=True),
        Metric("chrf", "chrF", Kind.TRANSLATIONS, Cost.TEST_SET, f"{_SCORERS}.sacrebleu:CHRF",
               blank_references="left out"),
        Metric("ter", "TER", Kind.TRANSLATIONS, Cost.LAST, f"{_SCORERS}.sacrebleu:TER", lower_is_better=True,
               blank_references="wrong"),
        Metric("wmt14_bleu", "wmt14_bleu", Kind.TRANSLATIONS, Cost.TEST_SET, f"{_SCORERS}.wmt14_bleu:WMT14_BLEU",
               made_for="German", blank_references="wrong", on_hub="bleu"),
        Metric("multi30k_bleu", "multi30k_bleu", Kind.TRANSLATIONS, Cost.TEST_SET,
               f"{_SCORERS}.lowercased_bleu:MULTI30K_BLEU", blank_references="wrong", on_request=True, on_hub="bleu"),
        Metric("iwslt14_bleu", "iwslt14_bleu", Kind.TRANSLATIONS, Cost.TEST_SET,
               f"{_SCORERS}.lowercased_bleu:IWSLT14_BLEU", blank_references="wrong", on_request=True, on_hub="bleu"),
    )
}  # fmt: skip
"""By key, in the order in which they are listed."""

PROTOCOLS = {"multi30k": "multi30k_bleu", "iwslt14": "iwslt14_bleu", "wmt14": "wmt14_bleu", "sacrebleu": "bleu"}
"""The key of the metric by which papers on a task count; sacrebleu: by which any may."""

OF_THE_NETWORK = ("loss", "perplexity")
"""Other figures of every validation, which need no outputs; lower is better."""
DEFAULT = "bleu"
"""The default metric for the choice of weights."""
DIGITS = 2
"""For scores that are not entries, such as the recall of parses."""
OTHER_DIGITS = {"comet": 4}
"""For those of them that have others. COMET, about 0 to 1, is no entry: it needs a checkpoint, which runs have not."""


def choices() -> list[str]:
    """Return the figures by which weights may be chosen."""
    return [*METRICS, *OF_THE_NETWORK]


def of_kind(kind: Kind) -> list[Metric]:
    """Return the metrics for a kind of outputs, in the order of the list."""
    return [each for each in METRICS.values() if each.kind is kind]


def in_every_validation(kind: Kind) -> list[Metric]:
    """Return those that every validation measures; the first one is the measure of quality for such outputs."""
    return [each for each in of_kind(kind) if each.cost is Cost.EVERY_VALIDATION]


def by_score_key(key: str) -> Metric | None:
    """Return the metric of a score of a test set; None for figures that accompany a metric."""
    return next((each for each in METRICS.values() if each.score_key == key), None)


def digits_of(score_key: str) -> int:
    """Return the digits with which a score of a test set is shown."""
    metric = by_score_key(score_key)
    return OTHER_DIGITS.get(score_key, DIGITS) if metric is None else metric.digits


def as_shown(score_key: str, value: float) -> str:
    """Return a score of a test set, or the width of its interval, with its digits."""
    return f"{value:.{digits_of(score_key)}f}"


def on_hub(score_key: str) -> str:
    """Return the Hub's name for a score of a test set."""
    metric = by_score_key(score_key)
    return score_key if metric is None or metric.on_hub is None else metric.on_hub


SENTENCE_METRICS = {"bleu": "BLEU", "chrf": "chrF"}
"""Those that single sentences are compared by, with their names."""
