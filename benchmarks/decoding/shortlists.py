"""Measure what a vocabulary shortlist costs and gains: the same export translates with it and without, in turn.

python -m benchmarks.decoding.shortlists EXPORTED --input source.txt --references target.txt --rounds 5

EXPORTED is what `vaswani export ... --to ctranslate2 --shortlist ...` wrote. Batches are large, as in a corpus, and of
a single sentence, since the tokens of a batch are those of all its sentences; search is greedy and with 4 beams. The
first round warms up and is not counted.
"""

import argparse
import time
from functools import partial
from typing import Any

from sacrebleu.metrics.bleu import BLEU

from benchmarks.measuring.flags import add_model_and_texts, add_rounds, add_threads
from benchmarks.measuring.machine import machine
from benchmarks.measuring.report import add_output, leave
from benchmarks.measuring.turns import against, in_turn
from vaswani.commands.line_files import read_lines
from vaswani.engines.ctranslate2 import Engine
from vaswani.engines.engine import by_engine
from vaswani.experiment import markdown
from vaswani.translation.batches import search_lines
from vaswani.translation.hypotheses import BeamSettings
from vaswani.translation.plain_tokenizer import load_plain

KINDS = {"large batches": 4096, "sentence by sentence": 1}
"""Most source tokens of a batch, times beams."""


def translated(engine: Any, tokenizer: Any, lines: list[str], beams: int, tokens: int, uses: bool) -> tuple[float, Any]:
    """Return the processor time of a translation with the shortlist or without, and the translation."""
    engine.uses_shortlist = uses
    started = time.process_time()
    found = search_lines(by_engine(engine, tokenizer, BeamSettings(beams)), tokenizer, lines, beams, max(tokens, beams))
    return time.process_time() - started, [row[0].text for row in found]


def main() -> None:
    """Measure, and leave a report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_and_texts(parser, 1000)
    add_rounds(parser, 5)
    add_threads(parser)
    add_output(parser)
    given = parser.parse_args()
    engine, tokenizer = Engine(given.model, "cpu", given.threads), load_plain(given.model)
    lines, references = (read_lines(path)[: given.lines] for path in (given.input, given.references))
    rows, figures = [], []
    for beams in (1, 4):
        for kind, tokens in KINDS.items():
            ways = {uses: partial(translated, engine, tokenizer, lines, beams, tokens, uses) for uses in (False, True)}
            found = in_turn({str(uses): way for uses, way in ways.items()}, given.rounds)
            seconds = {uses: [each for each, _ in found[str(uses)]] for uses in (False, True)}
            texts = {uses: found[str(uses)][-1][1] for uses in (False, True)}
            speed = against(seconds[True], seconds[False])
            bleu = {uses: BLEU().corpus_score(text, [references]).score for uses, text in texts.items()}
            same = sum(a == b for a, b in zip(texts[False], texts[True], strict=True))
            gain = f"{speed['speed']:.2f} ({speed['speed_least']:.2f} to {speed['speed_most']:.2f})"
            rows.append([f"{beams}", kind, gain, f"{bleu[False]:.2f}", f"{bleu[True]:.2f}", f"{same:,}"])
            figures.append({"beams": beams, "batches": kind, "seconds": seconds, "bleu": bleu, "same": same})
    head = ["beams", "batches", "speed with it, median (least to most)", "BLEU without", "BLEU with", "same lines"]
    about = machine("ctranslate2", "tokenizers", "sacrebleu") | {"lines": str(len(lines)), "rounds": str(given.rounds)}
    leave(given.output, about, markdown.table(head, rows), {"figures": figures})


if __name__ == "__main__":
    main()
