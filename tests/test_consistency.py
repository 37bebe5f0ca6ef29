"""R-Drop and SimCut: two passes, their loss and its gradients as written in the papers, resumed to the same bits."""

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from corpus_of_numbers import number_tokenizer
from forked_python import ForkedPopen
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from test_experiment import TINY, one_thread, recipe, run, toy_text
from test_training import network, train
from torch import Tensor
from torch.nn import functional as F

from vaswani.modeling import VaswaniForConditionalGeneration
from vaswani.training import VaswaniTrainingArguments, consistency
from vaswani.training import loss as fused_loss
from vaswani.training.consistency import KINDS, RDROP, SIMCUT, WEIGHTS, add_consistency, consistent_loss
from vaswani.training.loss import fuse_loss

KINDS_OF_LOSS = pytest.mark.parametrize("kind", [RDROP, SIMCUT])


def by_torch(kind: str, logits: Tensor, labels: Tensor, smoothing: float, weight: float) -> Tensor:
    """The papers' formulas by autograd; R-Drop's halved. `logits` `[2, n, V]`."""
    there = labels != -100
    x, z = logits[:, there]
    p, q = x.log_softmax(-1), z.log_softmax(-1)
    first, second = (
        F.cross_entropy(each, labels[there], label_smoothing=smoothing, reduction="sum") for each in (x, z)
    )
    forward = F.kl_div(q, p, log_target=True, reduction="sum")  # KL(p || q)
    backward = F.kl_div(p, q, log_target=True, reduction="sum")
    if kind == SIMCUT:
        return first + weight * forward
    return (first + second + weight * (forward + backward) / 2) / 2


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from([RDROP, SIMCUT]),
    tokens=st.integers(1, 70),
    vocab_size=st.integers(2, 40),
    smoothing=st.sampled_from([0.0, 0.1]),
    weight=st.sampled_from([0.0, 1.0, 5.0]),
    ignored=st.floats(0, 1),
    scale=st.sampled_from([0.1, 1.0, 100.0]),
    is_biased=st.booleans(),
    are_ignored_kept=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_loss_and_gradients_are_those_of_the_formulas(
    kind: str,
    tokens: int,
    vocab_size: int,
    smoothing: float,
    weight: float,
    ignored: float,
    scale: float,
    is_biased: bool,
    are_ignored_kept: bool,
    seed: int,
) -> None:
    """Over several parts, at logits so far apart that probabilities underflow, and with no token left; as on an
    accelerator too, where ignored tokens are not left out beforehand."""
    draw = torch.Generator().manual_seed(seed)
    hidden = (scale * torch.randn(2, tokens, 6, generator=draw, dtype=torch.float64)).requires_grad_()
    table = torch.randn(vocab_size, 6, generator=draw, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(vocab_size, generator=draw, dtype=torch.float64, requires_grad=True) if is_biased else None
    labels = torch.randint(vocab_size, (tokens,), generator=draw)
    labels[torch.rand(tokens, generator=draw) < ignored] = -100
    learned = [hidden, table] if bias is None else [hidden, table, bias]
    with pytest.MonkeyPatch.context() as small:
        small.setattr(consistency, "ROWS_ON_PROCESSORS", 32)
        small.setattr(fused_loss, "IN_CACHE", 10 * vocab_size)
        if are_ignored_kept:
            loss = consistency._ConsistentLoss.apply(*hidden, table, labels, smoothing, KINDS[kind], weight, bias)
        else:
            loss = consistent_loss(hidden, table, labels.repeat(2, 1), smoothing, KINDS[kind], weight, bias)
        of_loss = torch.autograd.grad(3 * loss, learned)
    logits = hidden @ table.T if bias is None else hidden @ table.T + bias
    expected = by_torch(kind, logits, labels, smoothing, weight)
    torch.testing.assert_close(loss, expected, rtol=1e-11, atol=1e-9)
    for found, right in zip(of_loss, torch.autograd.grad(3 * expected, learned), strict=True):
        torch.testing.assert_close(found, right, rtol=1e-9, atol=1e-9)


def batch() -> dict[str, Tensor]:
    """Three rows of unlike lengths; 1 is the padding."""
    draw = torch.Generator().manual_seed(3)
    tokens = torch.randint(5, 270, (2, 3, 9), generator=draw)
    lengths = torch.tensor([9, 4, 7])
    there = torch.arange(9) < lengths[:, None]
    return {
        "input_ids": tokens[0].masked_fill(~there, 1),
        "attention_mask": there.long(),
        "labels": tokens[1].masked_fill(~there, -100),
    }


def gradients(model: VaswaniForConditionalGeneration, loss: Any) -> dict[str, Tensor]:
    model.zero_grad()
    loss.backward()
    return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}


def test_r_drop_is_two_passes_with_unlike_dropout() -> None:
    """Against a loop that makes the doubled batch by hand, with the same random numbers."""
    model = network(0.3).double().train()
    plain = network(0.3).double().train()
    add_consistency(model, RDROP, 5.0, 0.05)
    torch.manual_seed(1)
    found = model(**batch(), num_items_in_batch=20).loss
    twice = {name: value.repeat(2, 1) for name, value in batch().items()}
    torch.manual_seed(1)
    logits = plain(**twice).logits.view(2, 27, -1)
    assert not torch.equal(logits[0], logits[1])
    expected = by_torch(RDROP, logits, batch()["labels"].flatten(), 0.1, 5.0) / 20
    torch.testing.assert_close(found, expected)
    ours, theirs = gradients(model, found), gradients(plain, expected)
    assert ours.keys() == theirs.keys()
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient)


def test_without_dropout_r_drop_is_the_plain_loss() -> None:
    model, plain = network(0.0).double().train(), network(0.0).double().train()
    add_consistency(model, RDROP, 5.0, 0.05)
    fuse_loss(plain)
    torch.testing.assert_close(model(**batch()).loss, plain(**batch()).loss)


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_simcut_leaves_out_embeddings_of_the_second_pass_alone(share: float) -> None:
    model, plain = network(0.0).double().train(), network(0.0).double().train()
    add_consistency(model, SIMCUT, 3.0, share)
    seen: dict[str, Tensor] = {}
    for side, stack in (("source", model.get_encoder()), ("target", model.get_decoder())):
        stack.positions.register_forward_pre_hook(lambda _, given, side=side: seen.__setitem__(side, given[0].detach()))
    found = model(**batch()).loss
    for side, tokens in (("source", batch()["input_ids"]), ("target", None)):
        first, second = seen[side].chunk(2)
        is_cut = (second == 0).all(-1)
        assert torch.equal(second[~is_cut], first[~is_cut])
        assert not (first == 0).all(-1).any()
        assert is_cut.any() == (share > 0)
        if tokens is not None:
            assert torch.equal(first, model.model.tokens(tokens))
            assert not is_cut[:, -1].any()
    whole = plain(**batch())
    labels = batch()["labels"]
    if share == 0:  # one pass is the other
        torch.testing.assert_close(found, whole.loss)
        return
    cut = plain(
        inputs_embeds=seen["source"].chunk(2)[1], attention_mask=batch()["attention_mask"],
        decoder_inputs_embeds=seen["target"].chunk(2)[1],
    ).logits  # fmt: skip
    logits = torch.stack([whole.logits, cut]).flatten(1, 2)
    expected = by_torch(SIMCUT, logits, labels.flatten(), 0.1, 3.0) / (labels != -100).sum()
    torch.testing.assert_close(found, expected)


@KINDS_OF_LOSS
def test_in_evaluation_mode_nothing_changes(kind: str) -> None:
    model, plain = network(0.3).eval(), network(0.3).eval()
    add_consistency(model, kind, 5.0, 0.5)
    ours, theirs = model(**batch()), plain(**batch())
    assert torch.equal(ours.logits, theirs.logits)
    assert torch.equal(ours.loss, theirs.loss)
    chosen: dict[str, Any] = {"num_beams": 2, "max_new_tokens": 5}
    source = {name: value for name, value in batch().items() if name != "labels"}
    assert torch.equal(model.generate(**source, **chosen), plain.generate(**source, **chosen))


@KINDS_OF_LOSS
def test_a_step_s_micro_batches_make_one_step(kind: str, tmp_path: Path) -> None:
    """Without random numbers: two micro-batches in one step against their sum, divided by the tokens of both."""
    alone, _, _ = train(tmp_path / "a", number_tokenizer(), consistency=kind, cut_share=0.0, batches_per_step=2)
    plain, _, _ = train(tmp_path / "b", number_tokenizer(), batches_per_step=2)
    for (name, ours), theirs in zip(alone.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, msg=name, rtol=1e-3, atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "more"), [(RDROP, ["--bf16_throughout"]), (SIMCUT, []), (SIMCUT, ["--gradient_checkpointing"])]
)
def test_killed_it_resumes_to_the_same_bits(kind: str, more: list[str], tmp_path: Path) -> None:
    text, whole, cut = toy_text(tmp_path), tmp_path / "whole", tmp_path / "cut"

    def flags(folder: Path) -> list[str]:
        every = ["--max_steps", "20", "--eval_steps", "20", "--save_steps", "5", "--average_checkpoints", "1"]
        of_run = ["--data_dir", str(text), "--direction", "en-nds", "--output_dir", str(folder), "--dropout", "0.2"]
        return [*of_run, *TINY, *every, "--consistency", kind, *more]

    run(*flags(whole))
    with ForkedPopen[bytes](recipe(*flags(cut)), env=one_thread(), stdout=subprocess.DEVNULL) as started:
        while not (cut / "checkpoint-5" / "manifest.json").exists() and started.poll() is None:
            time.sleep(0.01)
        started.send_signal(signal.SIGKILL)
    if not (cut / "metrics.json").exists():
        assert "Resuming from checkpoint-" in run(*flags(cut), "--resume").stdout
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (cut, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    plain = tmp_path / "plain"
    left_out = flags(plain).index("--consistency")
    run(*flags(plain)[:left_out], *more)
    other = load_file(plain / "model.safetensors")
    assert not all(torch.equal(ours[name], other[name]) for name in theirs)


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    for values, what in (
        ({"consistency": "bidrop"}, "--consistency is bidrop; give rdrop or simcut"),
        ({"consistency_weight": 2.0}, "weighs nothing without --consistency"),
        ({"consistency": RDROP, "consistency_weight": -1.0}, "give at least 0"),
        ({"consistency": SIMCUT, "cut_share": 1.0}, "--cut_share is 1.0"),
    ):
        with pytest.raises(ValueError, match=what):
            VaswaniTrainingArguments(output_dir=str(tmp_path), **values)
    for kind, weight in WEIGHTS.items():
        assert VaswaniTrainingArguments(output_dir=str(tmp_path), consistency=kind).consistency_weight == weight
