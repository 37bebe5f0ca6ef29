"""torch.compile changes nothing but the time: the whole forward pass, and flex attention's fused kernel."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._dynamo.utils import counters

MakeModel = Callable[..., Any]  # VaswaniForConditionalGeneration, less the types that transformers gives its methods
MakeBatch = Callable[..., dict[str, Tensor]]


@pytest.fixture(autouse=True)
def _fresh_compiler() -> None:
    torch._dynamo.reset()
    counters.clear()


@pytest.mark.slow
@pytest.mark.parametrize("parts", [{}, {"attention_bias": True, "activation": "silu", "output_bias": True}])
def test_the_compiled_forward_pass_gives_the_same_loss_and_logits(
    tiny_model: MakeModel, padded_batch: MakeBatch, parts: dict[str, Any]
) -> None:
    model, batch = tiny_model(attention="sdpa", encoder_layers=1, decoder_layers=1, **parts).float(), padded_batch()
    compiled = torch.compile(model, fullgraph=True)
    with torch.no_grad():
        expected, output = model(**batch), compiled(**batch)
    assert counters["stats"]["unique_graphs"] == 1
    torch.testing.assert_close(output.logits, expected.logits, rtol=2e-5, atol=2e-5)
    torch.testing.assert_close(output.loss, expected.loss, rtol=2e-5, atol=2e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("error:flex_attention called without torch.compile")
def test_the_fused_kernel_of_flex_attention_equals_equation_1(tiny_model: MakeModel, padded_batch: MakeBatch) -> None:
    """In the encoder alone, since each kind of mask is another long compilation; the rest runs unfused elsewhere."""
    model, batch = tiny_model(d_k=6, d_v=10).float(), padded_batch()
    source = {name: batch[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():  # on CPU it has neither gradients nor float64
        expected = model.get_encoder()(**source).last_hidden_state
        model.set_attn_implementation("flex_attention")
        output = model.get_encoder()(**source).last_hidden_state
    assert counters["stats"]["unique_graphs"] > 0
    torch.testing.assert_close(output, expected, rtol=2e-5, atol=2e-5)
