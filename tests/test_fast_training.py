"""What makes training faster changes nothing of what is learned but rounding."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from corpus_of_numbers import number_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st
from test_training import network, train
from torch import Tensor
from torch.nn import functional as F
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from vaswani.modeling import VaswaniForConditionalGeneration
from vaswani.modeling.modeling_vaswani import scaled_dot_product_attention
from vaswani.training import VaswaniTrainingArguments, has_bf16
from vaswani.training import loss as fused_loss
from vaswani.training.exceptions import StartupError
from vaswani.training.loss import fuse_loss, smoothed_cross_entropy
from vaswani.training.speed.bfloat16 import compute_in_bfloat16
from vaswani.training.speed.dropout import BitDropout, drop_by_bits
from vaswani.training.speed.fastest_attention import fastest_attention
from vaswani.training.speed.process_memory import KERNELS, reuse_freed_memory


def by_torch(hidden: Tensor, table: Tensor, labels: Tensor, smoothing: float, bias: Tensor | None = None) -> Tensor:
    logits = hidden @ table.T if bias is None else hidden @ table.T + bias
    return F.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="sum")


@settings(max_examples=60, deadline=None)
@given(
    tokens=st.integers(1, 90),
    vocab_size=st.integers(2, 40),
    smoothing=st.sampled_from([0.0, 0.1, 0.2]),
    ignored=st.floats(0, 1),
    scale=st.sampled_from([0.1, 1.0, 200.0]),
    is_biased=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_the_fused_loss_is_torch_s_with_its_gradients(
    tokens: int, vocab_size: int, smoothing: float, ignored: float, scale: float, is_biased: bool, seed: int
) -> None:
    """Over several parts, with logits so far apart that the target's probability underflows, and with no token left."""
    draw = torch.Generator().manual_seed(seed)
    hidden = (scale * torch.randn(tokens, 6, generator=draw, dtype=torch.float64)).requires_grad_()
    table = torch.randn(vocab_size, 6, generator=draw, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(vocab_size, (tokens,), generator=draw)
    labels[torch.rand(tokens, generator=draw) < ignored] = -100
    bias = torch.randn(vocab_size, generator=draw, dtype=torch.float64, requires_grad=True) if is_biased else None
    learned = (hidden, table) if bias is None else (hidden, table, bias)
    with pytest.MonkeyPatch.context() as small:
        small.setattr(fused_loss, "ROWS_ON_PROCESSORS", 32)
        small.setattr(fused_loss, "IN_CACHE", 5 * vocab_size)
        loss = smoothed_cross_entropy(hidden, table, labels, smoothing, bias)
        of_loss = torch.autograd.grad(3 * loss, learned)
    expected = by_torch(hidden, table, labels, smoothing, bias)
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=1e-10)
    for found, right in zip(of_loss, torch.autograd.grad(3 * expected, learned), strict=True):
        torch.testing.assert_close(found, right, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("rows_at_once", [1, 7, 64])
def test_logits_in_bfloat16_cost_the_loss_no_digits_and_their_gradient_is_rounded_once(
    rows_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss of a token is that of its logits as they are, of which bfloat16 itself holds two digits."""
    draw = torch.Generator().manual_seed(1)
    logits = (4 * torch.randn(50, 300, generator=draw)).bfloat16()
    labels = torch.randint(300, (50, 1), generator=draw)
    exact = logits.double()
    right = exact.logsumexp(1) - 0.9 * exact.gather(1, labels)[:, 0]
    gradient = logits.float().softmax(1) - 0.1 / 300
    gradient.scatter_add_(1, labels, torch.full((50, 1), -0.9))
    monkeypatch.setattr(fused_loss, "IN_CACHE", 300 * rows_at_once)
    found = fused_loss._turn_into_gradient(logits, labels[:, 0], 0.1)
    torch.testing.assert_close(found.double(), right, rtol=1e-6, atol=1e-5)
    assert torch.equal(logits, gradient.bfloat16())


def test_ignored_tokens_that_are_not_left_out_beforehand_count_for_nothing() -> None:
    """As on an accelerator, where their number is not waited for."""
    hidden, table = (torch.randn(n, 6, dtype=torch.float64, requires_grad=True) for n in (20, 11))
    bias = torch.randn(11, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(11, (20,))
    labels[::3] = -100
    loss = fused_loss._SmoothedCrossEntropy.apply(hidden, table, labels, 0.1, bias)
    expected = by_torch(hidden, table, labels, 0.1, bias)
    torch.testing.assert_close(loss, expected)
    found = torch.autograd.grad(loss, (hidden, table, bias))
    for mine, right in zip(found, torch.autograd.grad(expected, (hidden, table, bias)), strict=True):
        torch.testing.assert_close(mine, right)


def batch(model: VaswaniForConditionalGeneration) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(5)
    ids, labels = (torch.randint(4, model.config.vocab_size, (3, 9), generator=draw) for _ in range(2))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    labels[2, 4:] = -100
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def gradients(model: Any, **batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
    model.zero_grad()
    output = model(**batch)
    output.loss.backward()
    return output.loss.detach(), {name: weight.grad.clone() for name, weight in model.named_parameters()}


@pytest.mark.parametrize("tokens", [None, torch.tensor(50)])
def test_a_model_without_logits_learns_the_same(tokens: Tensor | None) -> None:
    model = network(0.0).train()
    sample = batch(model) | ({} if tokens is None else {"num_items_in_batch": tokens})
    expected, right = gradients(model, **sample)
    fuse_loss(model)
    assert model(**sample).logits is None
    loss, found = gradients(model, **sample)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-6)


def test_evaluation_and_generation_are_those_of_the_plain_model() -> None:
    model = network(0.0).eval()
    sample = batch(model)
    expected, translation = model(**sample), model.generate(sample["input_ids"])
    fuse_loss(model)
    compute_in_bfloat16(model)
    found = model(**sample)
    assert torch.equal(found.logits, expected.logits)
    assert torch.equal(found.loss, expected.loss)
    assert torch.equal(model.generate(sample["input_ids"]), translation)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_bfloat16_throughout_learns_the_same_but_for_rounding(checkpointing: bool) -> None:
    model = network(0.0).train()
    model.set_attn_implementation("eager")
    sample = batch(model)
    expected, right = gradients(model, **sample)
    fuse_loss(model)
    compute_in_bfloat16(model)
    if checkpointing:
        model.gradient_checkpointing_enable()
    kinds = []
    for layer in (*model.model.encoder.layers, *model.model.decoder.layers):
        layer.register_forward_hook(lambda _, __, hidden: kinds.append(hidden.dtype))
    loss, found = gradients(model, **sample)
    assert set(kinds) == {torch.bfloat16}
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(float(expected), rel=0.01)
    for name, gradient in found.items():
        assert gradient.dtype == torch.float32
        assert F.cosine_similarity(gradient.flatten(), right[name].flatten(), dim=0) > 0.99, name


def test_a_row_looked_up_often_has_its_gradients_summed_in_float32() -> None:
    """300 times 1 are 256 in bfloat16."""
    table = torch.nn.Embedding(3, 2)
    compute_in_bfloat16(table)
    table(torch.ones(300, dtype=torch.long)).sum().backward()
    assert table.weight.grad is not None
    assert table.weight.grad[1].tolist() == [300.0, 300.0]


def test_a_run_in_bfloat16_throughout_learns_and_goes_on_to_the_bit(tmp_path: Any) -> None:
    tokenizer = number_tokenizer()
    whole, trainer, _ = train(tmp_path, tokenizer, dropout=0.1, bf16_throughout=True, max_steps=8, save_steps=4)
    losses = [log["loss"] for log in trainer.state.log_history if "loss" in log]
    assert losses[-1] < losses[0]
    before = tmp_path / "checkpoint-4"
    parts, _, _ = train(tmp_path, tokenizer, dropout=0.1, checkpoint=before, bf16_throughout=True, max_steps=8)
    for (name, mine), other in zip(parts.named_parameters(), whole.parameters(), strict=True):
        assert mine.dtype == torch.float32
        assert torch.equal(mine, other), name


def test_throughout_takes_the_place_of_autocast(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not VaswaniTrainingArguments(output_dir=str(tmp_path), bf16=True, bf16_throughout=True).bf16
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    with pytest.raises(StartupError, match="launch with --mixed_precision no"):
        VaswaniTrainingArguments(output_dir=str(tmp_path), bf16_throughout=True)


@settings(max_examples=40, deadline=None)
@given(
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    p=st.sampled_from([0.0, 0.1, 0.3, 0.5, 1.0]),
    kind=st.sampled_from([torch.float64, torch.float32, torch.bfloat16]),
    seed=st.integers(0, 2**16),
)
def test_dropout_by_bits_keeps_or_drops_each_element_and_its_gradient_alike(
    shape: list[int], p: float, kind: torch.dtype, seed: int
) -> None:
    torch.manual_seed(seed)
    dropout = BitDropout(p)
    hidden = (1 + torch.rand(*shape, dtype=torch.float64)).to(kind).transpose(0, -1).requires_grad_()
    torch.manual_seed(seed)
    dropped = dropout(hidden)
    [gradient] = torch.autograd.grad(dropped.sum(), hidden)
    kept = dropped != 0
    assert bool(kept.all() if p == 0 else True)
    assert not bool(kept.any() if p == 1 else False)
    dividing = 1 - round(p * 65536) / 65536
    torch.testing.assert_close(dropped[kept], (hidden.double() / dividing).to(kind)[kept], rtol=0.005, atol=0)
    torch.testing.assert_close(gradient, kept.to(kind) / (dividing or 1), rtol=0.005, atol=0)
    torch.manual_seed(seed)
    assert torch.equal(dropout(hidden), dropped)
    assert dropout.eval()(hidden) is hidden


def test_dropout_by_bits_takes_the_place_of_each_dropout_in_its_mode() -> None:
    inner = torch.nn.Sequential(torch.nn.Dropout(0.25), torch.nn.Linear(2, 2)).eval()
    model = torch.nn.Sequential(torch.nn.Dropout(0.1), inner)
    drop_by_bits(model)
    found = [module for module in model.modules() if isinstance(module, torch.nn.Dropout)]
    assert [(type(each), each.p, each.training) for each in found] == [
        (BitDropout, 0.1, True),
        (BitDropout, 0.25, False),
    ]


@pytest.mark.parametrize("p", [0.1, 0.3])
def test_dropout_by_bits_drops_the_share_asked_for_and_no_place_tells_of_another(p: float) -> None:
    torch.manual_seed(3)
    dropout = BitDropout(p)
    ones = torch.ones(1_000_001, dtype=torch.bfloat16)  # no multiple of the four elements of a draw
    dropped = dropout(ones).double()
    gone = (dropped == 0).double()
    within = 5 / len(gone) ** 0.5  # five standard errors of a correlation, and more than five of the share
    assert float(gone.mean()) == pytest.approx(p, abs=within * (p * (1 - p)) ** 0.5)
    for distance in (1, 2, 3, 4, 5):
        both = gone[:-distance] * gone[distance:]
        assert float(both.mean()) == pytest.approx(p * p, abs=within * p * (1 - p) + 2 * p * 1e-3)
    # Of 1 / (1 - p) only the nearest bfloat16 can be kept, of many other numbers the mean is right.
    spread = torch.rand(1_000_000, dtype=torch.float64).add(1).bfloat16()
    assert float(dropout(spread).double().mean() / spread.double().mean()) == pytest.approx(1, abs=2e-3)


def test_freed_memory_is_used_again_rather_than_asked_for_anew() -> None:
    """Each page that the system has to give is a fault; 2^24 floats are 16,384 of 4 KB."""
    script = (
        "import resource, torch\n"
        "from vaswani.training.speed.process_memory import KERNELS, reuse_freed_memory\n"
        "def faults():\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    for _ in range(8): torch.ones(2**24)\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
        "anew = faults()\n"
        "is_kept = reuse_freed_memory()\n"
        "faults()\n"
        "print(is_kept, anew, min(faults() for _ in range(3)))"  # where blocks lie may ask for one more at first
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    is_kept, anew, again = done.stdout.split()
    if is_kept == "False":
        pytest.skip("the C library is not glibc")
    if int(anew) < 1000:
        pytest.skip("the system gives memory in large pages")
    assert int(again) < int(anew) / 20


@pytest.mark.skipif(not has_bf16(), reason="kernels are written where the hardware multiplies bfloat16")
def test_batches_of_many_shapes_leave_few_kernels_behind(tmp_path: Path) -> None:
    """Of a thousand shapes: 665 MB were measured, and 7 MB where few are kept: in training, and by commands."""
    network(dropout=0).save_pretrained(tmp_path)
    number_tokenizer().save_pretrained(tmp_path)
    script = (
        "import sys, torch\n"
        "from pathlib import Path\n"
        "from vaswani.translation.models import load_model\n"
        "from vaswani.training.speed.process_memory import limit_kernel_cache\n"
        "if sys.argv[1] == 'few': limit_kernel_cache()\n"
        "load_model(Path(sys.argv[2]), torch.device('cpu'), 'bfloat16' if sys.argv[1] == 'of a model' else 'float32')\n"
        "torch.set_num_threads(1)\n"
        "def resident(): return int(Path('/proc/self/statm').read_text().split()[1])\n"
        "left, right = (torch.ones(rows, 64, dtype=torch.bfloat16) for rows in (1200, 64))\n"
        "for rows in range(100, 200): left[:rows] @ right\n"
        "before = resident()\n"
        "for rows in range(200, 1200): left[:rows] @ right\n"
        "print(resident() - before)"
    )
    environment = {name: value for name, value in os.environ.items() if name not in KERNELS}  # a run here has set them
    pages = {}
    for kept in ("many", "few", "of a model"):
        command = [sys.executable, "-c", script, kept, tmp_path]
        pages[kept] = int(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    assert pages["few"] < pages["many"] / 10
    assert pages["of a model"] < pages["many"] / 10


@pytest.mark.skipif(torch.accelerator.is_available() or not has_bf16(), reason="decided by processors that have bf16")
def test_attention_in_16_bits_is_written_out_since_that_is_faster() -> None:
    """Ten times was measured at this length; if torch becomes faster, mend training/speed/fastest_attention.py."""
    function = ALL_ATTENTION_FUNCTIONS.get_interface("sdpa", scaled_dot_product_attention)
    query, key, value = (torch.randn(64, 8, 16, 64, dtype=torch.bfloat16, requires_grad=True) for _ in range(3))
    module: Any = SimpleNamespace(training=True, is_causal=False, num_key_value_groups=1)
    allowed = torch.ones(64, 1, 16, 16, dtype=torch.bool)

    def fused() -> None:
        function(module, query, key, value, allowed, scaling=0.125, dropout=0.0)[0].sum().backward()

    def written_out() -> None:
        mask = torch.zeros_like(allowed, dtype=query.dtype)
        scaled_dot_product_attention(module, query, key, value, mask, scaling=0.125, dropout=0.0)[0].sum().backward()

    assert ratio(fused, written_out) > 1.5
    assert fastest_attention(torch.device("cpu"), in_16_bits=True) == "eager"


def ratio(plain: Callable[[], Any], fast: Callable[[], Any]) -> float:
    """By how much one is faster, by the processor's time, both in turn, memory at hand for both."""

    def seconds(run: Callable[[], Any]) -> float:
        started = time.process_time()
        run()
        return time.process_time() - started

    reuse_freed_memory()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return statistics.median([seconds(plain) / seconds(fast) for _ in range(12)][3:])
    finally:
        torch.set_num_threads(threads)


@pytest.mark.skipif(torch.accelerator.is_available() or not has_bf16(), reason="needs bfloat16 products in hardware")
def test_the_fused_loss_is_faster() -> None:
    """1.3 was measured, and up to 4 where the plain one's memory is new each time; below 1, something was lost."""
    hidden, table = (torch.randn(n, 64).bfloat16().requires_grad_() for n in (1024, 16384))
    labels = torch.randint(16384, (1024,))

    def plain() -> None:
        logits = F.linear(hidden, table).float()
        F.cross_entropy(logits, labels, label_smoothing=0.1, reduction="sum").backward()

    assert ratio(plain, lambda: smoothed_cross_entropy(hidden, table, labels, 0.1).backward()) > 1.05


@pytest.mark.skipif(torch.accelerator.is_available(), reason="it is for processors")
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_dropout_by_bits_is_faster(kind: torch.dtype) -> None:
    """4 was measured."""
    hidden, plain, fast = torch.randn(4096, 512).to(kind), torch.nn.Dropout(0.1), BitDropout(0.1)
    assert ratio(lambda: plain(hidden), lambda: fast(hidden)) > 2
