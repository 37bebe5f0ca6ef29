"""Table 3 of the paper: each row as its difference from base, with the paper's figures.

English to German, newstest2013, one checkpoint without averaging (section 6.2).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

NETWORK: dict[str, Any] = {
    "encoder_layers": 6,
    "decoder_layers": 6,
    "d_model": 512,
    "d_ff": 2048,
    "num_heads": 8,
    "d_k": 64,
    "d_v": 64,
    "dropout": 0.1,
    "label_smoothing": 0.1,
    "positions": "sinusoidal",
}
"""The first line of the table, in fields of `VaswaniConfig`; a line that leaves a field empty has this value."""

WIDTHS, LAYERS = ("d_model", "d_ff", "d_k", "d_v"), ("encoder_layers", "decoder_layers")
"""What a smaller experiment divides."""


class Scale(NamedTuple):
    """The divisors of the paper's sizes in a smaller experiment; the number of heads stays."""

    widths: int = 1
    layers: int = 1


AS_THE_PAPER = Scale()


class Row(NamedTuple):
    """One line of the table."""

    name: str
    """The letter of its group and what it varies."""
    change: dict[str, Any]
    """What differs from NETWORK."""
    perplexity: float
    """The paper's, on the development set, per word piece."""
    bleu: float
    """The paper's, on the development set."""
    parameters: int | None = None
    """The paper's, in millions; None where it prints none."""
    steps: int = 100_000
    """How long the paper trained it."""


def _deep(layers: int) -> dict[str, Any]:
    return {"encoder_layers": layers, "decoder_layers": layers}


def _wide(d_model: int, head: int) -> dict[str, Any]:
    return {"d_model": d_model, "d_k": head, "d_v": head}


def _heads(number: int, width: int) -> dict[str, Any]:
    return {"num_heads": number, "d_k": width, "d_v": width}


BASE = Row("base", {}, 4.92, 25.8, 65)
BIG = Row("big", {"d_model": 1024, "d_ff": 4096, "num_heads": 16, "dropout": 0.3}, 4.33, 26.4, 213, 300_000)
ROWS = (
    BASE,
    Row("A-h1", _heads(1, 512), 5.29, 24.9),
    Row("A-h4", _heads(4, 128), 5.00, 25.5),
    Row("A-h16", _heads(16, 32), 4.91, 25.8),
    Row("A-h32", _heads(32, 16), 5.01, 25.4),
    Row("B-dk16", {"d_k": 16}, 5.16, 25.1, 58),
    Row("B-dk32", {"d_k": 32}, 5.01, 25.4, 60),
    Row("C-N2", _deep(2), 6.11, 23.7, 36),
    Row("C-N4", _deep(4), 5.19, 25.3, 50),
    Row("C-N8", _deep(8), 4.88, 25.5, 80),
    Row("C-d256", _wide(256, 32), 5.75, 24.5, 28),
    Row("C-d1024", _wide(1024, 128), 4.66, 26.0, 168),
    Row("C-ff1024", {"d_ff": 1024}, 5.12, 25.4, 53),
    Row("C-ff4096", {"d_ff": 4096}, 4.75, 26.2, 90),
    Row("D-drop0.0", {"dropout": 0.0}, 5.77, 24.6),
    Row("D-drop0.2", {"dropout": 0.2}, 4.95, 25.5),
    Row("D-ls0.0", {"label_smoothing": 0.0}, 4.67, 25.3),
    Row("D-ls0.2", {"label_smoothing": 0.2}, 5.47, 25.7),
    Row("E", {"positions": "learned"}, 4.92, 25.7),
    BIG,
)
BY_NAME = {row.name: row for row in ROWS}


def fields_of(row: Row, scale: Scale = AS_THE_PAPER) -> dict[str, Any]:
    """Return all fields of NETWORK as a row has them, divided by `scale`.

    Raises:
        ValueError: one would not be a whole number.

    """
    fields = NETWORK | row.change
    divisors = dict.fromkeys(WIDTHS, scale.widths) | dict.fromkeys(LAYERS, scale.layers)
    for name, divisor in divisors.items():
        if divisor < 1 or fields[name] % divisor:
            flag, whole = ("--scale", "1, 2, 4, 8 or 16") if name in WIDTHS else ("--layer_scale", "1 or 2")
            raise ValueError(f"{flag} is {divisor}, and {name} of {row.name} is {fields[name]}; give {whole}")
    return fields | {name: fields[name] // divisor for name, divisor in divisors.items()}


def chosen(names: Sequence[str]) -> list[Row]:
    """Return the rows of these names, in the order of the table; a letter stands for its group.

    Raises:
        ValueError: there is no such row.

    """
    groups = {row.name.partition("-")[0] for row in ROWS}
    for name in names:
        if name not in BY_NAME and name not in groups:
            raise ValueError(f"there is no row {name}; there are {', '.join(BY_NAME)}, and A, B, C, D for all of one")
    return [row for row in ROWS if row.name in names or row.name.partition("-")[0] in names]
