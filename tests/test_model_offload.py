"""Weights that Accelerate's hooks keep elsewhere, and bring for the module that is called: the same numbers as ever."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import accelerate
import pytest
import torch
from torch import Tensor

from vaswani.modeling import VaswaniForConditionalGeneration
from vaswani.training.loss import fuse_loss

MakeModel = Callable[..., Any]
MakeBatch = Callable[..., dict[str, Tensor]]

VARIANTS: dict[str, dict[str, Any]] = {
    "the paper's": {},
    "learned, pre-norm": {"positions": "learned", "norm": "pre"},
    "a descendant": {"attention_bias": True, "activation": "silu", "output_bias": True},
}


@pytest.fixture(params=VARIANTS)
def model(request: pytest.FixtureRequest, tiny_model: MakeModel) -> Any:
    return tiny_model(**VARIANTS[request.param])


def outputs(model: Any, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, loss and translations with beams."""
    with torch.no_grad():
        scored = model(**batch)
    source = {name: batch[name] for name in ("input_ids", "attention_mask")}
    return scored.logits, scored.loss, model.generate(**source, num_beams=3, max_new_tokens=9)


def assert_same(found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    for mine, right in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, right, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("to", ["memory", "disk"])
def test_offloaded_weights_give_the_same(model: Any, padded_batch: MakeBatch, tmp_path: Path, to: str) -> None:
    """A weight that is read past its module is memory that nobody wrote, without an error."""
    batch = padded_batch()
    expected = outputs(model, batch)
    if to == "memory":
        accelerate.cpu_offload(model, execution_device="cpu")
    else:
        accelerate.disk_offload(model, tmp_path, execution_device="cpu")
    assert model.lm_head.weight.device.type == "meta"
    assert_same(outputs(model, batch), expected)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4, 0.6, 0.9, 2.0])
def test_every_map_that_accelerate_draws_gives_the_same(
    model: Any, padded_batch: MakeBatch, tmp_path: Path, share: float
) -> None:
    """`device_map="auto"` with less and less memory, the rest on disk."""
    batch = padded_batch()
    expected = outputs(model, batch)
    model.save_pretrained(tmp_path / "model")
    room = int(share * sum(weight.numel() * weight.element_size() for weight in model.parameters()))
    loaded = VaswaniForConditionalGeneration.from_pretrained(
        tmp_path / "model",
        device_map="auto",
        max_memory={"cpu": room},
        offload_folder=tmp_path / "disk",
        attn_implementation="eager",
        dtype=torch.float64,
    ).eval()
    devices = {weight.device.type for weight in loaded.parameters()}
    assert ("meta" in devices) == (share < 1)
    assert_same(outputs(loaded, batch), expected)


@pytest.mark.parametrize("offload", [accelerate.cpu_offload_with_hook, accelerate.cpu_offload])
def test_the_loss_without_logits_is_that_of_weights_kept_elsewhere(
    model: Any, padded_batch: MakeBatch, offload: Callable[..., Any]
) -> None:
    batch = padded_batch()
    fuse_loss(model)
    model.config.dropout = 0.0
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    model.train()
    with torch.no_grad():
        expected = model(**batch)
        offload(model, execution_device="cpu")
        found = model(**batch)
    assert expected.logits is None
    assert found.logits is None
    torch.testing.assert_close(found.loss, expected.loss, rtol=1e-12, atol=1e-12)


def test_no_module_is_handed_to_another_as_data(model: Any, padded_batch: MakeBatch) -> None:
    """Hooks move whatever a module is given, and would move a module's weights with it."""
    given = []
    for module in model.modules():
        module.register_forward_pre_hook(
            lambda _, args, kwargs: given.extend([*args, *kwargs.values()]), with_kwargs=True
        )
    model(**padded_batch())
    assert given
    assert not [each for each in given if isinstance(each, torch.nn.Module)]
