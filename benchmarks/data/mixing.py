"""How well the order of training mixes the three corpora that WMT14 is made of, against the usual shuffle buffer.

python -m benchmarks.data.mixing --output FOLDER

WMT14 lies in the order of its corpora. The shares of the corpora in a window, and in each 64,000 rows that training
meets one after another, are compared with the shares in the whole by total variation: 0 is the same mix, and News
Commentary alone would be at 0.96. No text is needed: the windows are those of vaswani/data/order.py.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from vaswani.data.pairs import ROWS_PER_GROUP
from vaswani.data.shuffling import Order, groups_of_stream, window_starts
from vaswani.storage import atomic_write, write_text

from .wmt14_origins import ORIGINS, ROWS, origins_of

mpl.use("Agg")
import matplotlib.pyplot as plt

STREAMS, WINDOW_GROUPS = (1, 16, 64), (1, 8, 64, 256)
BUFFERS = (10_000, 64_000)
SHARDS = 3
BATCH = 800
"""Pairs of a batch of 25,000 tokens a side."""
BATCHES = 80
"""Batches of a stretch of 64,000 rows, as many as the larger buffer and a window of 64 groups hold."""

Counts = NDArray[np.int64]  # rows of each origin, [n, origins]
Labels = NDArray[np.int8]  # the origin of each row
Shares = NDArray[np.float64]
WHOLE: Shares = np.array(list(ORIGINS.values())) / ROWS
LABELS: Labels = origins_of(np.arange(ROWS)).astype(np.int8)


def distance(counts: Counts) -> Shares:
    """Return the total-variation distance `[n]` of each mix from the mix of the whole."""
    return np.abs(counts / counts.sum(1, keepdims=True) - WHOLE).sum(1) / 2


def counts_of(labels: Labels) -> Counts:
    """Count the rows of each origin, `[origins]`."""
    return np.bincount(labels, minlength=len(ORIGINS))


def windows(order: Order) -> Iterator[tuple[int, Counts]]:
    """Yield for every window of the first epoch its stream and its rows of each origin, `[origins]`."""
    groups = -(-ROWS // ROWS_PER_GROUP)
    in_group = np.array([counts_of(LABELS[n * ROWS_PER_GROUP : (n + 1) * ROWS_PER_GROUP]) for n in range(groups)])
    for stream in range(order.streams):
        numbers = groups_of_stream(order, groups, 0, stream)
        for window in np.split(numbers, window_starts(order, groups, stream)[1:-1]):
            yield stream, in_group[window].sum(0)


def trained(order: Order, generator: np.random.Generator) -> Counts:
    """Return the stretches of an epoch, a batch from each stream by turns.

    The batches of a window come shuffled, so each is drawn from what is left of its window.
    """
    left: list[list[Counts]] = [[] for _ in range(order.streams)]
    for stream, counts in windows(order):
        left[stream].append(counts.copy())
    drawn: list[Counts] = []
    while True:
        its_windows = left[len(drawn) % order.streams]
        while its_windows and its_windows[0].sum() < BATCH:  # the last rows of a window are less than a batch
            its_windows.pop(0)
        if not its_windows:  # this stream goes on to its next epoch
            whole = len(drawn) // BATCHES * BATCHES
            return np.reshape(drawn[:whole], (-1, BATCHES, len(ORIGINS))).sum(1)
        drawn.append(generator.multivariate_hypergeometric(its_windows[0], BATCH))
        its_windows[0] -= drawn[-1]


def buffered(rows: Labels, size: int, generator: np.random.Generator) -> Labels:
    """Return rows in the order of a shuffle buffer: each next row takes the place of one drawn from the buffer."""
    places = generator.integers(size, size=len(rows) - size)
    buffer, shuffled = rows[:size].tolist(), []
    for place, row in zip(places.tolist(), rows[size:].tolist(), strict=True):
        shuffled.append(buffer[place])
        buffer[place] = row
    return np.array(shuffled + generator.permutation(buffer).tolist(), dtype=np.int8)


def in_shards(shuffled: bool, generator: np.random.Generator) -> Labels:
    """Return the rows in the order of the file, or by its shards in an order that is drawn."""
    shards = np.array_split(LABELS, SHARDS)
    return np.concatenate([shards[number] for number in generator.permutation(SHARDS)]) if shuffled else LABELS


def stretches(rows: Labels) -> Counts:
    """Return the consecutive stretches of rows."""
    length = BATCH * BATCHES
    return np.array([counts_of(rows[first : first + length]) for first in range(0, len(rows) - length + 1, length)])


def described(distances: Shares) -> dict[str, float]:
    """Return mean, 95th percentile and maximum."""
    values = {"mean": distances.mean(), "p95": np.percentile(distances, 95), "max": distances.max()}
    return {name: round(float(value), 4) for name, value in values.items()}


def measure(seeds: int) -> tuple[list[dict[str, Any]], dict[str, Counts]]:
    """Return the table, and the stretches of the last seed by method, for the picture."""
    table: list[dict[str, Any]] = []
    shown: dict[str, Counts] = {}

    def note(name: str, parts: list[Counts], of_windows: list[Counts] | None = None) -> None:
        shown[name] = parts[-1]
        row = {"method": name, "stretches": described(distance(np.concatenate(parts)))}
        table.append(row | ({"windows": described(distance(np.concatenate(of_windows)))} if of_windows else {}))

    generators = [np.random.default_rng(seed) for seed in range(seeds)]
    for shuffled in (False, True):
        for size in BUFFERS:
            name = f"{'shuffled shards, ' if shuffled else ''}buffer of {size:,} rows"
            note(name, [stretches(buffered(in_shards(shuffled, each), size, each)) for each in generators])
    for streams in STREAMS:
        for groups in WINDOW_GROUPS:
            orders = [Order(seed, 25_000, streams, groups) for seed in range(seeds)]
            parts = [trained(*each) for each in zip(orders, generators, strict=True)]
            name = f"window of {groups} row group{'s' * (groups > 1)}, {streams} stream{'s' * (streams > 1)}"
            note(name, parts, [np.array([counts for _, counts in windows(order)]) for order in orders])
    note("every row drawn at random", [stretches(generator.permutation(LABELS)) for generator in generators])
    return table, shown


def draw(table: list[dict[str, Any]], shown: dict[str, Counts], folder: Path) -> None:
    """Draw the share of Europarl along an epoch, and the distances of all methods, as PNG and SVG."""
    figure, (along, far) = plt.subplots(1, 2, figsize=(14, 5.2), layout="constrained")
    for name, colour, style in (
        (f"buffer of {BUFFERS[1]:,} rows", "#D55E00", "-"),
        (f"shuffled shards, buffer of {BUFFERS[1]:,} rows", "#E69F00", "--"),
        ("window of 64 row groups, 1 stream", "#56B4E9", "-"),
        ("window of 64 row groups, 16 streams", "#0072B2", "-"),
    ):
        share = shown[name][:, 0] / shown[name].sum(1)
        along.plot((np.arange(len(share)) + 0.5) * BATCH * BATCHES / 1e6, share, style, color=colour, label=name)
    along.axhline(WHOLE[0], color="black", linewidth=0.8, linestyle=":", label="the whole of WMT14")
    along.set(
        xlabel="pairs trained on in the first epoch, millions",
        ylim=(-0.03, 1.03),
        ylabel="share of Europarl in 64,000 consecutive pairs",
    )
    along.legend(loc="upper center", bbox_to_anchor=(0.5, -0.11), ncols=2, fontsize=8)
    for height, row in enumerate(reversed(table)):
        found = row["stretches"]
        colour = "#D55E00" if "buffer" in row["method"] else "#0072B2" if "window" in row["method"] else "black"
        far.plot([found["mean"], found["max"]], [height] * 2, color=colour, linewidth=1)
        for name, marker in (("mean", "o"), ("p95", "|"), ("max", "x")):
            label = {"p95": "95th percentile"}.get(name, name) if height == 0 else None
            far.plot(found[name], height, marker, color=colour, markersize=9 if marker == "|" else 5, label=label)
    far.set_yticks(range(len(table)), [row["method"] for row in reversed(table)], fontsize=8)
    far.set(xscale="log", xlabel="distance of 64,000 consecutive pairs from the whole (total variation)")
    far.grid(axis="x", linewidth=0.4)
    far.legend(fontsize=8)
    for kind in ("png", "svg"):
        with atomic_write(folder / f"mixing.{kind}") as file:
            figure.savefig(file, format=kind, dpi=150)


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder for mixing.json, .png and .svg")
    parser.add_argument("--seeds", type=int, default=5, help="orders of training to measure")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    table, shown = measure(given.seeds)
    print(f"{'':48}{'64,000 rows in training':>24}{'a window':>24}")
    print(f"{'':48}" + f"{'mean':>8}{'p95':>8}{'max':>8}" * 2)
    for row in table:
        found = [*row["stretches"].values(), *row.get("windows", {}).values()]
        print(f"{row['method']:48}" + "".join(f"{value:8.3f}" for value in found))
    write_text(given.output / "mixing.json", json.dumps(table, indent=2) + "\n")
    draw(table, shown, given.output)


if __name__ == "__main__":
    main()
