"""Table 3 of the paper: the number of parameters of every row, by a formula and by building the network."""

from functools import cache
from typing import Any, NamedTuple

import pytest
import torch

from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration


class Row(NamedTuple):
    """One line of the table; what it leaves empty is the base model's."""

    name: str
    printed: int | None
    """The paper's last column, in millions."""
    N: int = 6
    d_model: int = 512
    d_ff: int = 2048
    h: int = 8
    d_k: int = 64
    d_v: int = 64
    dropout: float = 0.1
    smoothing: float = 0.1
    positions: str = "sinusoidal"


BASE = Row("base", 65)
BIG = Row("big", 213, d_model=1024, d_ff=4096, h=16, dropout=0.3)
ROWS = [
    BASE,
    Row("A h=1", None, h=1, d_k=512, d_v=512),
    Row("A h=4", None, h=4, d_k=128, d_v=128),
    Row("A h=16", None, h=16, d_k=32, d_v=32),
    Row("A h=32", None, h=32, d_k=16, d_v=16),
    Row("B d_k=16", 58, d_k=16),
    Row("B d_k=32", 60, d_k=32),
    Row("C N=2", 36, N=2),
    Row("C N=4", 50, N=4),
    Row("C N=8", 80, N=8),
    Row("C d_model=256", 28, d_model=256, d_k=32, d_v=32),
    Row("C d_model=1024", 168, d_model=1024, d_k=128, d_v=128),
    Row("C d_ff=1024", 53, d_ff=1024),
    Row("C d_ff=4096", 90, d_ff=4096),
    Row("D dropout 0.0", None, dropout=0.0),
    Row("D dropout 0.2", None, dropout=0.2),
    Row("D smoothing 0.0", None, smoothing=0.0),
    Row("D smoothing 0.2", None, smoothing=0.2),
    Row("E learned positions", None, positions="learned"),
    BIG,
]
PRINTED = [row for row in ROWS if row.printed is not None and row is not BIG]
every_row = pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
MAX_POSITIONS = 1024


def formula(row: Row, vocab_size: int) -> int:
    """Sections 3.1 to 3.4: projections without biases, eq. 2 with two, two vectors in a norm, and one table."""
    attention = row.d_model * row.h * (2 * row.d_k + 2 * row.d_v)
    feed_forward = 2 * row.d_model * row.d_ff + row.d_ff + row.d_model
    norm = 2 * row.d_model
    encoder_layer = attention + feed_forward + 2 * norm
    decoder_layer = 2 * attention + feed_forward + 3 * norm
    learned = 2 * MAX_POSITIONS * row.d_model if row.positions == "learned" else 0
    return vocab_size * row.d_model + row.N * (encoder_layer + decoder_layer) + learned


@cache
def counted(row: Row, vocab_size: int) -> int:
    fields: dict[str, Any] = {
        "vocab_size": vocab_size,
        "encoder_layers": row.N,
        "decoder_layers": row.N,
        "d_model": row.d_model,
        "d_ff": row.d_ff,
        "num_heads": row.h,
        "d_k": row.d_k,
        "d_v": row.d_v,
        "dropout": row.dropout,
        "label_smoothing": row.smoothing,
        "positions": row.positions,
        "max_positions": MAX_POSITIONS,
    }
    with torch.device("meta"):
        return VaswaniForConditionalGeneration(VaswaniConfig(**fields)).num_parameters()


@every_row
def test_the_network_has_the_parameters_of_the_formula(row: Row) -> None:
    assert counted(row, vocab_size=37000) == formula(row, vocab_size=37000)


def test_base_and_big_at_the_vocabulary_of_section_5_1() -> None:
    assert counted(BASE, vocab_size=37000) == 63_045_632
    assert round(counted(BIG, vocab_size=37000) / 1e6, 1) == 214.2


@every_row
def test_only_rows_b_c_and_e_and_big_change_the_number_of_parameters(row: Row) -> None:
    is_as_base = counted(row, vocab_size=37000) == counted(BASE, vocab_size=37000)
    assert is_as_base == (row.name[0] in "AD" or row is BASE)


@pytest.mark.parametrize("row", PRINTED, ids=[row.name for row in PRINTED])
def test_differences_from_base_are_those_of_the_column(row: Row) -> None:
    """Both numbers of a printed difference are rounded to a million, so it may be off by one.

    Where the width differs the vocabulary counts too. The column itself says which one it was: base less what does not
    depend on it is 21M over 512 dimensions, about 41,000 symbols rather than the 37,000 of section 5.1.
    """
    assert row.printed is not None
    assert BASE.printed is not None
    difference = (counted(row, vocab_size=41000) - counted(BASE, vocab_size=41000)) / 1e6
    assert abs(difference - (row.printed - BASE.printed)) <= 1.0


@pytest.mark.parametrize("row", PRINTED, ids=[row.name for row in PRINTED])
def test_totals_are_those_of_the_column_at_a_vocabulary_near_41_000(row: Row) -> None:
    """Big is left out: its 213 fits 36,000 symbols (218 at 41,000), which no other row does."""
    assert counted(row, vocab_size=41000) / 1e6 == pytest.approx(row.printed, abs=0.6)
