"""Alignments: a network whose attention is set by hand aligns as it attends, and every word gets its source word."""

import re
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import MarianConfig, MarianMTModel, PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from vaswani.data.tokenizer import learn_tokenizer
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.modeling.modeling_vaswani import MultiHeadAttention
from vaswani.translation import attention
from vaswani.translation.alignment import by_attention, layer, spans
from vaswani.translation.attention import attentions, source_attention

MakeModel = Callable[..., Any]


def codes() -> torch.Tensor:
    """63 positions in 64 numbers: all as far from each other as can be, and what LayerNorm leaves as it is."""
    square = torch.ones(1, 1)
    while len(square) < 64:
        square = torch.kron(square, torch.tensor([[1.0, 1.0], [1.0, -1.0]]))
    return square[1:]  # the first is all ones, which LayerNorm would make 0


def looking_ahead(places: list[int], vocab_size: int) -> VaswaniForConditionalGeneration:
    """A network of which decoder layer n attends to the source `places[n]` further on than where it writes.

    All that it knows of a token is its position. In each layer one head looks, and the other one sees all alike.
    """
    config = VaswaniConfig(
        vocab_size=vocab_size,
        d_model=64,
        d_ff=8,
        num_heads=2,
        d_k=64,
        d_v=8,
        encoder_layers=1,
        decoder_layers=len(places),
        positions="learned",
        max_positions=63,
    )
    model = VaswaniForConditionalGeneration(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" not in name:
                weight.zero_()
        for stack in (model.model.encoder, model.model.decoder):
            stack.positions.learned.weight.copy_(codes())
        for ahead, decoder_layer in zip(places, model.model.decoder.layers, strict=True):
            attention: Any = decoder_layer.cross_attention
            attention.w_q.weight[:64] = codes()[ahead:].T @ codes()[: 63 - ahead] / 64
            attention.w_k.weight[:64] = torch.eye(64)
    return model


@pytest.mark.parametrize("ahead", [0, 1, 2])
def test_an_alignment_is_where_the_layer_attended(toy_tokenizer: PreTrainedTokenizerFast, ahead: int) -> None:
    """Six layers: all but the fifth look elsewhere. A word is a letter and the space before it, two tokens."""
    model = looking_ahead([6, 8, 10, 6, 2 * ahead, 8], len(toy_tokenizer))
    text = "b c d e f g h i"
    assert len(toy_tokenizer(text).input_ids) == 2 * 8 + 1
    shorter = "k l m"  # of another length, so that one of the two is padded
    align = by_attention([model], toy_tokenizer)
    expected = [" ".join(f"{j + ahead}-{j}" for j in range(n - ahead)) for n in (8, 3)]
    for found, diagonal in zip(align([text, shorter], [text, shorter]), expected, strict=True):
        assert found.startswith(diagonal)
    assert model.config._attn_implementation == "sdpa"  # as it was


def test_symbols_make_words(toy_tokenizer: PreTrainedTokenizerFast) -> None:
    """Words of one to eight tokens, the same on both sides: a copy is aligned word by word."""
    model = looking_ahead([0], len(toy_tokenizer))
    text = "the  unknown cat, sat\ton\u00a0Zürich 😀 the mat."
    assert len({len(toy_tokenizer(word).input_ids) for word in text.split()}) > 3
    words = range(len(text.split()))
    assert by_attention([model], toy_tokenizer)([text], [text]) == [" ".join(f"{n}-{n}" for n in words)]


def test_letters_of_scripts_without_spaces_are_words_where_that_is_asked(
    toy_tokenizer: PreTrainedTokenizerFast,
) -> None:
    """A copy again: signs of East Asia and letters stand alone, with their marks; what is between them is a word."""
    model = looking_ahead([0], len(toy_tokenizer))
    text = "他在2020年 bought，ไก่ 3.5米。"
    units = ["他", "在", "2020", "年", "bought", "，", "ไ", "ก่", "3.5", "米", "。"]
    assert "".join(units) == text.replace(" ", "")
    assert len(toy_tokenizer(text).input_ids) < 63
    (found,) = by_attention([model], toy_tokenizer, letters_apart=True)([text], [text])
    assert found == " ".join(f"{n}-{n}" for n in range(len(units)))
    assert by_attention([model], toy_tokenizer)([text], [text]) == ["0-0 1-1 2-2"]


def test_a_symbol_of_several_letters_is_all_of_theirs() -> None:
    """Two tokens of two and three letters: each letter comes from the first one of the token that it stands in."""
    tokenizer = learn_tokenizer(["世界 你好吗"] * 9, 275, show_progress=False)
    text = "世界 你好吗"
    assert len(tokenizer(text).input_ids) == 3
    (found,) = by_attention([looking_ahead([0], len(tokenizer))], tokenizer, letters_apart=True)([text], [text])
    assert found == "0-0 0-1 2-2 2-3 2-4"


def test_several_models_align_by_their_mean(toy_tokenizer: PreTrainedTokenizerFast) -> None:
    """Three that look at the next word outweigh one that looks at the same one."""
    here, next_one = looking_ahead([0], len(toy_tokenizer)), looking_ahead([2], len(toy_tokenizer))
    (found,) = by_attention([here, *[next_one] * 3], toy_tokenizer)(["b c d e"], ["b c d"])
    assert found == "1-0 2-1 3-2"


SOURCES = ["the cat sat on the mat", "x", "the cat sat on the mat", "the dog"]
TARGETS = ["the dog", "by the door sat", "cat", "x"]


@pytest.mark.parametrize("cells", [1, 300, 1 << 20])
def test_what_one_layer_attended_to_is_that_of_all_layers_at_once(
    talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch, cells: int
) -> None:
    """Whatever the number of translations that are read together."""
    monkeypatch.setattr(attention, "CELLS", cells)
    model = talker(encoder_layers=2, decoder_layers=3)
    sources, targets = (toy_tokenizer(texts).input_ids for texts in (SOURCES, TARGETS))
    with torch.inference_mode():
        whole = attentions(model, toy_tokenizer, sources, targets).cross
        for number, expected in enumerate(whole):
            found = source_attention(model, toy_tokenizer, sources, targets, number)
            torch.testing.assert_close(found, expected.mean(1).float())


def test_no_weights_are_kept_and_no_source_is_read_twice(
    talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast
) -> None:
    model = talker(encoder_layers=2, decoder_layers=6)
    kept, alive, read = list[Any](), list[int](), list[int]()

    def count(_: Any, __: Any, output: tuple[torch.Tensor, torch.Tensor | None]) -> None:
        alive.append(sum(each() is not None for each in kept))
        kept.extend(weakref.ref(each) for each in output[1:] if each is not None)

    for module in model.modules():
        if isinstance(module, MultiHeadAttention):
            module.register_forward_hook(count)
    model.get_encoder().register_forward_pre_hook(lambda _, given: read.append(len(given[0])))
    with torch.inference_mode():
        by_attention([model], toy_tokenizer)(SOURCES, TARGETS)
    assert len(kept) >= 12
    assert max(alive) <= 1  # of the attention before this one, which its layer holds
    assert read == [3]


def test_a_network_of_another_kind_aligns_too(toy_tokenizer: PreTrainedTokenizerFast) -> None:
    config = MarianConfig(
        vocab_size=len(toy_tokenizer),
        d_model=16,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        pad_token_id=1,
        eos_token_id=3,
        decoder_start_token_id=2,
        init_std=1.0,
    )
    model = MarianMTModel(config).eval()
    sources, targets = (toy_tokenizer(texts).input_ids for texts in (SOURCES, TARGETS))
    with torch.inference_mode():
        expected = attentions(model, toy_tokenizer, sources, targets).cross[1].mean(1)
        torch.testing.assert_close(source_attention(model, toy_tokenizer, sources, targets, 1), expected)
    bare = T5ForConditionalGeneration(T5Config(vocab_size=9, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2))
    with pytest.raises(
        ValueError, match=r"is a t5 model, and its attention to the source was not found; translate without --al"
    ):
        by_attention([bare], toy_tokenizer)


def test_few_layers_are_read_at_the_last_and_many_before_it() -> None:
    assert [layer(n) for n in (1, 2, 3, 4, 5, 6, 12)] == [0, 1, 2, 3, 3, 4, 10]


def test_what_was_cut_off_at_the_last_position_is_aligned_up_to_it(
    talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast
) -> None:
    align = by_attention([talker(positions="learned", max_positions=6)], toy_tokenizer)
    links = [align(["b c"], [target])[0].split() for target in ("f g h", "f g h i", "f g")]  # 7, 9 and 5 tokens
    assert [[link.split("-")[1] for link in each] for each in links] == [["0", "1", "2"], ["0", "1", "2"], ["0", "1"]]


TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=1, max_size=4)


@pytest.mark.parametrize("apart", [False, True])
@given(sources=TEXTS, targets=TEXTS)
@settings(max_examples=40, deadline=None)
def test_every_target_word_has_one_source_word(
    talker: MakeModel, toy_tokenizer: PreTrainedTokenizerFast, sources: list[str], targets: list[str], apart: bool
) -> None:
    pairs = list(zip(sources, targets, strict=False))
    found = by_attention([talker()], toy_tokenizer, letters_apart=apart)(
        [source for source, _ in pairs], [target for _, target in pairs]
    )
    for (source, target), alignment in zip(pairs, found, strict=True):
        read, wrote = (len(list(spans(text, apart))) for text in (source, target))
        assert apart or (read, wrote) == (len(source.split()), len(target.split()))
        links = [tuple(map(int, link)) for link in re.findall(r"(\d+)-(\d+)", alignment)]
        assert [j for _, j in links] == (list(range(wrote)) if read else [])
        assert all(i < read for i, _ in links)
