"""Losses that ask two passes over one batch for the same probabilities: R-Drop and SimCut.

Both passes are one batch of twice as many rows. x and z are the logits of a token in the first and the second pass, p
and q their softmax, CE the smoothed cross entropy of section 5.4, and w the weight:

- R-Drop (Liang et al. 2021, section 2.1, halved): the passes differ by their dropout, and a token's loss is
  (CE(x) + CE(z)) / 2 + w (KL(p || q) + KL(q || p)) / 4. Without dropout it is the loss of one pass.
- SimCut (Gao et al. 2022): the second pass sees zeros in place of a share of the token embeddings, on both sides, and a
  token's loss is CE(x) + w KL(p || q). As in the authors' code, the last place of a source row is never cut.

Gradients reach both passes. They are written out and overwrite the logits, as those of `training/loss.py`; everything
between matrix products is in float32 at least. The sum over tokens is divided by the tokens of one pass, so that the
number of passes changes nothing else.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from .loss import IN_CACHE, ROWS, ROWS_ON_PROCESSORS, replace_loss, scaled

RDROP, SIMCUT = "rdrop", "simcut"
WEIGHTS = {RDROP: 5.0, SIMCUT: 3.0}
"""The weight of each kind in its paper, for small data."""


def add_consistency(model: PreTrainedModel, kind: str, weight: float, cut_share: float) -> None:
    """Let a `VaswaniForConditionalGeneration` in training mode make two passes and return the loss of `kind`, in place.

    Args:
        model: gets hooks, and another loss; in evaluation mode it is unchanged.
        kind: RDROP or SIMCUT.
        weight: w.
        cut_share: the share of the token embeddings that SimCut's second pass does not see.

    """
    replace_loss(model, partial(consistent_loss, loss=KINDS[kind], weight=weight))
    model.register_forward_pre_hook(_double, with_kwargs=True)
    if kind == SIMCUT:
        for stack, is_last_kept in ((model.get_encoder(), True), (model.get_decoder(), False)):
            positions: Any = stack.positions
            positions.register_forward_pre_hook(_Cut(cut_share, is_last_kept))


def _double(model: nn.Module, args: Any, kwargs: dict[str, Any]) -> Any:
    """Put a batch behind itself, and let its loss be divided by the tokens of one pass."""
    if not model.training or kwargs.get("labels") is None:
        return None
    if kwargs.get("num_items_in_batch") is None:
        kwargs = kwargs | {"num_items_in_batch": (kwargs["labels"] != -100).sum()}
    doubled = {
        name: torch.cat([value, value]) if isinstance(value, Tensor) and value.dim() > 1 else value
        for name, value in kwargs.items()
    }
    return args, doubled


class _Cut:
    """Puts zeros in place of a share of the token embeddings of the second pass, before positions are added."""

    def __init__(self, share: float, is_last_kept: bool) -> None:
        self.share, self.is_last_kept = share, is_last_kept

    def __call__(self, positions: nn.Module, given: tuple[Any, ...]) -> Any:
        if not positions.training:
            return None
        embeddings, *others = given
        cut = torch.rand(embeddings.shape[:2], device=embeddings.device) < self.share
        cut[: len(cut) // 2] = False
        if self.is_last_kept:
            cut[:, -1] = False
        return embeddings.masked_fill(cut.unsqueeze(-1), 0), *others


class Pass(NamedTuple):
    """The logits of some tokens in one pass, or of their gradient: `[n, V]`, float32 at least."""

    log: Tensor
    """Of the probabilities."""
    probabilities: Tensor


Divergence = Callable[[Pass, Pass], tuple[Tensor, Tensor, Tensor]]
"""Returns `[n, 1]`, a divergence of two passes; and its gradients `[n, V]` by the logits of each."""


def symmetric(p: Pass, q: Pass) -> tuple[Tensor, Tensor, Tensor]:
    """Return (KL(p || q) + KL(q || p)) / 4, and its gradients."""
    forward, of_p, of_q = one_way(p, q)
    backward, and_of_q, and_of_p = one_way(q, p)
    return (forward + backward) / 4, (of_p + and_of_p) / 4, (of_q + and_of_q) / 4


def one_way(p: Pass, q: Pass) -> tuple[Tensor, Tensor, Tensor]:
    """Return KL(p || q), and its gradients."""
    difference = p.log - q.log
    divergence = (p.probabilities * difference).sum(1, keepdim=True)
    return divergence, p.probabilities * (difference - divergence), q.probabilities - p.probabilities


class Loss(NamedTuple):
    """How the losses of two passes make one."""

    shares: tuple[float, float]
    """Of the cross entropy of each pass."""
    divergence: Divergence


KINDS = {RDROP: Loss((0.5, 0.5), symmetric), SIMCUT: Loss((1.0, 0.0), one_way)}


@torch.compiler.disable
def consistent_loss(
    hidden: Tensor,
    table: Tensor,
    labels: Tensor,
    smoothing: float,
    loss: Loss,
    weight: float,
    bias: Tensor | None = None,
) -> Tensor:
    """Return the sum over the tokens of one pass.

    Args:
        hidden: `[2 B, T, D]`, of the decoder: both passes, one behind the other.
        table: `[V, D]`, the projection's.
        labels: `[2 B, T]`, the same in both halves; -100 is ignored.
        smoothing: epsilon_ls.
        loss: how the passes make one loss.
        weight: of the divergence.
        bias: `[V]`, the projection's.

    Returns:
        A scalar, float32 at least.

    """
    passes, labels = [half.flatten(0, -2) for half in hidden.chunk(2)], labels.chunk(2)[0].flatten()
    if labels.device.type == "cpu":  # an accelerator would have to wait for their number
        there = labels != -100
        passes, labels = [each[there] for each in passes], labels[there]
    total: Tensor = _ConsistentLoss.apply(*passes, table, labels, smoothing, loss, weight, bias)
    return total


class _ConsistentLoss(torch.autograd.Function):
    """Computes the gradients together with the loss, while the logits exist."""

    @staticmethod
    def forward(
        ctx: Any,
        first: Tensor,
        second: Tensor,
        table: Tensor,
        labels: Tensor,
        smoothing: float,
        loss: Loss,
        weight: float,
        bias: Tensor | None,
    ) -> Tensor:
        projection = table.to(first.dtype)
        added = None if bias is None else bias.to(first.dtype)
        exact = torch.promote_types(first.dtype, torch.float32)
        of_passes = [torch.empty_like(first), torch.empty_like(second)]
        of_table = torch.zeros_like(projection, dtype=exact)
        of_bias = torch.zeros(len(projection), dtype=exact, device=first.device)
        total = torch.zeros((), dtype=exact, device=first.device)
        rows = (ROWS_ON_PROCESSORS if first.device.type == "cpu" else ROWS) // 2
        for part in (slice(at, at + rows) for at in range(0, len(labels), rows)):
            logits = [F.linear(each[part], projection, added) for each in (first, second)]
            total += _turn_into_gradients(logits[0], logits[1], labels[part], smoothing, loss, weight)
            for of_pass, hidden, gradient in zip(of_passes, (first, second), logits, strict=True):
                of_pass[part] = gradient @ projection
                of_table += gradient.t() @ hidden[part]
                of_bias += gradient.sum(0, dtype=exact)
        ctx.save_for_backward(*of_passes, of_table.to(table.dtype), None if bias is None else of_bias.to(bias.dtype))
        return total

    @staticmethod
    def backward(ctx: Any, *of_total: Tensor) -> tuple[Tensor | None, ...]:
        of_first, of_second, of_table, of_bias = scaled(ctx.saved_tensors, of_total[0])
        return of_first, of_second, of_table, None, None, None, None, of_bias


def _turn_into_gradients(
    first: Tensor, second: Tensor, labels: Tensor, smoothing: float, loss: Loss, weight: float
) -> Tensor:
    """Overwrite the logits `[n, V]` of both passes with the gradients of their loss; return it, summed."""
    exact = torch.promote_types(first.dtype, torch.float32)
    size = IN_CACHE if first.device.type == "cpu" else max(1, len(first))
    total = torch.zeros((), dtype=exact, device=first.device)
    for x, z, of_some in zip(first.split(size), second.split(size), labels.unsqueeze(1).split(size), strict=True):
        counted, targets = (of_some != -100).to(exact), of_some.clamp(min=0)
        logs = [each.log_softmax(1, dtype=exact) for each in (x, z)]
        passes = [Pass(log, log.exp()) for log in logs]
        losses, *of_passes = loss.divergence(*passes)
        losses *= weight
        for logits, each, gradient, share in zip((x, z), passes, of_passes, loss.shares, strict=True):
            gradient *= weight
            if share:
                losses += share * _cross_entropy(each, targets, smoothing)
                gradient += share * (each.probabilities - smoothing / each.log.shape[1])
                gradient.scatter_add_(1, targets, torch.full_like(counted, share * (smoothing - 1)))
            logits.copy_(gradient * counted)
        total += (losses * counted).sum()
    return total


def _cross_entropy(of: Pass, labels: Tensor, smoothing: float) -> Tensor:
    """Return the smoothed cross entropy of `[n, 1]` labels, in their shape."""
    return -((1 - smoothing) * of.log.gather(1, labels) + smoothing * of.log.mean(1, keepdim=True))
