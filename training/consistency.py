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

from .loss import ROWS, ROWS_ON_PROCESSORS, replace_loss, rows_in_cache, scaled

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


class Loss(NamedTuple):
    """How the losses of two passes make one."""

    shares: tuple[float, float]
    """Of the cross entropy of each pass."""
    divergence: "Divergence"


Divergence = Callable[[Tensor, Tensor, Tensor, float], Tensor]
"""Takes `[n, V]` p, q and log p - log q, and the weight. Returns `[n, 1]`, the weighted divergence.

It overwrites p and q with the gradients by the logits of their pass, of which the part that is softmax of the cross
entropy is there too: they become share p + w dD/dx and share q + w dD/dz. log p - log q is overwritten as well.
"""


def simcut(p: Tensor, q: Tensor, difference: Tensor, weight: float) -> Tensor:
    """Return w KL(p || q); see `Divergence`."""
    divergence = _dot(p, difference)
    q.sub_(p).mul_(weight)
    p.addcmul_(p, difference.sub_(divergence), value=weight)
    return divergence * weight


def rdrop(p: Tensor, q: Tensor, difference: Tensor, weight: float) -> Tensor:
    """Return w (KL(p || q) + KL(q || p)) / 4; see `Divergence`."""
    forward, backward = _dot(p, difference), -_dot(q, difference)
    apart = (p - q).mul_(weight / 4)  # by the logits of the other pass, of each
    p.mul_((difference - forward).mul_(weight / 4).add_(0.5)).add_(apart)
    q.mul_(difference.add_(backward).mul_(-weight / 4).add_(0.5)).sub_(apart)
    return (forward + backward) * (weight / 4)


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """Return the product of each row with that of the other, `[n, 1]`."""
    return (one * other).sum(1, keepdim=True)


KINDS = {RDROP: Loss((0.5, 0.5), rdrop), SIMCUT: Loss((1.0, 0.0), simcut)}


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
        counted = (labels != -100).unsqueeze(1)
        # What smoothing takes from every logit's gradient is taken from their products with the table at once.
        smooth = smoothing / len(table)
        column = projection.to(exact).sum(0)
        of_passes = [torch.empty_like(first), torch.empty_like(second)]
        of_table = torch.zeros_like(projection, dtype=exact)
        of_bias = torch.zeros(len(projection), dtype=exact, device=first.device)
        total = torch.zeros((), dtype=exact, device=first.device)
        rows = (ROWS_ON_PROCESSORS if first.device.type == "cpu" else ROWS) // 2
        for part in (slice(at, at + rows) for at in range(0, len(labels), rows)):
            logits = [F.linear(each[part], projection, added) for each in (first, second)]
            losses = _turn_into_gradients(logits[0], logits[1], labels[part], smoothing, loss, weight)
            for of_pass, hidden, gradient, share in zip(of_passes, (first, second), logits, loss.shares, strict=True):
                there = hidden[part] * counted[part]
                if share:
                    means = hidden[part].to(exact) @ column
                    losses -= share * smooth * (means if added is None else means + added.sum(dtype=exact))
                of_pass[part] = (gradient @ projection - (share * smooth * column).to(first.dtype)) * counted[part]
                of_table += gradient.t() @ there
                of_table -= share * smooth * there.sum(0, dtype=exact)
                if added is not None:
                    of_bias += (
                        counted[part, 0].to(exact) @ gradient.to(exact) - share * smooth * counted[part].to(exact).sum()
                    )
            total += (losses * counted[part, 0]).sum()
        ctx.save_for_backward(*of_passes, of_table.to(table.dtype), None if bias is None else of_bias.to(bias.dtype))
        return total

    @staticmethod
    def backward(ctx: Any, *of_total: Tensor) -> tuple[Tensor | None, ...]:
        of_first, of_second, of_table, of_bias = scaled(ctx.saved_tensors, of_total[0])
        return of_first, of_second, of_table, None, None, None, None, of_bias


def _turn_into_gradients(
    first: Tensor, second: Tensor, labels: Tensor, smoothing: float, loss: Loss, weight: float
) -> Tensor:
    """Overwrite the logits `[n, V]` of both passes with the gradients of their loss, but for that of the mean logit.

    Returns:
        `[n]`, the losses without the term of the mean logit, as `training/loss.py` has it.

    """
    exact = torch.promote_types(first.dtype, torch.float32)
    size = rows_in_cache(first, passes=2)
    buffers = torch.empty((2, 2, size, first.shape[1]), dtype=exact, device=first.device)
    losses = []
    targets = labels.clamp(min=0).unsqueeze(1)
    for x, z, of_some in zip(first.split(size), second.split(size), targets.split(size), strict=True):
        (p, logs_of_p), (q, logs_of_q) = map(_probabilities, (x, z), buffers)
        entropy = torch.zeros_like(p[:, :1])
        for logits, logs, share in zip((x, z), (logs_of_p, logs_of_q), loss.shares, strict=True):
            if share:  # log p = x - logsumexp(x)
                of_target = logs.gather(1, of_some)
                normaliser = logits.gather(1, of_some) - of_target
                entropy += share * (smoothing * normaliser - (1 - smoothing) * of_target)
        losses.append(entropy + loss.divergence(p, q, logs_of_p.sub_(logs_of_q), weight))
        for logits, gradient, share in zip((x, z), (p, q), loss.shares, strict=True):
            if share:
                gradient.scatter_add_(1, of_some, torch.full_like(entropy, share * (smoothing - 1)))
            logits.copy_(gradient)
    return torch.cat(losses).squeeze(1)


def _probabilities(logits: Tensor, buffers: Tensor) -> tuple[Tensor, Tensor]:
    """Return the softmax of each row `[n, V]` and its logarithm, in the first n rows of two buffers.

    On a CPU that takes a fifth less than `log_softmax` and `exp`, whose results are new memory for each few rows.
    """
    logs, probabilities = (buffer[: len(logits)] for buffer in buffers)
    logs.copy_(logits)
    logs.sub_(logs.amax(1, keepdim=True))
    torch.exp(logs, out=probabilities)
    normaliser = probabilities.sum(1, keepdim=True)
    return probabilities.div_(normaliser), logs.sub_(normaliser.log())
