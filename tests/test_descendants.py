"""What the paper has not and its descendants have: biases in attention and on the logits, and other activations.

Off by default, where nothing is another than before; switched on, the network is torch's own, and everything that
computes with it follows.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import test_same_learning
import torch
from forked import Forks
from safetensors.torch import load_file
from test_ctranslate2 import log_p, random_rows, scored
from test_fast_training import batch, gradients
from test_same_learning import left, train_and_leave
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedTokenizerFast, set_seed

from vaswani.engines.ctranslate2 import Engine
from vaswani.engines.ctranslate2_network import export
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.modeling.modeling_vaswani import sinusoidal_positions
from vaswani.training.loss import fuse_loss
from vaswani.training.speed.bfloat16 import compute_in_bfloat16

MakeModel = Callable[..., Any]
PARTS: dict[str, Any] = {"attention_bias": True, "activation": "silu", "output_bias": True}
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "silu": F.silu, "gelu": F.gelu}


def test_the_papers_network_has_the_weights_that_it_had(tiny_model: MakeModel, tmp_path: Path) -> None:
    model = tiny_model(norm="pre")
    biased = {name for name in model.state_dict() if name.endswith("bias")}
    assert not [name for name in biased if "norm" not in name and "feed_forward" not in name]
    with_all = tiny_model(norm="pre", **PARTS).state_dict()
    more = {f"{part}.bias" for name in with_all if (part := name.removesuffix(".weight"))[-3:-1] == "w_"}
    assert with_all.keys() - model.state_dict().keys() == {
        *(each for each in more if "attention" in each),
        "lm_head.bias",
    }
    model.save_pretrained(tmp_path)
    assert load_file(tmp_path / "model.safetensors").keys() == {
        name for name in model.state_dict() if "coder.tokens" not in name and "lm_head" not in name
    }
    config = json.loads((tmp_path / "config.json").read_text())
    assert [config.pop(name) for name in PARTS] == [False, "relu", False]
    (tmp_path / "config.json").write_text(json.dumps(config))  # as it was before there were these fields
    asked = torch.tensor([[5, 6, 7, 3]])
    old: Any = VaswaniForConditionalGeneration.from_pretrained(tmp_path, attn_implementation="eager").eval()
    assert [getattr(old.config, name) for name in PARTS] == [False, "relu", False]
    assert torch.equal(old(asked, decoder_input_ids=asked).logits, model(asked, decoder_input_ids=asked).logits)


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
def test_the_network_is_torchs(tiny_model: MakeModel, activation: str, norm: str) -> None:
    """torch.nn.Transformer has the biases too; its own are drawn, and the logits get one."""
    ours = tiny_model(**PARTS | {"activation": activation, "norm": norm})
    config = ours.config
    theirs = nn.Transformer(
        *(config.d_model, config.num_heads, config.encoder_layers, config.decoder_layers, config.d_ff),
        dropout=0.0,
        activation=ACTIVATIONS[activation],
        batch_first=True,
        norm_first=norm == "pre",
    ).double()
    for stack in ("encoder", "decoder"):
        if norm == "post":
            getattr(theirs, stack).norm = None
        else:
            getattr(theirs, stack).norm.load_state_dict(getattr(ours.model, stack).final_norm.state_dict())
        for layer, to in zip(getattr(ours.model, stack).layers, getattr(theirs, stack).layers, strict=True):
            pairs = {"self_attention": to.self_attn, "cross_attention": getattr(to, "multihead_attn", None)}
            names = [name for name in pairs if hasattr(layer, name)]
            for name in names:
                mine, other = getattr(layer, name), pairs[name]
                for kind in ("weight", "bias"):
                    parts = [getattr(getattr(mine, f"w_{letter}"), kind) for letter in "qkv"]
                    getattr(other, f"in_proj_{kind}").data = torch.cat(parts).detach()
                other.out_proj.load_state_dict(mine.w_o.state_dict())
            to.linear1.load_state_dict(layer.feed_forward.w_1.state_dict())
            to.linear2.load_state_dict(layer.feed_forward.w_2.state_dict())
            for place, name in enumerate([*names, "feed_forward"], 1):
                getattr(to, f"norm{place}").load_state_dict(getattr(layer, f"{name}_residual").norm.state_dict())
    draw = torch.Generator().manual_seed(1)
    source, target = (torch.randint(4, 29, (2, length), generator=draw) for length in (7, 5))
    rows = [ours.model.tokens(ids) * math.sqrt(16) + sinusoidal_positions(torch.arange(ids.shape[1]), 16) for ids in
            (source, target)]  # fmt: skip
    causal = torch.ones(5, 5, dtype=torch.bool).triu(1)
    with torch.no_grad():
        expected = theirs(*rows, tgt_mask=causal) @ ours.model.tokens.weight.T + ours.lm_head.bias
        found = ours(source, decoder_input_ids=target).logits
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    assert expected.std() > 0.1


def test_a_fresh_network_begins_without_biases(tiny_config: Callable[..., VaswaniConfig], tmp_path: Path) -> None:
    """Drawn again too, where a file lacks them and transformers builds the network without memory."""
    model = VaswaniForConditionalGeneration(tiny_config(**PARTS))
    VaswaniForConditionalGeneration(tiny_config()).save_pretrained(tmp_path)
    loaded: Any = VaswaniForConditionalGeneration.from_pretrained(tmp_path, **PARTS, output_loading_info=True)
    drawn, told = loaded
    assert "lm_head.bias" in told["missing_keys"]
    for each in (model, drawn):
        biases = [weight for name, weight in each.named_parameters() if name.endswith(".bias") and "norm" not in name]
        assert len(biases) == 2 * 5 + 4 * (2 + 2 * 3) + 1  # of 5 layers, of 8 attentions, of the logits
        assert not any(bias.any() for bias in biases)


@pytest.mark.parametrize("size", [29 + 8, 29 - 4])
def test_another_vocabulary_keeps_the_bias_of_the_old_tokens(tiny_model: MakeModel, size: int) -> None:
    model, ids, kept = tiny_model(**PARTS), torch.tensor([[5, 6, 7, 3]]), min(size, 29)
    with torch.no_grad():
        before = model(ids, decoder_input_ids=ids).logits
        model.resize_token_embeddings(size, mean_resizing=False)
        after = model(ids, decoder_input_ids=ids).logits
    torch.testing.assert_close(after[..., :kept], before[..., :kept], rtol=1e-12, atol=1e-12)
    assert model.lm_head.bias.shape == (size,)
    assert not model.lm_head.bias[kept:].any()
    model(ids, labels=ids).loss.backward()
    assert model.lm_head.bias.grad.shape == (size,)
    table = nn.Embedding(11, 16, dtype=torch.float64)
    model.set_input_embeddings(table)
    assert model(ids, decoder_input_ids=ids).logits.shape == (1, 4, 11)


def test_what_makes_training_faster_learns_the_same(tiny_model: MakeModel) -> None:
    """The loss without logits, and bfloat16 throughout, but for rounding."""
    model = tiny_model(**PARTS).float().train()
    sample = batch(model)
    expected, right = gradients(model, **sample)
    fuse_loss(model)
    assert model(**sample).logits is None
    loss, found = gradients(model, **sample)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-5)
    model.zero_grad()
    calm = VaswaniForConditionalGeneration(model.config)
    calm.set_attn_implementation("eager")
    _, right = gradients(calm.train(), **sample)
    fuse_loss(calm)
    compute_in_bfloat16(calm)
    _, found = gradients(calm, **sample)
    for name, gradient in found.items():
        assert gradient.dtype == torch.float32
        if not name.endswith("w_k.bias"):  # of which the gradient is zero, but for rounding
            assert F.cosine_similarity(gradient.flatten(), right[name].flatten(), dim=0) > 0.99, name


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_ctranslate2_has_each_activation(
    tiny_model: MakeModel, toy_tokenizer: PreTrainedTokenizerFast, tmp_path: Path, activation: str
) -> None:
    model = tiny_model(**PARTS | {"vocab_size": 290, "activation": activation}).float()
    export(model, toy_tokenizer, tmp_path)
    sources, targets = random_rows(1, [4, 11, 1], 290), random_rows(2, [9, 1, 5], 290)
    for source, target, found in zip(sources, targets, scored(Engine(tmp_path), sources, targets), strict=True):
        torch.testing.assert_close(found, log_p(model, source, target), rtol=0, atol=2e-5)


# --- spread over processes ---


def descendant() -> VaswaniForConditionalGeneration:
    set_seed(3)
    fields: dict[str, Any] = {
        "d_model": 32,
        "d_ff": 64,
        "num_heads": 4,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "dropout": 0.0,
    }
    return VaswaniForConditionalGeneration(VaswaniConfig(vocab_size=280, **fields, **PARTS))


def train_descendant(folder: Path) -> None:
    """Be one of the processes that train together, or the only one."""
    test_same_learning.network = descendant
    if torch.distributed.is_initialized():
        train_and_leave(folder)
    else:
        test_same_learning.leave_weights(test_same_learning.train(folder), folder)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["fsdp", "zero3"])
def test_a_descendant_spread_over_processes_learns_the_same(
    forks: Forks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Its projection has a weight that is another module's and a bias that is its own."""
    monkeypatch.setattr(test_same_learning, "network", descendant)
    for name in ("alone", "together"):
        (tmp_path / name).mkdir()
    train_descendant(tmp_path / "alone")
    forks.run(train_descendant, tmp_path / "together", kind=kind, folder=tmp_path / "together")
    expected, found = left(tmp_path / "alone"), left(tmp_path / "together")
    torch.testing.assert_close(found.losses, expected.losses, rtol=1e-5, atol=1e-5)
    assert found.weights.keys() == expected.weights.keys()
    for name, weight in expected.weights.items():
        if not name.endswith("w_k.bias"):  # moved by rounding alone
            torch.testing.assert_close(found.weights[name], weight, rtol=1e-4, atol=1e-4, msg=name)
    assert expected.weights["lm_head.bias"].std() > 1e-3
