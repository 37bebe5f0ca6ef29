"""What training asks of the network: one loss however a step is split, dropout in its places, checkpointing."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vaswani.modeling.modeling_vaswani import FeedForward

Batch = dict[str, Tensor]
MakeModel = Callable[..., Any]  # VaswaniForConditionalGeneration, less the types that transformers gives its methods
MakeBatch = Callable[..., Batch]


def summed_loss(logits: Tensor, labels: Tensor, smoothing: float) -> float:
    """Section 5.4, token by token: the label has 1 - smoothing, and all tokens share the rest evenly."""
    total = 0.0
    for row, sentence in enumerate(labels.tolist()):
        for position, label in enumerate(sentence):
            if label != -100:
                log_probabilities = logits[row, position].log_softmax(-1).tolist()
                total -= (1 - smoothing) * log_probabilities[label]
                total -= smoothing * sum(log_probabilities) / len(log_probabilities)
    return total


def gradients(model: nn.Module) -> dict[str, Tensor | None]:
    return {name: parameter.grad for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
def test_training_loss_is_smoothed_and_evaluation_loss_is_not(
    tiny_model: MakeModel, padded_batch: MakeBatch, smoothing: float
) -> None:
    model, batch = tiny_model(label_smoothing=smoothing), padded_batch()
    tokens = int((batch["labels"] != -100).sum())
    for training in (True, False):
        output = model.train(training)(**batch)
        expected = summed_loss(output.logits, batch["labels"], smoothing if training else 0.0) / tokens
        assert output.loss.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("items", [1, 57, torch.tensor(57)])
def test_the_sum_is_divided_once_by_the_number_of_items(
    tiny_model: MakeModel, padded_batch: MakeBatch, items: int | Tensor
) -> None:
    model, batch = tiny_model().train(), padded_batch()
    output = model(**batch, num_items_in_batch=items)
    expected = summed_loss(output.logits, batch["labels"], smoothing=0.1) / int(items)
    assert output.loss.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("sizes", [[3, 3], [1, 5], [1, 1, 4]])
def test_a_split_step_has_the_loss_and_gradients_of_the_whole(
    tiny_model: MakeModel, padded_batch: MakeBatch, sizes: list[int]
) -> None:
    model, batch = tiny_model().train(), padded_batch(rows=6)
    items = (batch["labels"] != -100).sum()
    whole = model(**batch).loss
    whole.backward()
    expected = gradients(model)
    model.zero_grad(set_to_none=True)
    total = 0.0
    parts = zip(*(column.split(sizes) for column in batch.values()), strict=True)
    for part in parts:
        loss = model(**dict(zip(batch, part, strict=True)), num_items_in_batch=items).loss
        loss.backward()
        total += loss.item()
    assert total == pytest.approx(whole.item(), rel=1e-12)
    torch.testing.assert_close(gradients(model), expected, rtol=1e-10, atol=1e-10)


def test_ignored_labels_change_neither_loss_nor_gradients(tiny_model: MakeModel, padded_batch: MakeBatch) -> None:
    model, batch = tiny_model().train(), padded_batch()
    loss = model(**batch).loss
    loss.backward()
    expected = gradients(model)
    model.zero_grad(set_to_none=True)
    longer = model(**{**batch, "labels": F.pad(batch["labels"], (0, 4), value=-100)}).loss
    longer.backward()
    torch.testing.assert_close(longer, loss, rtol=1e-12, atol=0)
    torch.testing.assert_close(gradients(model), expected, rtol=1e-10, atol=1e-10)


def test_labels_are_shifted_once_to_feed_the_decoder_and_never_to_score_it(
    tiny_model: MakeModel, padded_batch: MakeBatch
) -> None:
    model, batch = tiny_model(), padded_batch()
    before = batch["labels"].clone()
    shifted = model.prepare_decoder_input_ids_from_labels(batch["labels"])
    assert torch.equal(batch["labels"], before)
    for inputs, labels in zip(shifted.tolist(), batch["labels"].tolist(), strict=True):
        assert inputs == [2, *(1 if label == -100 else label for label in labels[:-1])]
    assert torch.equal(model(**batch).logits, model(**batch, decoder_input_ids=shifted).logits)
    assert torch.equal(model(**batch).loss, model(**batch, decoder_input_ids=shifted).loss)
    given = model(**batch, decoder_input_ids=shifted.flip(0))  # what is given is used, and scored place by place
    tokens = int((batch["labels"] != -100).sum())
    assert given.loss.item() == pytest.approx(summed_loss(given.logits, batch["labels"], 0.0) / tokens, rel=1e-12)


def test_a_bfloat16_model_sums_its_loss_in_float32(tiny_model: MakeModel, padded_batch: MakeBatch) -> None:
    model, batch = tiny_model().bfloat16(), padded_batch()
    output = model(**batch)
    assert (output.logits.dtype, output.loss.dtype) == (torch.bfloat16, torch.float32)
    tokens = int((batch["labels"] != -100).sum())
    expected = summed_loss(output.logits.double(), batch["labels"], 0.0) / tokens
    assert output.loss.item() == pytest.approx(expected, rel=1e-6)


def test_dropout_stands_where_section_5_4_puts_it_and_elsewhere_only_on_request(
    tiny_model: MakeModel, padded_batch: MakeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop, seen = F.dropout, Counter[tuple[tuple[int, ...], float]]()

    def watched(hidden: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if training and p > 0:
            seen[tuple(hidden.shape), p] += 1
        return drop(hidden, p, training, inplace)

    monkeypatch.setattr(F, "dropout", watched)
    batch = padded_batch()  # S = 7 source and T = 6 target positions; 2 encoder and 3 decoder layers
    every_sublayer_and_both_embeddings = {((3, 7, 16), 0.1): 1 + 2 * 2, ((3, 6, 16), 0.1): 1 + 3 * 3}
    tiny_model(dropout=0.1).train()(**batch)
    assert seen == every_sublayer_and_both_embeddings
    seen.clear()
    tiny_model(dropout=0.1, attention_dropout=0.2, activation_dropout=0.3).train()(**batch)
    inside_attention = {((3, 2, 7, 7), 0.2): 2, ((3, 2, 6, 6), 0.2): 3, ((3, 2, 6, 7), 0.2): 3}
    inside_feed_forward = {((3, 7, 24), 0.3): 2, ((3, 6, 24), 0.3): 3}
    assert seen == every_sublayer_and_both_embeddings | inside_attention | inside_feed_forward
    seen.clear()
    tiny_model(dropout=0.1, attention_dropout=0.2, activation_dropout=0.3).eval()(**batch)
    assert not seen


@pytest.mark.filterwarnings("ignore:`gradient_checkpointing_")
@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("switch", ["activation_checkpointing_enable", "gradient_checkpointing_enable"])
def test_checkpointed_activations_change_neither_loss_nor_gradients(
    tiny_model: MakeModel, padded_batch: MakeBatch, switch: str, reentrant: bool
) -> None:
    model, batch, runs = tiny_model(dropout=0.1).train(), padded_batch(), Counter[str]()
    for module in model.modules():
        if isinstance(module, FeedForward):
            module.register_forward_hook(lambda *_: runs.update(["feed-forward"]))

    def step() -> tuple[Tensor, dict[str, Tensor | None]]:
        torch.manual_seed(1)  # the same dropout in both
        runs.clear()
        model.zero_grad(set_to_none=True)
        loss = model(**batch).loss
        loss.backward()
        return loss, gradients(model)

    expected = step()
    assert runs["feed-forward"] == 2 + 3
    getattr(model, switch)({"use_reentrant": reentrant})
    torch.testing.assert_close(step(), expected, rtol=1e-12, atol=1e-12)
    assert runs["feed-forward"] == 2 * (2 + 3)  # each layer ran again on the way back


def test_one_step_against_the_gradient_lowers_the_loss(tiny_model: MakeModel, padded_batch: MakeBatch) -> None:
    model, batch = tiny_model().train(), padded_batch()
    loss = model(**batch).loss
    loss.backward()
    with torch.no_grad():
        for parameter in model.parameters():
            assert parameter.grad is not None
            assert parameter.grad.any()
            parameter.sub_(1e-4 * parameter.grad)
    assert model(**batch).loss < loss
