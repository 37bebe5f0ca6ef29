"""Parameters and operations by formula are those counted in the network itself, in every row of table 3.

Counted on torch's meta device, which keeps shapes and no numbers, so that the paper's own batches can be counted.
"""

from functools import cache
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from vaswani.experiment.plan import dimensions_of
from vaswani.experiment.table3 import ROWS, Row, fields_of
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.training.estimates.flops import BACKWARD, forward, parameters

V = 37_000  # section 5.1
BATCH = (800, 31, 32)  # about 25,000 tokens a side, and sides that differ
every_row = pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])


class Counted(NamedTuple):
    """By torch's counter: what a pass takes under the name of each module, and together."""

    forward: dict[str, int]
    backward: int


def on_meta(attention: str = "eager", **fields: Any) -> VaswaniForConditionalGeneration:
    with torch.device("meta"):
        model = VaswaniForConditionalGeneration(VaswaniConfig(**fields)).train()
    model.set_attn_implementation(attention)
    return model


def count(model: VaswaniForConditionalGeneration, pairs: int, source: int, target: int) -> Counted:
    ids, labels = (torch.zeros(pairs, length, dtype=torch.long, device="meta") for length in (source, target))
    with FlopCounterMode(display=False) as ahead:
        loss = model(input_ids=ids, labels=labels, num_items_in_batch=1).loss
    with FlopCounterMode(display=False) as back:
        loss.backward()
    names = {name.partition(".")[2]: sum(each.values()) for name, each in ahead.get_flop_counts().items()}
    return Counted(names, back.get_total_flops())


@cache
def counted(name: str) -> Counted:
    [row] = [row for row in ROWS if row.name == name]
    return count(on_meta(vocab_size=V, **fields_of(row)), *BATCH)


@every_row
def test_operations_of_a_row_are_those_that_torch_counts(row: Row) -> None:
    ours = forward(dimensions_of({"vocab_size": V} | fields_of(row)), *BATCH)
    names, backward = counted(row.name)
    assert sum(ours) == names[""]
    assert BACKWARD * sum(ours) == backward


@every_row
def test_each_part_of_a_row_is_what_torch_counts_there(row: Row) -> None:
    ours = forward(dimensions_of({"vocab_size": V} | fields_of(row)), *BATCH)
    names, _ = counted(row.name)

    def ending(*ends: str) -> int:
        return sum(each for name, each in names.items() if name.endswith(ends))

    projections = ending(".w_q", ".w_k", ".w_v", ".w_o")
    assert ours.projections == projections
    assert ours.products == ending("_attention") - projections
    assert ours.feed_forward == ending(".feed_forward")
    assert ours.logits == names[""] - names["model"]


@every_row
def test_parameters_of_a_row_are_those_of_the_network(row: Row) -> None:
    fields = {"vocab_size": V} | fields_of(row)
    parts = parameters(dimensions_of(fields))
    found = dict.fromkeys(parts._fields, 0)
    for name, weight in on_meta(**fields).named_parameters():
        part = next(
            part
            for mark, part in {
                "positions": "positions",
                "tokens": "embeddings",
                "norm": "norms",
                "w_1": "feed_forward",
                "w_2": "feed_forward",
                "attention": "attention",
            }.items()
            if mark in name
        )
        found[part] += weight.numel()
    assert parts._asdict() == found


@given(
    heads=st.integers(1, 4),
    widths=st.tuples(*[st.integers(1, 9)] * 3),
    half=st.integers(1, 9),
    layers=st.tuples(*[st.integers(1, 3)] * 2),
    norm=st.sampled_from(["post", "pre"]),
    biases=st.tuples(st.booleans(), st.booleans()),
    batch=st.tuples(*[st.integers(2, 5)] * 3),
)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_network_and_batch(
    heads: int,
    widths: tuple[int, ...],
    half: int,
    layers: tuple[int, ...],
    norm: str,
    biases: tuple[bool, bool],
    batch: tuple[int, int, int],
) -> None:
    fields = {
        "vocab_size": 11,
        "num_heads": heads,
        "d_k": widths[0],
        "d_v": widths[1],
        "d_ff": widths[2],
        "d_model": 2 * half,
        "encoder_layers": layers[0],
        "decoder_layers": layers[1],
        "norm": norm,
        "attention_bias": biases[0],
        "output_bias": biases[1],
    }
    network, model = dimensions_of(fields), on_meta("sdpa", **fields)
    names, backward = count(model, *batch)
    assert (sum(forward(network, *batch)), BACKWARD * sum(forward(network, *batch))) == (names[""], backward)
    assert sum(parameters(network)) == model.num_parameters()
