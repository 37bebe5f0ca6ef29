"""Measure the comparison of two outputs: whether p is uniform where nothing differs, its power, memory and time.

python -m benchmarks.scoring.comparisons --pairs 400 --costs 5000 100000 --costs_of_sacrebleu 5000 10000

Text is generated: words by Zipf's law, lines of 20 words in the mean, outputs that lack or mistake words by chance, so
that two of the same rate are equally good. Ours is beside the paired bootstrap test of sacrebleu, which `vaswani score`
handed on before; each has the number of draws that it has by default. Each cost is that of a process of its own, with
its imports and the text, on one thread.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER
from sacrebleu.significance import PairedTest
from tqdm import tqdm

from benchmarks.measuring.machine import machine
from benchmarks.measuring.process_memory import peak_memory
from benchmarks.measuring.report import add_output, leave
from vaswani.commands.line_files import read_lines, write_lines
from vaswani.evaluation.metrics.sacrebleu.line_statistics import corpus_scores, line_statistics
from vaswani.evaluation.metrics.wmt14_bleu import compound_split_bleu
from vaswani.evaluation.significance import SAMPLES, TRIALS, Draws, resample
from vaswani.plots.style import styled

SCORES: dict[str, Callable[[], Metric]] = {
    "sacreBLEU": BLEU,
    "chrF": CHRF,
    "TER": TER,
    "wmt14_bleu": compound_split_bleu.bleu,
}
VOCABULARY = 20_000
SEED = 12345


def by_us(score: str, outputs: Sequence[list[str]], references: list[str]) -> float:
    """Return p by paired approximate randomisation."""
    metric = SCORES[score]()
    statistics = line_statistics(metric, outputs, references)
    found = resample(partial(corpus_scores, metric), statistics, Draws(SAMPLES, TRIALS, SEED))[1].p_value
    assert found is not None
    return found


def by_sacrebleu(score: str, outputs: Sequence[list[str]], references: list[str]) -> float:
    """Return the p of sacrebleu's paired bootstrap test."""
    named: Any = [(str(place), each) for place, each in enumerate(outputs)]
    _, found = PairedTest(named, {score: SCORES[score]()}, [references], "bs", SAMPLES)()
    (_, result) = found.popitem()[1]
    return float(result.p_value)  # type: ignore[union-attr,arg-type]


OURS, SACREBLEUS = "approximate randomisation", "sacrebleu's bootstrap test"
TESTS = {OURS: by_us, SACREBLEUS: by_sacrebleu}


@cache
def vocabulary() -> list[str]:
    """Return words, the most frequent first, of which the first hundred are short."""
    draw, letters = np.random.default_rng(0), np.array(list("enisratdhulcgmobwfkzpvjyxq"))
    lengths = np.where(np.arange(VOCABULARY) < 100, draw.integers(2, 5, VOCABULARY), draw.integers(4, 13, VOCABULARY))
    return ["".join(draw.choice(letters, length)) for length in lengths]


def write(draw: np.random.Generator, lines: int, rates: Sequence[float]) -> list[list[str]]:
    """Return references and an output for each rate, the share of words that it lacks or mistakes."""
    words = vocabulary()
    chances = 1 / np.arange(1, VOCABULARY + 1)
    chances /= chances.sum()
    ends = np.maximum(3, draw.gamma(4, 5, lines).astype(int)).cumsum()
    meant = draw.choice(VOCABULARY, ends[-1], p=chances)

    def text(symbols: Any, kept: Any) -> list[str]:
        rows = zip(np.split(symbols, ends[:-1]), np.split(kept, ends[:-1]), strict=True)
        return [" ".join(words[each] for each in row[here]).capitalize() + "." for row, here in rows]

    outputs = []
    for rate in rates:
        fate = draw.random(len(meant))
        mistaken = np.where(fate < rate / 2, draw.choice(VOCABULARY, len(meant), p=chances), meant)
        outputs.append(text(mistaken, fate < 1 - rate / 2))
    return [text(meant, np.ones(len(meant), bool)), *outputs]


def p_values(score: str, pairs: int, lines: int, rates: Sequence[float]) -> dict[str, list[float]]:
    """Return p of many pairs by each test."""
    found: dict[str, list[float]] = {test: [] for test in TESTS}
    for seed in tqdm(range(pairs), score, unit=" pairs"):
        written = write(np.random.default_rng(seed), lines, rates)
        if score == "wmt14_bleu":
            written = [compound_split_bleu.tokenise(each) for each in written]
        references, *outputs = written
        for test, p_of in TESTS.items():
            found[test].append(p_of(score, outputs, references))
    return found


def cost(test: str, score: str, folder: Path) -> dict[str, float]:
    """Return seconds of the processor and the largest resident size in bytes, and how much of it imports had taken."""
    before, started = peak_memory(), time.process_time()
    references, *outputs = [read_lines(folder / name) for name in ("references", "first", "second")]
    if score == "wmt14_bleu":
        references, *outputs = [compound_split_bleu.tokenise(each) for each in (references, *outputs)]
    TESTS[test](score, outputs, references)
    return {"seconds": time.process_time() - started, "peak_memory": peak_memory(), "memory_before": before}


def costs(sizes: Mapping[str, Sequence[int]], scores: Sequence[str]) -> list[dict[str, Any]]:
    """Return the cost of each test under each score for each number of lines."""
    found = []
    for test, lines, score in [(t, n, score) for t, many in sizes.items() for n in many for score in scores]:
        with tempfile.TemporaryDirectory() as folder:
            written = write(np.random.default_rng(lines), lines, (0.3, 0.3))
            for name, each in zip(("references", "first", "second"), written, strict=True):
                write_lines(Path(folder, name), each)
            with ProcessPoolExecutor(1, get_context("spawn")) as alone:
                spent = alone.submit(cost, test, score, Path(folder)).result()
        found.append({"test": test, "score": score, "lines": lines, **spent})
        print(found[-1])
    return found


@styled
def draw_distributions(equal: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Draw for each score which share of pairs has at most a p, by each test; uniform is the diagonal."""
    figure = Figure(figsize=(max(8, 3.2 * len(equal)), 3.8), layout="constrained")
    panels = figure.subplots(1, len(equal), sharey=True, squeeze=False)[0]
    for axes, (score, found) in zip(panels, equal.items(), strict=True):
        for test, each in found.items():
            axes.ecdf(each, label=test)
        axes.plot([0, 1], [0, 1], color="0.6", linestyle=":", label="uniform, as p should be", zorder=1)
        axes.set(title=score, xlabel="p", xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.grid()
    panels[0].set_ylabel("share of pairs with at most this p")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def table(equal: Mapping[str, Any], unlike: Mapping[str, Any], spent: Sequence[Mapping[str, Any]]) -> str:
    """Return the figures in Markdown."""
    text = [
        "| | test | median p, equally good | p < 0.05 | p < 0.2 | p < 0.05, one better |",
        "|---|---|---|---|---|---|",
    ]
    for score, tests in equal.items():
        for test, each in tests.items():
            found = np.array(each)
            shares = [f"{np.mean(found < most):.3f}" for most in (0.05, 0.2)]
            power = np.mean(np.array(unlike[score][test]) < 0.05)
            text.append(f"| {score} | {test} | {np.median(found):.3f} | {' | '.join(shares)} | {power:.3f} |")
    text += [
        "",
        "| | test | lines | processor seconds | peak memory, MB | of it imports |",
        "|---|---|---|---|---|---|",
    ]
    for each in spent:
        figures = [f"{each['lines']:,}", f"{each['seconds']:.1f}"]
        figures += [f"{each[when] / 1e6:,.0f}" for when in ("peak_memory", "memory_before")]
        text.append(f"| {each['score']} | {each['test']} | {' | '.join(figures)} |")
    return "\n".join(text)


def main() -> None:
    """Measure, and leave a report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=400, help="of equally good outputs")
    parser.add_argument("--lines", type=int, default=100, help="of each of them")
    parser.add_argument(
        "--scores", nargs="+", choices=SCORES, default=list(SCORES), help="scores to compare by (default: all)"
    )
    parser.add_argument("--costs", type=int, nargs="*", default=[5000], help="lines of the two outputs")
    parser.add_argument(
        "--costs_of_sacrebleu",
        type=int,
        nargs="*",
        default=[5000],
        help="lines of the two outputs, of the test of sacrebleu (default: %(default)s)",
    )
    add_output(parser)
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes to come
    spent = costs({OURS: given.costs, SACREBLEUS: given.costs_of_sacrebleu}, given.scores)
    equal = {score: p_values(score, given.pairs, given.lines, (0.3, 0.3)) for score in given.scores}
    unlike = {score: p_values(score, given.pairs // 4, given.lines, (0.3, 0.36)) for score in given.scores}
    about = machine("numpy", "sacrebleu", "sacremoses") | {
        "equally good": f"{given.pairs} pairs of {given.lines} lines, 30% of the words wrong",
        "one better": f"{given.pairs // 4} pairs, 30% and 36% of the words wrong",
    }
    figures = {"equal": equal, "unlike": unlike, "costs": spent}
    leave(given.output, about, table(equal, unlike, spent), figures, draw_distributions(equal) if equal else None)


if __name__ == "__main__":
    main()
