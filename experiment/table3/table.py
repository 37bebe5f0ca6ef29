"""The results of the rows beside the paper's: table3.md, table3.json and the chart."""

import math
import statistics
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from vaswani.experiment import markdown
from vaswani.experiment.run_folder import write_json
from vaswani.plots import Difference, draw_table3, save
from vaswani.storage import write_text

from .rows import BASE, BIG, NETWORK, Row, Scale
from .runs import Run, ended

SYMBOLS = {
    "encoder_layers": "N",
    "d_model": "d_model",
    "d_ff": "d_ff",
    "num_heads": "h",
    "d_k": "d_k",
    "d_v": "d_v",
    "dropout": "P_drop",
    "label_smoothing": "ε_ls",
}
"""The paper's."""


class Line(NamedTuple):
    """One line of the table: a row's runs, a figure for each seed."""

    row: Row
    parameters: int
    seeds: list[int]
    perplexities: list[float]
    bleus: list[float]
    """sacreBLEU."""
    paper_bleus: list[float]
    """As the paper counted; empty if the target is not German."""


def gather(table: Path) -> str:
    """Write the table of all finished runs in a folder to table3.md, .json, .png and .svg; return table3.md.

    Raises:
        ValueError: none is finished, or they do not belong together.

    """
    runs = ended(table)
    if not runs:
        raise ValueError(f"{table} holds no finished run of table 3")
    lines = lines_of(runs)
    found = differences(lines)
    text = (
        "\n\n".join(["# Table 3, here and in the paper", heading(runs), rows_as_text(lines), *directions(found)]) + "\n"
    )
    write_text(table / "table3.md", text)
    write_json(
        table / "table3.json",
        {
            "setting": runs[0].setting | {"steps": sorted({run.steps for run in runs})},
            "rows": [as_json(line) for line in lines],
            "against_base": [difference._asdict() for difference in found],
        },
    )
    if found:
        save(draw_table3(found), table / "table3")
    return text


def lines_of(runs: Sequence[Run]) -> list[Line]:
    """Return the runs row by row."""
    lines = []
    for row, of_row in groupby(runs, key=lambda run: run.row):
        each = list(of_row)
        lines.append(
            Line(
                row,
                each[0].parameters,
                [run.seed for run in each],
                [run.perplexity for run in each],
                [run.bleu for run in each],
                [run.paper_bleu for run in each if run.paper_bleu is not None],
            )
        )
    return lines


# --- against base ---


def differences(lines: Sequence[Line]) -> list[Difference]:
    """Return each row's difference from base, in nats per token and in BLEU; nothing without base."""
    base = next((line for line in lines if line.row is BASE), None)
    if base is None:
        return []
    spread_of_loss = pooled_deviation([[math.log(each) for each in line.perplexities] for line in lines])
    spread_of_bleu = pooled_deviation([line.bleus for line in lines])
    found = []
    for line in lines:
        if line is not base:
            share = math.sqrt(1 / len(line.seeds) + 1 / len(base.seeds))
            found.append(
                Difference(
                    line.row.name,
                    _mean_loss(line) - _mean_loss(base),
                    None if spread_of_loss is None else spread_of_loss * share,
                    math.log(line.row.perplexity / BASE.perplexity),
                    statistics.mean(line.bleus) - statistics.mean(base.bleus),
                    None if spread_of_bleu is None else spread_of_bleu * share,
                    line.row.bleu - BASE.bleu,
                )
            )
    return found


def pooled_deviation(groups: Sequence[Sequence[float]]) -> float | None:
    """Return the standard deviation within groups, assumed to be the same in all; None if each holds one value."""
    freedom = sum(len(group) - 1 for group in groups)
    if freedom == 0:
        return None
    return math.sqrt(sum(statistics.variance(group) * (len(group) - 1) for group in groups if len(group) > 1) / freedom)


def _mean_loss(line: Line) -> float:
    return statistics.mean(math.log(each) for each in line.perplexities)


def verdict(here: float, error: float | None, paper: float) -> str:
    """Return whether a difference has the direction of the paper's; below two standard errors it has none."""
    if abs(paper) < 1e-9:
        return "the paper saw none"
    if error is None:
        return "one seed"
    if abs(here) <= 2 * error:
        return "undecided"
    return "as there" if here * paper > 0 else "**the other way**"


# --- text ---


def heading(runs: Sequence[Run]) -> str:
    """Return one paragraph on what was trained and how it was scored."""
    setting = runs[0].setting
    text = Path(setting["data_dir"]).name if setting["data_dir"] else setting["dataset"]
    steps = sorted({run.steps for run in runs})
    long = f"{steps[0]:,} steps in every row" if len(steps) == 1 else f"{steps[0]:,} steps, big {steps[-1]:,}"
    if len(steps) == 1 and any(run.row is BIG for run in runs):
        long += ", big included (the paper: 100,000, big 300,000)"
    divisors = {name: setting[f"{name}_divided_by"] for name in Scale._fields}
    divided = "".join(f"{name} divided by {divisor}, " for name, divisor in divisors.items() if divisor > 1)
    return (
        f"{setting['direction']} on {text}, {setting['vocab_size']:,} tokens, {divided}{long}, of "
        f"{setting['batches_per_step'] * setting['tokens_per_batch']:,} tokens a side; warm-up "
        f"{setting['warmup_steps']:,.0f} steps, peak rate {setting['peak_learning_rate']:.3g} (base; other widths as "
        f"d_model^-0.5). Scored: {setting['checkpoint']}, split {setting['validation_split']}, beam "
        f"{setting['test_beams']}, length penalty {setting['length_penalty']:g}; perplexity per token; BLEU "
        f"{setting['bleu']}. ± is the standard deviation over seeds."
    )


def rows_as_text(lines: Sequence[Line]) -> str:
    """Return the table itself, in Markdown."""
    with_paper_bleu = all(line.paper_bleus for line in lines)
    counts = ["the paper's count"] if with_paper_bleu else []
    head = [
        "row",
        "change, in the paper's sizes",
        "PPL",
        "paper",
        "BLEU",
        *counts,
        "paper",
        "parameters, millions",
        "paper",
        "seeds",
    ]
    body = []
    for line in lines:
        counted = [figure(line.paper_bleus, 1)] if with_paper_bleu else []
        body.append(
            [
                line.row.name,
                change_as_text(line.row),
                figure(line.perplexities, 2),
                f"{line.row.perplexity:.2f}",
                figure(line.bleus, 1),
                *counted,
                f"{line.row.bleu:.1f}",
                f"{line.parameters / 1e6:.2f}",
                str(line.row.parameters or ""),
                str(len(line.seeds)),
            ]
        )
    return markdown.table(head, body)


def directions(found: Sequence[Difference]) -> list[str]:
    """Return whether each row moved as in the paper, in Markdown with an explanation."""
    if not found:
        return []
    head = ["row", "nats per token", "paper", "direction", "BLEU", "paper", "direction"]
    body = [
        [
            each.name,
            f"{each.loss:+.3f}",
            f"{each.paper_loss:+.3f}",
            verdict(each.loss, each.loss_error, each.paper_loss),
            f"{each.bleu:+.1f}",
            f"{each.paper_bleu:+.1f}",
            verdict(each.bleu, each.bleu_error, each.paper_bleu),
        ]
        for each in found
    ]
    return [
        "## Against base",
        "The logarithm of the perplexity and BLEU, minus those of base. A difference has a direction if it exceeds "
        "two of its standard errors, from the spread over seeds of all rows together; the paper trained each row "
        "once.",
        markdown.table(head, body),
        "![Each row against base, here and in the paper](table3.png)",
    ]


def figure(values: Sequence[float], digits: int) -> str:
    """Return a mean, with the standard deviation of the sample where there are several values."""
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread}"


def change_as_text(row: Row) -> str:
    """Return what a row changes, by the paper's symbols."""
    change = row.change if row is not BASE else {k: v for k, v in NETWORK.items() if k in SYMBOLS}
    changed = {SYMBOLS[name]: value for name, value in change.items() if name in SYMBOLS}
    words = [f"{symbol}={value}" for symbol, value in changed.items()]
    return ", ".join(words) or f"{row.change['positions']} positions"


def as_json(line: Line) -> dict[str, Any]:
    """Return a line with every figure."""
    values = {"perplexity": line.perplexities, "bleu": line.bleus, "paper_bleu": line.paper_bleus}
    return {
        "name": line.row.name,
        "change": line.row.change,
        "parameters": line.parameters,
        "seeds": line.seeds,
        **{
            name: {
                "values": each,
                "mean": statistics.mean(each),
                "deviation": statistics.stdev(each) if len(each) > 1 else None,
            }
            for name, each in values.items()
            if each
        },
        "paper": {"perplexity": line.row.perplexity, "bleu": line.row.bleu, "parameters": line.row.parameters},
    }
