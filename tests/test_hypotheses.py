"""The n best with their scores: the texts are those of translate(), the scores those of the network's own log P."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import MarianConfig, MarianMTModel, PreTrainedModel, PreTrainedTokenizerFast

from vaswani.data.tokenizer import learn_tokenizer
from vaswani.modeling.generation_vaswani import penalty
from vaswani.serving.hypotheses import text_of, torch_search
from vaswani.serving.translate import translate

LINES = ["the cat sat on the mat", "a dog", "what is this long line about then", "x", "über 12", "the door by the dog"]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return learn_tokenizer(["the cat sat on the mat and the dog sat by the door"] * 3, 280, show_progress=False)


@pytest.fixture(params=["vaswani", "marian"])
def model(
    request: pytest.FixtureRequest, tiny_model: Callable[..., PreTrainedModel], tokenizer: PreTrainedTokenizerFast
) -> PreTrainedModel:
    if request.param == "vaswani":
        return tiny_model(vocab_size=len(tokenizer))
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "d_model": 16,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32,
    }
    heads: dict[str, Any] = {
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "init_std": 1.0,
        "forced_eos_token_id": None,
    }
    symbols: dict[str, Any] = {"pad_token_id": 1, "eos_token_id": 3, "decoder_start_token_id": 2}
    return MarianMTModel(MarianConfig(vocab_size=len(tokenizer), **sizes, **heads, **symbols)).double().eval()


@pytest.mark.parametrize(("num_beams", "wanted"), [(1, 1), (4, 1), (4, 3)])
def test_hypotheses_are_the_translations_and_scored_by_log_p(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, num_beams: int, wanted: int
) -> None:
    search = torch_search(model, tokenizer, length_penalty=0.6)
    sources = tokenizer(LINES).input_ids
    found = search(sources, num_beams, wanted)
    assert [len(hypotheses) for hypotheses in found] == [wanted] * len(LINES)
    best = [text_of(tokenizer, hypotheses[0]) for hypotheses in found]
    assert best == translate(model, tokenizer, LINES, num_beams=num_beams, length_penalty=0.6)
    assert len(set(best)) > 2  # or their order would prove nothing
    start = model.config.decoder_start_token_id
    for source, hypotheses in zip(sources, found, strict=True):
        scores = [each.score for each in hypotheses]
        assert len({tuple(each.symbols) for each in hypotheses}) == wanted
        assert len(hypotheses[0].symbols) <= len(source) + 50
        if isinstance(model, MarianMTModel):  # whose search by transformers has a penalty of its own
            continue
        if all(each.symbols[-1] == model.config.eos_token_id for each in hypotheses):
            assert scores == sorted(scores, reverse=True)
        for symbols, score in hypotheses:
            given = torch.tensor([[start, *symbols[:-1]]])
            log_p = model(input_ids=torch.tensor([source]), decoder_input_ids=given).logits[0].log_softmax(-1)
            total = log_p[torch.arange(len(symbols)), symbols].sum().item()
            assert score == pytest.approx(total / float(penalty(len(symbols), 0.6)), rel=1e-5)
