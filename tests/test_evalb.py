"""The scorer of trees against figures worked out by hand, from the description of EVALB and its COLLINS.prm."""

from typing import Any

import evaluate
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_trees import TREES, words

from vaswani.data.trees import Tree, bracketed, leaves, linearise, read_trees
from vaswani.evaluation.metrics.evalb.brackets import Figures, brackets, compare, evalb
from vaswani.evaluation.parses import read_parses, score_parses
from vaswani.evaluation.scores import MODULES


def of(gold: str, parse: str) -> Any:
    """Right, gold and parsed constituents of one sentence, exact match, words and right tags; or what else it is."""
    [one], [other] = read_trees(gold), read_trees(parse)
    found = compare(one, other)
    return found if isinstance(found, str) else tuple(found)


CAT = "(TOP (S (NP (DT the) (NN cat)) (VP (VBD saw) (NP (DT a) (NN dog)) (PP (IN on) (NP (NN mars)))) (. .)))"

HAND: dict[str, tuple[str, str, Any]] = {
    # S 0-7, NP 0-2, VP 2-7, NP 3-5, PP 5-7, NP 6-7: six, and TOP and the full stop are not counted
    "the same": (CAT, CAT, (6, 6, 6, 1, 7, 7)),
    # "on mars" in the object: NP 3-7 is new, all six of the treebank are there, seven in the parse
    "attachment": (
        CAT,
        "(TOP (S (NP (DT the) (NN cat)) (VP (VBD saw) (NP (NP (DT a) (NN dog)) (PP (IN on) (NP (NN mars))))) (. .)))",
        (6, 6, 7, 0, 7, 7),
    ),
    # SBAR for S and ADVP for PP are wrong, four of six are right; NNP for NN is one tag of seven
    "labels and tags": (
        CAT,
        "(TOP (SBAR (NP (DT the) (NN cat)) (VP (VBD saw) (NP (DT a) (NN dog)) (ADVP (IN on) (NP (NNP mars)))) (. .)))",
        (4, 6, 6, 0, 7, 6),
    ),
    # Without the comma S is 0-3, NP 0-2 and VP 2-3 in both; whether it is in NP or outside makes no difference
    "punctuation moves freely": (
        "(S (NP (NN a) (NN b) (, ,)) (VP (VB c)))",
        "(S (NP (NN a) (NN b)) (, ,) (VP (VB c)))",
        (3, 3, 3, 1, 3, 3),
    ),
    # All five: , : `` '' . ; left is S 0-1 over one word. PRN holds nothing but punctuation, and is not counted
    "all punctuation, and what holds nothing else": (
        "(S (`` ``) (NN a) (, ,) (: --) ('' '') (. ?))",
        "(S (`` ``) (PRN (, ,) (: --)) (NN a) ('' '') (. ?))",
        (1, 1, 1, 1, 1, 1),
    ),
    # -LRB- is a word like others: S 0-3
    "brackets are words": ("(S (-LRB- -LRB-) (NN a) (-RRB- -RRB-))",) * 2 + ((1, 1, 1, 1, 3, 3),),
    # (SBAR (-NONE- 0) (S (-NONE- *T*-1))) holds no word: S 0-1 and VP 0-1 are left, as in EVALB's own example
    "traces": (
        "(TOP (S (VP (VBD reported) (SBAR (-NONE- 0) (S (-NONE- *T*-1)))) (. .)))",
        "(TOP (S (VP (VBD reported)) (. .)))",
        (2, 2, 2, 1, 1, 1),
    ),
    # NP-SBJ-1 and NP=2 are NP, on either side
    "function tags and indices": (
        "(S-TPC (NP-SBJ-1 (NN a)) (VP (VB b) (NP=2 (NN c))))",
        "(S (NP (NN a)) (VP (VB b) (NP-PRD (NN c))))",
        (4, 4, 4, 1, 3, 3),
    ),
    # ADVP 1-2 and PRT 1-2 are the same; so are they as tags
    "ADVP and PRT": ("(VP (VB a) (PRT (ADVP b)))", "(VP (VB a) (ADVP (PRT b)))", (2, 2, 2, 1, 2, 2)),
    # Treebank NP 0-2 once, parse three times: one is right, two are too many. And the other way round.
    "more of the same label": ("(NP (DT a) (NN b))", "(NP (NP (NP (DT a) (NN b))))", (1, 1, 3, 0, 2, 2)),
    "fewer of the same label": ("(NP (NP (NP (DT a) (NN b))))", "(NP (DT a) (NN b))", (1, 3, 1, 0, 2, 2)),
    # NP over S over NP, and S over NP over NP: three constituents 0-2 each, whatever their order
    "the order of a chain is not seen": (
        "(NP (S (NP (DT a) (NN b))))",
        "(S (NP (NP (DT a) (NN b))))",
        (3, 3, 3, 1, 2, 2),
    ),
    # NP over ADVP over PRT: NP, and twice the same ADVP; the parse has NP, NP and one ADVP: 1 + 1 right
    "doubles of labels that are the same": (
        "(NP (ADVP (PRT (RB a))))",
        "(NP (NP (ADVP (RB a))))",
        (2, 3, 3, 0, 1, 1),
    ),
    # A constituent labelled "." or TOP within is not counted, its words are: S 0-2, NP 0-1 against S 0-2, NP 0-1
    "deleted labels inside": ("(S (TOP (NP (NN a))) (. (NN b)))", "(S (NP (NN a)) (NN b))", (2, 2, 2, 1, 2, 2)),
    # Nothing in it but tags: no constituents on either side, which is an exact match of none
    "no constituent": ("(TOP (NN a))", "(TOP (VB a))", (0, 0, 0, 1, 1, 0)),
    "another word": ("(NP (NN a))", "(NP (NN b))", "error"),
    "a word too few": ("(NP (DT a) (NN b))", "(NP (NN b))", "error"),
    # The treebank has one word, the parse two: the same words, of which one is punctuation there alone
    "a word taken for punctuation": ("(NP (NN a) (NN b))", "(NP (NN a) (. b))", "error"),
    "no word left": ("(NP (NN a))", "(NP (. a))", "skipped"),
}


@pytest.mark.parametrize(("gold", "parse", "expected"), HAND.values(), ids=list(HAND))
def test_counts_of_a_sentence_are_those_worked_out_by_hand(gold: str, parse: str, expected: Any) -> None:
    assert of(gold, parse) == expected


def test_figures_of_many_sentences_are_of_their_sums() -> None:
    """By hand: right 6 + 6 + 1 = 13, gold 6 + 6 + 1 = 13, parsed 6 + 7 + 3 = 16; the last two are in no figure.

    Recall 13/13, precision 13/16, F1 = 2 * 100 * 81.25 / 181.25; one of three exact; words 7 + 7 + 2, all tags right.
    """
    chosen = [
        HAND[name] for name in ("the same", "attachment", "more of the same label", "another word", "no word left")
    ]
    golds = [read_trees(gold)[0] for gold, _, _ in chosen]
    parses = [read_trees(parse)[0] for _, parse, _ in chosen]
    assert evalb(golds, parses) == pytest.approx(
        Figures(
            recall=100.0,
            precision=81.25,
            f1=16250 / 181.25,
            exact_match=100 / 3,
            tagging=100.0,
            sentences=5,
            errors=1,
            skipped=1,
        )
    )
    module = evaluate.load(str(MODULES / "evalb"), keep_in_memory=True)
    found = module.compute(predictions=[each[1] for each in chosen], references=[each[0] for each in chosen])
    assert found["f1"] == pytest.approx(16250 / 181.25)
    assert (found["errors"], found["skipped"], found["signature"]) == (1, 1, "prm:COLLINS|labelled:yes|cutoff:none")


def test_nothing_right_is_nought_and_nothing_to_compare_is_an_error() -> None:
    [gold, parse] = read_trees("(NP (NN a)) (VP (NN a))")
    assert evalb([gold], [parse]).f1 == 0
    with pytest.raises(ValueError, match="1 parses for 2 trees"):
        evalb([gold, gold], [parse])
    with pytest.raises(ValueError, match="0 parses for 0 trees"):
        evalb([], [])


@given(trees=st.lists(TREES, min_size=1, max_size=4), other=TREES)
def test_recall_and_precision_change_places_and_a_tree_is_itself(trees: list[Tree], other: Tree) -> None:
    assert all(compare(tree, tree) == "skipped" or of(bracketed(tree), bracketed(tree))[3] for tree in trees)
    there, back = evalb([other], [trees[0]]), evalb([trees[0]], [other])
    if there.skipped + back.skipped == 0:
        assert (there.recall, there.precision, there.errors) == (back.precision, back.recall, back.errors)
    assert brackets(other).constituents.total() <= bracketed(other).count("(") - len(words(other))


# --- what a network wrote ---


def scores(*triples: tuple[str, str, str]) -> dict[str, Any]:
    return score_parses(read_parses(*zip(*triples, strict=True)))


def test_what_a_network_wrote_is_mended_and_scored_whole() -> None:
    """By hand: S 0-3, NP 0-1, VP 1-3, NP 2-3 in each gold tree.

    The first parse closes nothing: S 0-4, NP 0-4, VP 1-4, NP 2-4 lose the full stop, which is not counted: S and VP and
    the second NP are right (0-3, 1-3, 2-3), NP 0-3 is wrong. The second is right. 7 of 8, and 7 of 8.
    """
    sentence, gold = "a b c .", "(S (NP (NN) )NP (VP (VB) (NP (NN) )NP )VP (.) )S"
    found = scores((sentence, gold, "(S (NP (NN) (VP (VB) (NP (NN) (.)"), (sentence, gold, gold))
    assert {key: score.value for key, score in found.items()} == {
        "f1": 87.5,
        "recall": 87.5,
        "precision": 87.5,
        "exact_match": 50.0,
        "tagging": 100.0,
        "valid": 50.0,
    }
    assert found["f1"].signature == "evalb|prm:COLLINS|labelled:yes|cutoff:none|punctuation:gold|sentences:2"
    assert found["valid"].signature == "1 of 2 were repaired; in 0 of 2 the punctuation was taken from the treebank"


def test_a_word_taken_for_punctuation_costs_its_tag_and_not_the_whole_sentence() -> None:
    """By hand: the tag of b is wrong, and . is not counted though the network calls it NN: one tag of two."""
    found = scores(("a b .", "(S (NP (NN) (NN) )NP (.) )S", "(S (NP (NN) (,) )NP (NN) )S"))
    assert (found["f1"].value, found["exact_match"].value, found["tagging"].value) == (100, 100, 50)
    assert "in 1 of 1 the punctuation was taken from the treebank" in found["valid"].signature


@given(tree=TREES, row=st.lists(st.sampled_from(["(S", ")S", "(NN)", "(.)", "(NP", ")NP"]), max_size=12).map(" ".join))
def test_no_sentence_is_an_error_once_mended(tree: Tree, row: str) -> None:
    parses = read_parses([" ".join(words(tree))], [linearise(tree)], [row])
    [found] = [compare(gold, parse) for gold, parse in zip(parses.gold, parses.parsed, strict=True)]
    assert found != "error"
    assert (found == "skipped") == (not brackets(tree).words)
    assert [leaf.word for leaf in leaves(parses.parsed[0])] == words(tree)
