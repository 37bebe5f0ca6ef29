"""F1 of labelled constituents, by the `evaluate` module `metrics/evalb`; the sources are the sentences."""

from vaswani.evaluation.parses import read_parses, score_parses
from vaswani.evaluation.scorer import Inputs, Lines, Scorer, Value


def score(outputs: Lines, inputs: Inputs) -> Value:
    """Return F1 of linearised trees with its signature."""
    assert inputs.sources is not None
    found = score_parses(read_parses(inputs.sources, inputs.references, outputs))["f1"]
    return Value(found.value, found.signature)


F1 = Scorer(score)
