"""A text without anything to read is blank, by the same rule wherever text comes in."""

import copy
from typing import Any

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from vaswani.data.blank_text import is_blank
from vaswani.data.cleaning import CleaningLimits, Drops, clean_pairs
from vaswani.data.pairs import Pair, PairsCorpus
from vaswani.modeling import VaswaniForConditionalGeneration, pipeline_vaswani
from vaswani.translation.translate import translate

UNSEEN = [
    "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u200e", "\u200f", "\u061c", "\u202a\u202c", "\u202e",
    "\u2066\u2069", "\u034f", "\u180e", "\u3164", "\u115f", "\ufe0f", "\ufff9\ufffb", "\U000e0001", "\U000e0041",
    "\U0001d173", "\u2800", "\0", "\x7f", "\x1b", "\x85", "\u2028", " \u200b\t\u3000\ufeff ",
]  # fmt: skip
SEEN = ["a", ".", "0", "\u0301", "\u0600", "\u06dd", "\ue000", "\ufffd", "\ufffc", "😀", "\u200bx", "שלום\u200f"]


def test_every_character_is_judged_as_the_tables_of_unicode_have_it() -> None:
    # But for the format characters that are shown: marks around Arabic numbers and the like.
    unseen = regex.compile(
        r"(?!\p{Prepended_Concatenation_Mark})[\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\u2800]"
    )
    characters = [chr(code) for code in range(0x110000)]
    assert [each for each in characters if is_blank(each) != bool(unseen.match(each))] == []


@given(st.text(st.one_of(st.sampled_from("".join(UNSEEN)), st.sampled_from("".join(SEEN)), st.characters())))
@settings(deadline=None, max_examples=500)
def test_a_saved_pipeline_judges_alike_and_a_text_is_blank_where_each_character_is(text: str) -> None:
    assert pipeline_vaswani.is_blank(text) == is_blank(text) == all(map(is_blank, text))


def test_the_copy_that_travels_agrees_on_every_character() -> None:
    characters = [chr(code) for code in range(0x110000)]
    assert [each for each in characters if pipeline_vaswani.is_blank(each) != is_blank(each)] == []


@pytest.mark.parametrize("text", UNSEEN)
def test_a_blank_text_reaches_no_model(text: str, talker: Any, toy_tokenizer: PreTrainedTokenizerFast) -> None:
    model: VaswaniForConditionalGeneration = copy.deepcopy(talker())

    def stop(*_: Any) -> None:
        raise AssertionError("the model was asked")

    model.register_forward_pre_hook(stop)
    assert translate(model, toy_tokenizer, ["", text]) == ["", ""]


def test_a_pair_with_a_blank_side_is_empty() -> None:
    pairs = [Pair(text, "fine") for text in UNSEEN] + [Pair("fine", text) for text in UNSEEN]
    drops = Drops()
    kept = list(
        clean_pairs(PairsCorpus("pairs", [*pairs, *(Pair(text, text) for text in SEEN)]), CleaningLimits(), drops)
    )
    assert kept == [Pair(text, text) for text in SEEN]
    assert drops.dropped == {"empty": len(pairs)}
