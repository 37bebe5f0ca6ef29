"""Encoding word by word: the tokens are those of the whole text, whatever it holds and however often words come."""

import pickle
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from vaswani.data import learn_tokenizer, word_encoding
from vaswani.data.encoding import encode
from vaswani.data.tokenizer import words_apart
from vaswani.data.word_encoding import WordEncoder

LEARNED = ["it's 25 houses, they're 'quoted' (so) x2y", "das Haus's </s> größer 猫 е́ ١٢ don't 'tis"] * 3
SYMBOLS = (">>de<<", "<BT>", "x2y")
WORDS = st.lists(
    st.sampled_from([*SYMBOLS, *"as'2,(", *"ß١猫é́", "\u200b", "'s", "'ll", "</s>", "<pad>", "(NP", ")NP", "Haus"]),
    max_size=3,
).map("".join)
SPACES = st.sampled_from([*[" "] * 50, "", "  ", "\t", "\n", "\u00a0", "\u3000", "\x1c", "\u0085"])
TEXT = st.tuples(WORDS, st.lists(st.tuples(SPACES, WORDS).map("".join), max_size=6).map("".join)).map("".join)
TEXTS = st.lists(TEXT, max_size=4)
"""Words between single spaces and, more seldom, between others."""


def learned(**more: tuple[str, ...]) -> PreTrainedTokenizerFast:
    return learn_tokenizer(LEARNED, 330, show_progress=False, **more)


KINDS = {
    "plain": learned(),
    "with a user's tokens": learned(user_symbols=SYMBOLS),
    "with brackets": learned(brackets=("(NP", ")NP", "(NN)")),
}


@pytest.mark.parametrize("kind", KINDS)
@given(TEXTS, TEXTS)
def test_tokens_are_those_of_the_whole_text(kind: str, first: list[str], second: list[str]) -> None:
    tokenizer = KINDS[kind]
    by_words = WordEncoder(tokenizer)
    for texts in (first, second, first):
        whole, found = encode(tokenizer, texts), by_words(texts)
        assert found.tokens.tolist() == whole.tokens.tolist()
        assert found.starts.tolist() == whole.starts.tolist()
        assert (found.tokens.dtype, found.starts.dtype) == (whole.tokens.dtype, whole.starts.dtype)


@given(st.lists(st.text(max_size=20), max_size=5))
def test_so_they_are_for_any_text(texts: list[str]) -> None:
    for tokenizer in KINDS.values():
        assert WordEncoder(tokenizer)(texts).tokens.tolist() == encode(tokenizer, texts).tokens.tolist()


@pytest.mark.parametrize("kind", ["plain", "with a user's tokens"])
def test_each_word_is_encoded_once_and_few_are_kept(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    original: Callable[..., dict[str, bytes]] = WordEncoder._of_words

    def counting(self: WordEncoder, words: list[str]) -> dict[str, bytes]:
        asked.append(sorted(words))
        return original(self, words)

    monkeypatch.setattr(WordEncoder, "_of_words", counting)
    monkeypatch.setattr(word_encoding, "KEPT", 3)
    by_words = WordEncoder(KINDS[kind])
    for texts in (["a b a"], ["b a", "c c"], ["a  b"], ["d a"]):
        assert by_words(texts).tokens.tolist() == encode(KINDS[kind], texts).tokens.tolist()
    assert asked == [["a", "b"], ["c"], ["a", "d"]]  # the fourth is one too many: kept are its own


def test_a_user_s_tokens_are_known_from_the_vocabulary_and_other_pipelines_are_refused() -> None:
    plain, symbols, brackets = KINDS.values()
    assert (words_apart(plain), words_apart(symbols), words_apart(brackets)) == ([], list(SYMBOLS), None)
    other = pickle.loads(pickle.dumps(plain))
    other.backend_tokenizer.normalizer = None
    assert words_apart(other) is None


def test_special_tokens_in_a_text_are_text_after_pickling() -> None:
    again = pickle.loads(pickle.dumps(WordEncoder(KINDS["plain"])))
    found = again(["a </s> b"])
    assert found.tokens.tolist() == encode(KINDS["plain"], ["a </s> b"]).tokens.tolist()
    assert np.count_nonzero(found.tokens == 3) == 1
