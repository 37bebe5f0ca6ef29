"""The loss of training without autograd's copies of the logits: projection, label smoothing (section 5.4), gradients.

The logits of a batch, `[tokens, V]`, are by far the largest tensor of a step, and autograd would keep several of their
size in float32. Here some thousand tokens are projected at a time, and gradients overwrite their logits, a few rows at
a time so that these stay in the CPU's cache.

Shapes: n tokens, D = d_model, V tokens.
"""

from collections.abc import Callable, Sequence
from types import MethodType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedModel

ROWS, ROWS_ON_PROCESSORS = 4096, 1024
"""Tokens whose logits exist at once: enough for a matrix product to run at full speed. At V = 37k, in bfloat16, 300 MB,
and on CPUs 76 MB."""

IN_CACHE = 2**18
"""Logits that a CPU works on at once: 1 MB in float32, half of a core's own cache. Five times as many took a quarter
longer, at V = 37k."""


def fuse_loss(model: PreTrainedModel) -> None:
    """Let a `VaswaniForConditionalGeneration` return only the loss in training mode; otherwise it is unchanged."""
    replace_loss(model, smoothed_cross_entropy)


def replace_loss(model: PreTrainedModel, loss: Callable[..., Tensor]) -> None:
    """Let a `VaswaniForConditionalGeneration` return `loss` without logits in training mode; otherwise it is unchanged.

    Args:
        model: changed in place.
        loss: is called as `smoothed_cross_entropy` is, with the bias by its name.

    """
    projection: Any = model.lm_head

    def in_training(projection: Any, hidden: Tensor, labels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return what `Projection.loss` returns; runs inside that module, which has the weight."""
        if not projection.training:
            return type(projection).loss(projection, hidden, labels)
        smoothing = projection.config.label_smoothing
        return loss(hidden, projection.weight, labels, smoothing, bias=projection.bias), None

    projection.loss = MethodType(in_training, projection)


@torch.compiler.disable
def smoothed_cross_entropy(
    hidden: Tensor, table: Tensor, labels: Tensor, smoothing: float, bias: Tensor | None = None
) -> Tensor:
    """Return what `F.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="sum")` returns.

    Logits are `hidden @ table.T`, plus the bias if there is one.

    Matrix products are in the dtype of `hidden`, everything between them in float32 at least.

    Args:
        hidden: `[n, D]` or `[B, T, D]`, of the decoder.
        table: `[V, D]`, the projection's.
        labels: `[n]` or `[B, T]`; -100 is ignored.
        smoothing: epsilon_ls.
        bias: `[V]`, the projection's.

    Returns:
        A scalar, float32 at least.

    """
    hidden, labels = hidden.flatten(0, -2), labels.flatten()  # here, so that compilation ends only one graph
    if labels.device.type == "cpu":  # an accelerator would have to wait for their number
        there = labels != -100
        hidden, labels = hidden[there], labels[there]
    return _SmoothedCrossEntropy.apply(hidden, table, labels, smoothing, bias)


class _SmoothedCrossEntropy(torch.autograd.Function):
    """Computes the gradients together with the loss, while the logits exist."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, table: Tensor, labels: Tensor, smoothing: float, bias: Tensor | None = None
    ) -> Tensor:
        projection = table.to(hidden.dtype)
        added = None if bias is None else bias.to(hidden.dtype)
        exact = torch.promote_types(hidden.dtype, torch.float32)
        counted = (labels != -100).unsqueeze(1)
        mean = projection.to(exact).mean(0)  # the mean of a token's logits is its product with this
        of_hidden = torch.empty_like(hidden)
        of_table = torch.zeros_like(projection, dtype=exact)
        of_bias = torch.zeros(len(projection), dtype=exact, device=hidden.device)
        total = torch.zeros((), dtype=exact, device=hidden.device)
        rows = ROWS_ON_PROCESSORS if hidden.device.type == "cpu" else ROWS
        for part in (slice(first, first + rows) for first in range(0, len(labels), rows)):
            logits = F.linear(hidden[part], projection, added)
            losses = _turn_into_gradient(logits, labels[part], smoothing) - smoothing * (hidden[part].to(exact) @ mean)
            if added is not None:
                losses = losses - smoothing * added.to(exact).mean()
                of_bias += counted[part, 0].to(logits.dtype) @ logits
            total += (losses * counted[part, 0]).sum()
            of_hidden[part] = (logits @ projection) * counted[part]
            of_table += logits.t() @ (hidden[part] * counted[part])
        ctx.save_for_backward(of_hidden, of_table.to(table.dtype), None if bias is None else of_bias.to(bias.dtype))
        return total

    @staticmethod
    def backward(ctx: Any, *of_total: Tensor) -> tuple[Tensor | None, ...]:
        of_hidden, of_table, of_bias = scaled(ctx.saved_tensors, of_total[0])
        return of_hidden, of_table, None, None, of_bias


def scaled(gradients: Sequence[Tensor | None], factor: Tensor) -> list[Tensor | None]:
    """Return gradients times the gradient of the loss itself, a scalar."""
    return [None if each is None else each * factor.to(each.dtype) for each in gradients]


def _turn_into_gradient(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Overwrite `[n, V]` logits with the gradient of the smoothed loss.

    With logits x and q = (1 - epsilon) onehot(y) + epsilon / V, the loss is logsumexp(x) - q x, and its gradient
    softmax(x) - q.

    Returns:
        `[n]`, logsumexp(x) - (1 - epsilon) x_y: the loss without the term of the mean logit.

    """
    exact = torch.promote_types(logits.dtype, torch.float32)
    on_processor = logits.device.type == "cpu"
    size = rows_in_cache(logits)
    buffer = torch.empty((size if on_processor else 0, logits.shape[1]), dtype=exact, device=logits.device)
    losses = []
    for some, labels_of_some in zip(logits.split(size), labels.clamp(min=0).unsqueeze(1).split(size), strict=True):
        # On a CPU new memory for each few rows costs a third of the whole; an accelerator converts within its softmax.
        rows = buffer[: len(some)].copy_(some) if on_processor else some
        of_target, largest = rows.gather(1, labels_of_some).to(exact), rows.amax(1, keepdim=True)
        probabilities = torch.softmax(rows, 1, out=rows) if on_processor else rows.softmax(1, dtype=exact)
        # Of the largest probability, which cannot underflow: log p = x - logsumexp(x).
        normaliser = largest - probabilities.amax(1, keepdim=True).log()
        losses.append(normaliser - (1 - smoothing) * of_target)
        probabilities -= smoothing / logits.shape[1]
        probabilities.scatter_add_(1, labels_of_some, torch.full_like(normaliser, smoothing - 1))
        some.copy_(probabilities)
    return torch.cat(losses).squeeze(1)


def rows_in_cache(logits: Tensor, passes: int = 1) -> int:
    """Return how many rows of `[n, V]` logits are worked on at once in each of some passes: on accelerators all."""
    return max(1, IN_CACHE // passes // logits.shape[1] if logits.device.type == "cpu" else len(logits))
