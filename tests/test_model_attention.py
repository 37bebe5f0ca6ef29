"""Attention: every implementation gives the same result, sees what it may and nothing else, and shows its weights."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from vaswani.modeling.modeling_vaswani import shift_right, sinusoidal_positions

Batch = dict[str, Tensor]
MakeModel = Callable[..., Any]  # VaswaniForConditionalGeneration, less the types that transformers gives its methods
MakeBatch = Callable[..., Batch]


def test_heads_follow_section_3_2_2(tiny_model: MakeModel) -> None:
    """Concat(head_1 .. head_h) W^O, each head with its own rows of the projections, scaled by d_k."""
    attention = tiny_model(num_heads=3, d_k=4, d_v=7).model.decoder.layers[0].cross_attention
    x, memory = torch.randn(5, 16, dtype=torch.float64), torch.randn(6, 16, dtype=torch.float64)
    w_q, w_k = attention.w_q.weight.split(4), attention.w_k.weight.split(4)
    heads = [
        torch.softmax((x @ q.T) @ (memory @ k.T).T / 4**0.5, dim=-1) @ (memory @ v.T)
        for q, k, v in zip(w_q, w_k, attention.w_v.weight.split(7), strict=True)
    ]
    output, _ = attention(x[None], mask=None, memory=memory[None])
    torch.testing.assert_close(output[0], torch.cat(heads, dim=-1) @ attention.w_o.weight.T)


@pytest.fixture
def _unfused_flex() -> Any:
    """Let flex attention run as written, since a compilation for every shape takes minutes; see test_model_compiled."""
    with torch.compiler.set_stance("force_eager"):
        yield


@pytest.mark.usefixtures("_unfused_flex")
@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile", "ignore:_compile flag")
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-5)])
@pytest.mark.parametrize("attention", ["sdpa", "flex_attention"])
def test_every_path_equals_equation_1(
    tiny_model: MakeModel,
    padded_batch: MakeBatch,
    attention: str,
    variant: dict[str, Any],
    dtype: torch.dtype,
    tolerance: float,
) -> None:
    model = tiny_model(**variant).to(dtype)
    for batch in (padded_batch(), {**padded_batch(), "attention_mask": None}):
        with torch.no_grad():  # flex attention has no backward pass on CPU
            model.set_attn_implementation("eager")
            expected = model(**batch).logits
            model.set_attn_implementation(attention)
            torch.testing.assert_close(model(**batch).logits, expected, rtol=tolerance, atol=tolerance)


def test_sdpa_has_the_gradients_of_equation_1(
    tiny_model: MakeModel, padded_batch: MakeBatch, variant: dict[str, Any]
) -> None:
    gradients = []
    for attention in ("eager", "sdpa"):
        model = tiny_model(attention=attention, **variant)
        model(**padded_batch()).loss.backward()
        gradients.append({name: parameter.grad for name, parameter in model.named_parameters()})
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-9, atol=1e-9)


@pytest.mark.usefixtures("_unfused_flex")
@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile", "ignore:_compile flag")
@pytest.mark.parametrize("attention", ["sdpa", "flex_attention"])
def test_the_chosen_path_is_the_one_that_runs(
    tiny_model: MakeModel, padded_batch: MakeBatch, attention: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = ALL_ATTENTION_FUNCTIONS[attention], []

    def counted(module: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(module)
        return real(module, *args, **kwargs)

    monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS._local_mapping, attention, counted)
    with torch.no_grad():
        tiny_model(attention=attention)(**padded_batch())
    assert len(calls) == 2 + 2 * 3  # one in each of 2 encoder layers, two in each of 3 decoder layers


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_nothing_looks_at_padding_the_future_or_another_sentence(
    tiny_model: MakeModel, padded_batch: MakeBatch, attention: str, variant: dict[str, Any]
) -> None:
    """The gradient of one position's logits is zero at each input that it must not see, and only there."""
    model, batch = tiny_model(attention=attention, **variant), padded_batch()
    source_mask = batch["attention_mask"].bool()
    source_mask[0, 2] = False  # a hole, and not only an end, is padding too
    target_ids = shift_right(batch["labels"], start=2, padding=1)
    target_mask = torch.ones_like(target_ids, dtype=torch.bool)
    target_mask[0, 1] = False
    source = model.get_input_embeddings()(batch["input_ids"]).detach().requires_grad_()
    target = model.get_input_embeddings()(target_ids).detach().requires_grad_()
    logits = model(
        inputs_embeds=source,
        attention_mask=source_mask,
        decoder_inputs_embeds=target,
        decoder_attention_mask=target_mask,
    ).logits
    for row in range(logits.shape[0]):
        for position in range(logits.shape[1]):
            outcome = logits[row, position].square().sum()
            by_source, by_target = torch.autograd.grad(outcome, (source, target), retain_graph=True)
            sees_source, sees_target = torch.zeros_like(source_mask), torch.zeros_like(target_mask)
            sees_source[row] = source_mask[row]
            sees_target[row, : position + 1] = target_mask[row, : position + 1]
            sees_target[row, position] = True  # through the residual connection
            assert torch.equal(by_source.ne(0).any(-1), sees_source)
            assert torch.equal(by_target.ne(0).any(-1), sees_target)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_what_stands_in_padding_or_in_the_future_changes_no_bit(
    tiny_model: MakeModel, padded_batch: MakeBatch, attention: str
) -> None:
    model, batch = tiny_model(attention=attention), padded_batch()
    target = shift_right(batch["labels"], start=2, padding=1)
    before = model(batch["input_ids"], batch["attention_mask"], target).logits
    other_padding = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, 17)
    assert not torch.equal(other_padding, batch["input_ids"])
    assert torch.equal(model(other_padding, batch["attention_mask"], target).logits, before)
    other_future = target.clone()
    other_future[:, 4:] = 17
    after = model(batch["input_ids"], batch["attention_mask"], other_future).logits
    assert torch.equal(after[:, :4], before[:, :4])
    assert not torch.equal(after[:, 4:], before[:, 4:])


def test_recorded_weights_are_distributions_over_what_may_be_seen(
    tiny_model: MakeModel, padded_batch: MakeBatch
) -> None:
    batch = padded_batch()
    output = tiny_model(d_k=6, d_v=10)(**batch, output_attentions=True)
    rows, source_length = batch["input_ids"].shape
    target_length = batch["labels"].shape[1]
    source_mask = batch["attention_mask"].bool()[:, None, None]
    causal = torch.ones(target_length, target_length, dtype=torch.bool).tril()
    for weights, layers, shape, allowed in (
        (output.encoder_attentions, 2, (rows, 2, source_length, source_length), source_mask),
        (output.decoder_attentions, 3, (rows, 2, target_length, target_length), causal),
        (output.cross_attentions, 3, (rows, 2, target_length, source_length), source_mask),
    ):
        assert [weight.shape for weight in weights] == [shape] * layers
        for weight in weights:
            torch.testing.assert_close(weight.sum(-1), torch.ones(shape[:-1], dtype=weight.dtype))
            assert torch.equal(weight > 0, allowed.expand(shape))


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_recorded_hidden_states_run_from_the_embeddings_to_the_last_layer(
    tiny_model: MakeModel, padded_batch: MakeBatch, norm: str
) -> None:
    model, batch = tiny_model(norm=norm), padded_batch()
    output = model.model(
        batch["input_ids"],
        batch["attention_mask"],
        shift_right(batch["labels"], start=2, padding=1),
        output_hidden_states=True,
    )
    assert [state.shape for state in output.encoder_hidden_states] == [(3, 7, 16)] * (2 + 1)
    assert [state.shape for state in output.decoder_hidden_states] == [(3, 6, 16)] * (3 + 1)
    embedded = model.model.tokens(batch["input_ids"]) * 4.0 + sinusoidal_positions(torch.arange(7), 16)
    torch.testing.assert_close(output.encoder_hidden_states[0], embedded)
    assert torch.equal(output.encoder_hidden_states[-1], output.encoder_last_hidden_state)
    assert torch.equal(output.decoder_hidden_states[-1], output.last_hidden_state)
    for states in (output.encoder_hidden_states, output.decoder_hidden_states):
        assert not any(torch.equal(state, following) for state, following in pairwise(states))


def test_nothing_is_recorded_unless_asked_for(tiny_model: MakeModel, padded_batch: MakeBatch) -> None:
    assert set(tiny_model()(**padded_batch())) == {"loss", "logits", "encoder_last_hidden_state"}
