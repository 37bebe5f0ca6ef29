"""Measure decoding: several ways to translate the same lines take turns in one process, round after round.

python -m benchmarks.decoding.decode MODEL --input source.txt --lines 500 --rounds 5 --output decode.json

Each round runs every contender once, in an order that is turned by one from round to round, so that what else the
machine does falls on all of them alike. A figure is the median over the rounds, with the least and the most; a ratio is
the median of the ratios to the baseline within a round. The first round warms up and is not counted.

The contenders share weights, tokenizer and batches (sorted, `--tokens_per_batch`). "Marian" is transformers' own class
for translation with these weights. The installed engines join with the model exported to them, in float32 and int8; the
export is not timed.
"""

import argparse
import copy
import functools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from sacrebleu.metrics.bleu import BLEU
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

import vaswani.modeling  # noqa: F401  (teaches the Auto classes)
from benchmarks.measuring.flags import add_rounds, add_threads
from benchmarks.measuring.machine import machine
from benchmarks.measuring.report import add_output, leave
from benchmarks.measuring.turns import against, in_turn
from vaswani.commands.line_files import read_lines
from vaswani.engines.engine import Engine, by_engine
from vaswani.training.speed.fastest_attention import fastest_attention
from vaswani.translation.batches import batches, encode, translate_batches
from vaswani.translation.hypotheses import BLANK, BeamSettings
from vaswani.translation.packed_weights import pack_weights
from vaswani.translation.translate import translate

from .exported import exported
from .marian import as_marian

Contender = Callable[[list[str]], list[str]]
PAPER = "paper's search"


def contenders(folder: Path, beams: int, tokens_per_batch: int, exports: Path) -> dict[str, Contender]:
    """Return the ways to translate, by name; `exports` is a folder for what engines load."""
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def load(dtype: torch.dtype, attention: str = "sdpa") -> Any:
        return AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=dtype, attn_implementation=attention).eval()

    def by(model: Any, beams: int = beams, **how: bool) -> Contender:
        model = copy.copy(model)  # the weights stay shared
        model.generate = functools.partial(model.generate, **how)
        return lambda lines: translate(model, tokenizer, lines, num_beams=beams, tokens_per_batch=tokens_per_batch)

    def by_other(engine: Engine) -> Contender:
        search = by_engine(engine, tokenizer, BeamSettings(beams))

        def translations(lines: list[str]) -> list[str]:
            sources = encode(tokenizer, lines)
            cut = list(batches([len(source) for source in sources], tokens_per_batch // beams))
            found = translate_batches(search, sources, cut)
            return [found.get(place, BLANK)[0].text for place in range(len(lines))]

        return translations

    whole = load(torch.float32)
    half = load(torch.bfloat16, fastest_attention(torch.device("cpu"), in_16_bits=True))
    ways = {
        PAPER: by(whole),
        f"{PAPER}, packed": by(packed(whole)),
        "beam search of transformers": by(whole, paper_search=False),
        f"{PAPER}, bfloat16": by(half),
        f"{PAPER}, bfloat16, packed": by(packed(half)),
        "greedy": by(whole, beams=1),
        "greedy, bfloat16": by(half, beams=1),
    }
    try:
        ways["Marian, beam search of transformers"] = by(as_marian(whole))
    except ValueError as error:
        print(f"Without Marian: {error}")
    engines = exported(folder, exports, torch.get_num_threads())
    return ways | {name: by_other(engine) for name, engine in engines}


def packed(model: Any) -> Any:
    """Return a copy of a model with its matrices laid out, as `vaswani translate` has them on a CPU."""
    model = copy.deepcopy(model)
    pack_weights(model)
    return model


def chosen(ways: dict[str, Contender], base: str, only: list[str] | None) -> dict[str, Contender]:
    """Return the contenders that are to run: all, or those of `only` beside the paper's search and the baseline.

    Raises:
        ValueError: a name is none of theirs.

    """
    wanted = {PAPER, base, *(ways if only is None else only)}
    if unknown := sorted(wanted - ways.keys()):
        raise ValueError(f"no contender is called {', '.join(map(repr, unknown))}; there are: {'; '.join(ways)}")
    return {name: way for name, way in ways.items() if name in wanted}


def measure(ways: dict[str, Contender], lines: list[str], rounds: int) -> dict[str, dict[str, Any]]:
    """Return of each contender the seconds of every counted round, of the clock and of the processor, and its text."""

    def timed(way: Contender) -> tuple[float, float, list[str]]:
        clock, processor = time.perf_counter(), time.process_time()
        translations = way(lines)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter() - clock, time.process_time() - processor, translations

    found = {}
    for name, turns in in_turn({name: functools.partial(timed, way) for name, way in ways.items()}, rounds).items():
        seconds, processor_seconds, translations = zip(*turns, strict=True)
        found[name] = {
            "seconds": list(seconds),
            "processor_seconds": list(processor_seconds),
            "translations": translations[-1],
        }
    return found


def summary(found: dict[str, dict[str, Any]], base: str, references: list[str] | None) -> list[dict[str, Any]]:
    """Return a row for each contender, its speed against that of `base`, and how many lines are as by the paper."""
    baseline, exact = found[base], found[PAPER]["translations"]
    rows = []
    for name, each in found.items():
        row: dict[str, Any] = {"contender": name}
        for clock in ("processor_seconds", "seconds"):
            row[clock] = against(each[clock], baseline[clock])
        same = [a == b for a, b in zip(each["translations"], exact, strict=True)]
        row["same_lines"] = sum(same) / len(same)
        if references:
            row["bleu"] = BLEU().corpus_score(each["translations"], [references]).score
        rows.append(row)
    return rows


def table(rows: list[dict[str, Any]], clock: str, base: str) -> str:
    """Return the rows as a table for a report."""
    text = [
        f"| | seconds, median (least to most) | speed against {base} | lines as by {PAPER} | sacreBLEU |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        seen, bleu = row[clock], row.get("bleu")
        text.append(
            f"| {row['contender']} | {seen['seconds']:.2f} ({seen['least']:.2f} to {seen['most']:.2f}) "
            f"| {seen['speed']:.2f} ({seen['speed_least']:.2f} to {seen['speed_most']:.2f}) "
            f"| {row['same_lines']:.1%} | {'' if bleu is None else f'{bleu:.1f}'} |"
        )
    return "\n".join(text)


def main() -> None:
    """Measure, and leave a report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder of a trained model")
    parser.add_argument("--input", type=Path, required=True, help="a sentence a line")
    parser.add_argument("--references", type=Path, help="their translations, to score what comes out")
    parser.add_argument("--lines", type=int, default=500, help="take so many from the start")
    add_rounds(parser, 5)
    parser.add_argument("--beams", type=int, default=4, help="beams of the search (default: %(default)s)")
    parser.add_argument(
        "--tokens_per_batch",
        type=int,
        default=4096,
        help="most source tokens of a batch, padding included (default: %(default)s)",
    )
    add_threads(parser)
    parser.add_argument("--baseline", default="beam search of transformers", help="the contender that has speed 1")
    parser.add_argument("--only", nargs="+", help="the contenders that are to run, beside baseline and paper's search")
    add_output(parser)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    lines = read_lines(given.input)[: given.lines]
    references = given.references and read_lines(given.references)[: given.lines]
    with tempfile.TemporaryDirectory() as exports:
        ways = contenders(given.model, given.beams, given.tokens_per_batch, Path(exports))
        try:
            ways = chosen(ways, given.baseline, given.only)
        except ValueError as error:
            parser.error(str(error))
        found = measure(ways, lines, given.rounds)
    rows = summary(found, given.baseline, references)
    about = machine("torch", "transformers", "ctranslate2", "onnxruntime") | {
        "lines": str(len(lines)),
        "beams": str(given.beams),
        "tokens_per_batch": str(given.tokens_per_batch),
        "rounds": str(given.rounds),
    }
    tables = [
        f"{said}:\n\n{table(rows, clock, given.baseline)}"
        for clock, said in (("processor_seconds", "Processor time"), ("seconds", "Time"))
    ]
    rounds = {
        name: {key: value for key, value in each.items() if key != "translations"} for name, each in found.items()
    }
    leave(given.output, about, "\n\n".join(tables), {"rows": rows, "rounds": rounds})


if __name__ == "__main__":
    main()
