"""The tokenizer: exact on any text, the same from the same texts, and loaded by AutoTokenizer as it was saved."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from vaswani.data.tokenizer import SPECIAL_TOKENS, fingerprint, learn_tokenizer

WORDS = ["the", "small", "house", "stands", "by", "old", "river", "and", "der", "kleine", "Fuß", "am", "großen", "Haus"]
TEXTS = [" ".join(WORDS[i % 7 : i % 13 + 3]) + "." for i in range(200)]
LITERALS = [f"{text}{mark}" for text in ("", "x", " ") for mark in SPECIAL_TOKENS]

# Any text, and texts in which what the tokenizer treats specially is frequent.
ANY_TEXT = st.text() | st.lists(
    st.sampled_from([*LITERALS, " ", "  ", "\n", "\0", "Haus", "'s", "é", "e\u0301", "😀"])
).map("".join)


@pytest.fixture(scope="module")
def learned() -> PreTrainedTokenizerFast:
    return learn_tokenizer(iter(TEXTS), 305, show_progress=False)


@pytest.fixture(scope="module")
def loaded(learned: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerFast:
    folder = tmp_path_factory.mktemp("tokenizer")
    learned.save_pretrained(folder)
    # As in a run folder, where the model's configuration lies beside it and is of a type that transformers lacks.
    (folder / "config.json").write_text(json.dumps({"model_type": "vaswani", "architectures": ["Vaswani"]}))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    return tokenizer


@given(ANY_TEXT)
@example("")
@example(" x")
@example("  two before, two behind  ")
@example("</s>")
@example("<pad> <s></s> <unk>")
@example("👩‍👩‍👧 e\u0301 é ﬁ ①")
@example("\0\r\n\t\x7f\x85\u2028\ufeff")
@example("word , word . ' s n't")
@settings(deadline=None)
def test_any_text_comes_back_exactly(
    learned: PreTrainedTokenizerFast, loaded: PreTrainedTokenizerFast, text: str
) -> None:
    ids = learned(text).input_ids
    assert ids == loaded(text).input_ids
    assert ids[-1] == 3
    assert not {0, 1, 2, 3} & set(ids[:-1])
    for tokenizer in (learned, loaded):
        assert tokenizer.decode(ids, skip_special_tokens=True) == text


@given(st.lists(ANY_TEXT, min_size=1, max_size=5))
@settings(deadline=None)
def test_padded_batches_come_back_exactly(loaded: PreTrainedTokenizerFast, texts: list[str]) -> None:
    batch = loaded(texts, text_target=texts[::-1], padding=True)
    assert set(batch) == {"input_ids", "attention_mask", "labels"}
    for ids, mask, text in zip(batch.input_ids, batch.attention_mask, texts, strict=True):
        assert ids[: sum(mask)] == loaded(text).input_ids
        assert set(ids[sum(mask) :]) <= {1}
        assert mask == sorted(mask, reverse=True)
    assert loaded.batch_decode(batch.input_ids, skip_special_tokens=True) == texts
    assert loaded.batch_decode(batch["labels"], skip_special_tokens=True) == texts[::-1]


def test_special_tokens_have_their_ids_and_the_bytes_follow(
    learned: PreTrainedTokenizerFast, loaded: PreTrainedTokenizerFast
) -> None:
    for tokenizer in (learned, loaded):
        assert tokenizer.convert_ids_to_tokens([0, 1, 2, 3]) == list(SPECIAL_TOKENS)
        ids = (tokenizer.unk_token_id, tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id)
        assert ids == (0, 1, 2, 3)
        assert all(len(token) == 1 for token in tokenizer.convert_ids_to_tokens(list(range(4, 260))))
        assert tokenizer.padding_side == "right"
        assert tokenizer.model_max_length > 10**9
        assert tokenizer.model_input_names == ["input_ids", "attention_mask"]


def test_a_word_has_the_same_pieces_at_the_start_of_a_sentence_and_inside(learned: PreTrainedTokenizerFast) -> None:
    start, inside = learned("house").input_ids, learned("the house").input_ids
    assert len(start) == 2  # one piece and </s>: it has been learned
    assert inside[-2:] == start


@pytest.mark.parametrize("size", [260, 261, 300])
def test_the_vocabulary_has_exactly_the_size_asked_for(size: int) -> None:
    tokenizer = learn_tokenizer(iter(TEXTS), size, show_progress=False)
    assert len(tokenizer) == size
    assert tokenizer.decode(tokenizer("größer 😀").input_ids, skip_special_tokens=True) == "größer 😀"


def test_a_small_text_gives_a_smaller_vocabulary_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    tokenizer = learn_tokenizer(["ab"], 1_000, show_progress=False)
    assert len(tokenizer) == 262
    assert "262 entries only, not 1000" in caplog.text


@pytest.mark.parametrize("size", [259, 0, -1])
def test_too_small_a_vocabulary_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=rf"vocab_size is {size}, and the smallest is 260.*Give at least 260"):
        learn_tokenizer(TEXTS, size)


def test_learning_from_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to learn"):
        learn_tokenizer([], 300, show_progress=False)


def test_text_full_of_special_tokens_does_not_teach_a_way_to_spell_them() -> None:
    tokenizer = learn_tokenizer(LITERALS * 100, 1_000, show_progress=False)
    for text in LITERALS:
        ids = tokenizer(text).input_ids
        assert min(ids[:-1]) > 3
        assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_the_same_texts_give_the_same_vocabulary_on_any_number_of_threads() -> None:
    script = (
        "from vaswani.data.tokenizer import fingerprint, learn_tokenizer\n"
        "texts = [f'{(i * i) % 977} {chr(97 + i % 26) * (i % 5 + 1)} größe{i % 11}' for i in range(5000)]\n"
        "print(fingerprint(learn_tokenizer(iter(texts), 600, show_progress=False)))"
    )
    prints = set()
    for threads, parallel, hash_seed in (("1", "false", "1"), ("5", "true", "2")):
        environment = os.environ | {
            "RAYON_NUM_THREADS": threads,
            "TOKENIZERS_PARALLELISM": parallel,
            "PYTHONHASHSEED": hash_seed,
        }
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True)
        prints.add(done.stdout)
    assert len(prints) == 1


def test_a_fingerprint_is_of_the_vocabulary_and_not_of_its_last_use(
    learned: PreTrainedTokenizerFast, loaded: PreTrainedTokenizerFast
) -> None:
    before = fingerprint(learned)
    learned(["a", "b c"], padding=True, truncation=True, max_length=2)
    assert fingerprint(learned) == fingerprint(loaded) == before
    assert fingerprint(learn_tokenizer(iter(TEXTS), 304, show_progress=False)) != before


def test_texts_are_read_as_a_stream_and_not_kept() -> None:
    class Text(str):
        alive = peak = 0

        def __init__(self, *_: object) -> None:
            Text.alive += 1
            Text.peak = max(Text.peak, Text.alive)

        def __del__(self) -> None:
            Text.alive -= 1

    learn_tokenizer((Text(f"number {i % 50} of many") for i in range(20_000)), 300, show_progress=False)
    assert Text.peak < 5_000
    assert Text.alive == 0


def test_real_text_comes_back_exactly() -> None:
    folder = Path(__file__).parents[2] / "shared/data/multi30k"
    if not folder.is_dir():
        pytest.skip("needs Multi30k as text files in ../shared/data/multi30k")
    from vaswani.data.opening import Pair, open_corpus

    corpus = open_corpus(data_dir=str(folder), split="validation", source="de", target="en")
    texts = [side for row in corpus.read(0) if isinstance(row, Pair) for side in row]
    tokenizer = learn_tokenizer(iter(texts), 2_000, show_progress=False)
    assert len(tokenizer) == 2_000
    assert tokenizer.batch_decode(tokenizer(texts).input_ids, skip_special_tokens=True) == texts
