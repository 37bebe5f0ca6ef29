"""The page of a model in headless Chromium against greedy `generate`: tokens, BLEU, words a second, sizes.

    python -m benchmarks.decoding.browser MODEL --input test.en --references test.de --validation val.en val.de

The model is exported as a page in float32 and in 8 bits, and each is opened in a browser of its own, where one thread
computes: servers that send no headers for isolation, such as `python -m http.server`, allow no more. `generate`
searches greedily, on one thread, one sentence at a time as the page does, and once more in batches. All take turns,
`--block` sentences each, so that what else the machine does falls on all alike. Words are those of the source.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from sacrebleu.metrics.bleu import BLEU
from selenium.webdriver import Chrome
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

import vaswani.modeling  # noqa: F401  (teaches the Auto classes)
from benchmarks.measuring.chromium import chromium, served
from benchmarks.measuring.flags import add_model_and_texts
from benchmarks.measuring.machine import machine
from benchmarks.measuring.report import add_output, leave
from vaswani.commands.line_files import read_lines
from vaswani.engines.browser.calibration import SENTENCES
from vaswani.engines.export import export_to_browser
from vaswani.engines.native import Validation
from vaswani.evaluation.scores import figure
from vaswani.translation.hypotheses import BeamSettings

from .compare_engines import Torch, translations

ALONE, BATCHES = "generate, one by one", "generate, batches of 4,096 tokens"
PAGES = {"page, float32": "float32", "page, 8 bits": "int8"}
LOAD = """
const [done] = arguments;
window.worker = new Worker(new URL("worker.js", location.href), { type: "module" });
window.worker.onmessage = ({ data }) => {
    if (data.kind === "ready") done(null);
    if (data.kind === "failed") done(data.reason);
};
window.worker.postMessage({ kind: "load" });
"""
TRANSLATE = """
const [lines, done] = arguments;
const found = [];
window.worker.onmessage = ({ data }) => {
    if (data.kind === "line") found.push([data.tokens, data.text]);
    if (data.kind === "done") done([found, data.seconds]);
    if (data.kind === "failed") done(data.reason);
};
window.worker.postMessage({ kind: "translate", lines });
"""


class Found(NamedTuple):
    """What a contender made of some lines."""

    tokens: list[list[int]]
    texts: list[str]
    seconds: float


Contender = Callable[[Sequence[str]], Found]


def by_torch(model: Any, tokenizer: Any, budget: int) -> Contender:
    """Return greedy `generate`; `budget` is the source tokens of a batch, 1 for one sentence at a time."""
    engine = Torch(model)

    def translated(lines: Sequence[str]) -> Found:
        begun = time.perf_counter()
        with torch.inference_mode():
            found = translations(engine, tokenizer(list(lines)).input_ids, BeamSettings(1), budget)
        tokens = [each.tokens for each in found]
        texts = tokenizer.batch_decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Found(tokens, texts, time.perf_counter() - begun)

    return translated


def by_page(browser: Chrome, address: str) -> Contender:
    """Return the page at an address, loaded; the time is what its worker takes."""
    browser.set_script_timeout(3600)
    browser.get(address)
    if (fault := browser.execute_async_script(LOAD)) is not None:
        raise ValueError(fault)

    def translated(lines: Sequence[str]) -> Found:
        answer = browser.execute_async_script(TRANSLATE, list(lines))
        if isinstance(answer, str):
            raise ValueError(answer)
        found, seconds = answer
        return Found([tokens for tokens, _ in found], [text for _, text in found], seconds)

    return translated


def measure(ways: dict[str, Contender], lines: list[str], block: int) -> dict[str, list[Found]]:
    """Return what each made of each block; a first block is translated beforehand, and not counted."""
    for way in ways.values():
        way(lines[:block])
    found: dict[str, list[Found]] = {name: [] for name in ways}
    names = list(ways)
    for turn, first in enumerate(range(0, len(lines), block)):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            found[name].append(ways[name](lines[first : first + block]))
    return found


def summary(found: dict[str, list[Found]], lines: list[str], references: list[str]) -> list[dict[str, Any]]:
    """Return a row for each contender."""
    words = sum(len(line.split()) for line in lines)
    expected = [tokens for each in found[ALONE] for tokens in each.tokens]
    rows = []
    for name, blocks in found.items():
        tokens = [each for block in blocks for each in block.tokens]
        ratios = sorted(one.seconds / other.seconds for one, other in zip(found[ALONE], blocks, strict=True))
        bleu = BLEU()
        score = bleu.corpus_score([text for block in blocks for text in block.texts], [references]).score
        rows.append(
            {
                "name": name,
                "same": sum(one == other for one, other in zip(expected, tokens, strict=True)),
                "of": len(lines),
                "bleu": score,
                "words_a_second": words / sum(block.seconds for block in blocks),
                "speed": ratios[len(ratios) // 2],
                "speed_least": ratios[0],
                "speed_most": ratios[-1],
                "signature": str(bleu.get_signature()),
            }
        )
    return rows


def validation_of(files: tuple[Path, Path] | None) -> Validation | None:
    """Return as much of a validation set as 8 bits are fitted to."""
    if files is None:
        return None
    sources, references = (read_lines(file)[:SENTENCES] for file in files)
    return Validation("bleu", sources, partial(figure, "bleu", references=references))


def sizes(folders: dict[str, Path]) -> str:
    """Return a table of the files of pages, in megabytes."""
    names = sorted({file.relative_to(folder) for folder in folders.values() for file in folder.rglob("*.*")})
    names = [name for name in names if not name.name.startswith("README")]
    rows = [f"| file | {' | '.join(folders)} |", "|---|" + "---:|" * len(folders)]
    for name in names:
        held = [folder / name for folder in folders.values()]
        rows.append(f"| `{name}` | {' | '.join(mb(file.stat().st_size) if file.exists() else '' for file in held)} |")
    totals = [sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) for folder in folders.values()]
    return "\n".join([*rows, f"| all | {' | '.join(map(mb, totals))} |"])


def mb(size: int) -> str:
    """Return bytes as megabytes."""
    return f"{size / 1e6:.2f}"


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a table for a report."""
    text = [
        "| | same tokens as `generate` | sacreBLEU | words a second | speed against it, median (least, most) |",
        "|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        same = f"{row['same']:,} of {row['of']:,} ({row['same'] / row['of']:.1%})"
        speed = f"{row['speed']:.2f} ({row['speed_least']:.2f}, {row['speed_most']:.2f})"
        text.append(f"| {row['name']} | {same} | {row['bleu']:.2f} | {row['words_a_second']:.0f} | {speed} |")
    return "\n".join(text)


def main() -> None:
    """Export, translate by turns, and leave a report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_and_texts(parser, 1000)
    parser.add_argument(
        "--validation",
        metavar=("SOURCE", "REFERENCE"),
        nargs=2,
        type=Path,
        help="text that 8 bits are fitted to, as of `vaswani export` (default: none, sentences drawn by chance)",
    )
    parser.add_argument("--block", type=int, default=50, help="sentences of a turn (default: %(default)s)")
    add_output(parser)
    given = parser.parse_args()
    torch.set_num_threads(1)
    lines, references = (read_lines(file)[: given.lines] for file in (given.input, given.references))
    tokenizer = AutoTokenizer.from_pretrained(given.model)
    model: Any = AutoModelForSeq2SeqLM.from_pretrained(given.model, dtype=torch.float32).eval()
    with ExitStack() as stack:
        temporary = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ways = {ALONE: by_torch(model, tokenizer, 1), BATCHES: by_torch(model, tokenizer, 4096)}
        folders = {}
        for name, quantization in PAGES.items():
            folders[name] = temporary / quantization
            export_to_browser(given.model, folders[name], "benchmark", quantization, validation_of(given.validation))
            browser = stack.enter_context(chromium())
            ways[name] = by_page(browser, stack.enter_context(served(folders[name])))
            version = browser.capabilities["browserVersion"]
        rows = summary(measure(ways, lines, given.block), lines, references)
        size = sizes(folders)
    about = machine("torch", "transformers", "onnxruntime", "sacrebleu") | {"chromium": version}
    words = sum(len(line.split()) for line in lines)
    about |= {"signature": rows[0]["signature"], "text": f"{len(lines):,} sentences, {words:,} words"}
    leave(given.output, about, f"{table(rows)}\n\nMegabytes:\n\n{size}", {"rows": rows})


if __name__ == "__main__":
    main()
