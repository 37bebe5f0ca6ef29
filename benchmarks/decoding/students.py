"""Time a student in 8 bits beside its teacher in 8 bits and transformers' Marian of the teacher's size, in turn.

python -m benchmarks.decoding.students TEACHER TEACHER_INT8 STUDENT_INT8 --input source.txt --references target.txt

TEACHER is a trained model; the other two are what `vaswani export --to ctranslate2 --quantization int8` wrote of it and
of the student. All translate the same lines in the same batches, sorted by length; processor time, by one thread unless
--threads says otherwise. The first round warms up and is not counted.

Marian has random weights, as it cannot have those of a pre-norm network, so its search would not end by itself: it is
made to write exactly as many tokens as the longest translation of the teacher in the batch. Its own search goes on
until every sentence is done, so this is the least that it could do.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from sacrebleu.metrics.bleu import BLEU
from transformers import AutoConfig, MarianMTModel

from benchmarks.measuring.flags import add_rounds, add_threads
from benchmarks.measuring.machine import machine
from benchmarks.measuring.report import add_output, leave
from benchmarks.measuring.turns import against, in_turn
from vaswani.commands.line_files import read_lines
from vaswani.engines.ctranslate2 import Engine
from vaswani.engines.engine import by_engine
from vaswani.experiment import markdown
from vaswani.translation.batches import batches, encode, search_lines
from vaswani.translation.hypotheses import BeamSettings
from vaswani.translation.plain_tokenizer import load_plain
from vaswani.translation.search import padded

from .marian import marian_config

BEAMS = 4
MARIAN = f"transformers' Marian of the teacher's size, float32, {BEAMS} beams"
Timed = tuple[float, list[str] | None]


def by_export(folder: Path, lines: list[str], beams: int, tokens: int, threads: int) -> Callable[[], Timed]:
    """Return what translates by an exported model, and how long that takes the processor."""
    engine, tokenizer = Engine(folder, "cpu", threads), load_plain(folder)
    assert tokenizer is not None

    def translated() -> Timed:
        started = time.process_time()
        found = search_lines(by_engine(engine, tokenizer, BeamSettings(beams)), tokenizer, lines, beams, tokens)
        return time.process_time() - started, [row[0].text for row in found]

    return translated


def by_marian(teacher: Path, exported: Path, lines: list[str], tokens: int) -> Callable[[], Timed]:
    """Return what does the work of a translation by Marian, and how long that takes the processor."""
    config: Any = AutoConfig.from_pretrained(teacher)
    model: Any = MarianMTModel(marian_config(config)).eval()
    tokenizer = load_plain(exported)
    assert tokenizer is not None
    sources = encode(tokenizer, lines)
    engine = Engine(exported, "cpu", torch.get_num_threads())
    cut = list(batches([len(source) for source in sources], tokens // BEAMS))
    lengths = [
        max(len(best[0].tokens) for best in engine.search([sources[at] for at in places], BeamSettings(BEAMS)))
        for places in cut
    ]

    @torch.inference_mode()
    def translated() -> Timed:
        started = time.process_time()
        for places, length in zip(cut, lengths, strict=True):
            ids, mask = padded([sources[at] for at in places], config.pad_token_id)
            model.generate(
                ids, attention_mask=mask, num_beams=BEAMS, min_new_tokens=length, max_new_tokens=length, do_sample=False
            )
        return time.process_time() - started, None

    return translated


def main() -> None:
    """Measure, and leave a report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("teacher", type=Path, help="folder of the trained teacher")
    parser.add_argument("teacher_int8", type=Path, help="folder of the teacher exported in 8 bits")
    parser.add_argument("student_int8", type=Path, help="folder of the student exported in 8 bits")
    parser.add_argument("--input", type=Path, required=True, help="a sentence a line")
    parser.add_argument("--references", type=Path, required=True, help="their translations")
    parser.add_argument("--lines", type=int, default=1000, help="take so many from the start (default: %(default)s)")
    parser.add_argument(
        "--tokens_per_batch",
        type=int,
        default=4096,
        help="most source tokens of a batch, padding included, times beams (default: %(default)s)",
    )
    add_rounds(parser, 5)
    add_threads(parser)
    add_output(parser)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    lines, references = (read_lines(path)[: given.lines] for path in (given.input, given.references))
    export = partial(by_export, lines=lines, tokens=given.tokens_per_batch, threads=given.threads)
    ways = {
        MARIAN: by_marian(given.teacher, given.teacher_int8, lines, given.tokens_per_batch),
        f"teacher, CTranslate2 int8, {BEAMS} beams": export(given.teacher_int8, beams=BEAMS),
        "teacher, CTranslate2 int8, greedy": export(given.teacher_int8, beams=1),
        f"student, CTranslate2 int8, {BEAMS} beams": export(given.student_int8, beams=BEAMS),
        "student, CTranslate2 int8, greedy": export(given.student_int8, beams=1),
    }
    found = in_turn(ways, given.rounds)
    marian, teacher = ([seconds for seconds, _ in found[name]] for name in list(ways)[:2])
    rows, figures = [], {}
    for name, rounds in found.items():
        seconds, texts = [each for each, _ in rounds], rounds[-1][1]
        speed, beside = against(seconds, marian), against(seconds, teacher)
        bleu = None if texts is None else BLEU().corpus_score(texts, [references]).score
        rows.append(
            [
                name,
                f"{len(lines) / speed['seconds']:.1f}",
                f"{speed['speed']:.1f} ({speed['speed_least']:.1f} to {speed['speed_most']:.1f})",
                f"{beside['speed']:.2f} ({beside['speed_least']:.2f} to {beside['speed_most']:.2f})",
                "" if bleu is None else f"{bleu:.2f}",
            ]
        )
        figures[name] = {"processor_seconds": seconds, "bleu": bleu}
    head = ["", "sentences a second of processor time", "against Marian", "against the teacher in 8 bits", "sacreBLEU"]
    about = machine("torch", "transformers", "ctranslate2") | {"lines": str(len(lines)), "rounds": str(given.rounds)}
    about |= {
        f"{name}, megabytes": f"{sum(file.stat().st_size for file in folder.rglob('*') if file.is_file()) / 1e6:.2f}"
        for name, folder in (("teacher", given.teacher_int8), ("student", given.student_int8))
    }
    leave(given.output, about, markdown.table(head, rows), figures)


if __name__ == "__main__":
    main()
